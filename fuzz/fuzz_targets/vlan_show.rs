//! Fuzzes `nofail_fuzz::vlan_show`.
#![no_main]
nofail_fuzz::target!(vlan_show);

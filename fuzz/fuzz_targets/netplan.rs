//! Fuzzes `nofail_fuzz::netplan`.
#![no_main]
nofail_fuzz::target!(netplan);

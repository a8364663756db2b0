//! Fuzzes `nofail_fuzz::snapshot_xml`.
#![no_main]
nofail_fuzz::target!(snapshot_xml);

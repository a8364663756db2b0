//! Fuzzes `nofail_fuzz::unit_files`.
#![no_main]
nofail_fuzz::target!(unit_files);

//! Fuzzes `nofail_fuzz::managed_save`.
#![no_main]
nofail_fuzz::target!(managed_save);

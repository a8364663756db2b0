//! Fuzzes `nofail_fuzz::bmc`.
#![no_main]
nofail_fuzz::target!(bmc);

//! Fuzzes `nofail_fuzz::journal`.
#![no_main]
nofail_fuzz::target!(journal);

//! Fuzzes `nofail_fuzz::ios_diff`.
#![no_main]
nofail_fuzz::target!(ios_diff);

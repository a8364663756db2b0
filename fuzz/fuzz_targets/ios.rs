//! Fuzzes `nofail_fuzz::ios`.
#![no_main]
nofail_fuzz::target!(ios);

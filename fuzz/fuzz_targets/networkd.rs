//! Fuzzes `nofail_fuzz::networkd`.
#![no_main]
nofail_fuzz::target!(networkd);

//! Fuzzes `nofail_fuzz::sysctl`.
#![no_main]
nofail_fuzz::target!(sysctl);

//! Fuzzes `nofail_fuzz::domain`.
#![no_main]
nofail_fuzz::target!(domain);

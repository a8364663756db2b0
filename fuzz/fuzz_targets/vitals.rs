//! Fuzzes `nofail_fuzz::vitals`.
#![no_main]
nofail_fuzz::target!(vitals);

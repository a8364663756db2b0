//! Fuzzes `nofail_fuzz::rebooters`.
#![no_main]
nofail_fuzz::target!(rebooters);

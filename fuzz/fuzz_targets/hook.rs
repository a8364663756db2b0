//! Fuzzes `nofail_fuzz::hook`.
#![no_main]
nofail_fuzz::target!(hook);

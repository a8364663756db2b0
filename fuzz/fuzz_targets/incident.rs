//! Fuzzes `nofail_fuzz::incident`.
#![no_main]
nofail_fuzz::target!(incident);

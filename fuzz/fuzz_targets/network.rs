//! Fuzzes `nofail_fuzz::network`.
#![no_main]
nofail_fuzz::target!(network);

//! Fuzzes `nofail_fuzz::backing`.
#![no_main]
nofail_fuzz::target!(backing);

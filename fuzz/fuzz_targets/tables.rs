//! Fuzzes `nofail_fuzz::tables`.
#![no_main]
nofail_fuzz::target!(tables);

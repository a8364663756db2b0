//! Fuzzes `nofail_fuzz::site`.
#![no_main]
nofail_fuzz::target!(site);

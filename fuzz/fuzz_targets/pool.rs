//! Fuzzes `nofail_fuzz::pool`.
#![no_main]
nofail_fuzz::target!(pool);

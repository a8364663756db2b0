//! Fuzzes `nofail_fuzz::nsswitch`.
#![no_main]
nofail_fuzz::target!(nsswitch);

//! Fuzzes `nofail_fuzz::snapshot`.
#![no_main]
nofail_fuzz::target!(snapshot);

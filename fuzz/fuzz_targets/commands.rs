//! Fuzzes `nofail_fuzz::commands`.
#![no_main]
nofail_fuzz::target!(commands);

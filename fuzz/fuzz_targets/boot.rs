//! Fuzzes `nofail_fuzz::boot`.
#![no_main]
nofail_fuzz::target!(boot);

//! Fuzzes `nofail_fuzz::mountinfo`.
#![no_main]
nofail_fuzz::target!(mountinfo);

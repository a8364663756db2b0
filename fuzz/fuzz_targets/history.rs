//! Fuzzes `nofail_fuzz::history`.
#![no_main]
nofail_fuzz::target!(history);

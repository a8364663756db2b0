//! Fuzzes `nofail_fuzz::ifupdown`.
#![no_main]
nofail_fuzz::target!(ifupdown);

//! Fuzzes `nofail_fuzz::hook_input`.
#![no_main]
nofail_fuzz::target!(hook_input);

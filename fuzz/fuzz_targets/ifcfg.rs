//! Fuzzes `nofail_fuzz::ifcfg`.
#![no_main]
nofail_fuzz::target!(ifcfg);

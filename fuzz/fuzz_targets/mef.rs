//! Fuzzes `nofail_fuzz::mef`.
#![no_main]
nofail_fuzz::target!(mef);

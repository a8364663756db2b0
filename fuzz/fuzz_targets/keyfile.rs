//! Fuzzes `nofail_fuzz::keyfile`.
#![no_main]
nofail_fuzz::target!(keyfile);

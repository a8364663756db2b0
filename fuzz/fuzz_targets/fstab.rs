//! Fuzzes `nofail_fuzz::fstab`.
#![no_main]
nofail_fuzz::target!(fstab);

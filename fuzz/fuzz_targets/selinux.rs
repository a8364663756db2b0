//! Fuzzes `nofail_fuzz::selinux`.
#![no_main]
nofail_fuzz::target!(selinux);

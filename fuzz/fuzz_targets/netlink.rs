//! Fuzzes `nofail_fuzz::netlink`.
#![no_main]
nofail_fuzz::target!(netlink);

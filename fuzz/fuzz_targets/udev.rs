//! Fuzzes `nofail_fuzz::udev`.
#![no_main]
nofail_fuzz::target!(udev);

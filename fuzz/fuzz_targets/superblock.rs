//! Fuzzes `nofail_fuzz::superblock`.
#![no_main]
nofail_fuzz::target!(superblock);

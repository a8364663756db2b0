//! Fuzzes `nofail_fuzz::names`.
#![no_main]
nofail_fuzz::target!(names);

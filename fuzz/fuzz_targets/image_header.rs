//! Fuzzes `nofail_fuzz::image_header`.
#![no_main]
nofail_fuzz::target!(image_header);

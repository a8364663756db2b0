//! Fuzzes `nofail_fuzz::audit_fstab`.
#![no_main]
nofail_fuzz::target!(audit_fstab);

//! Fuzzes `nofail_fuzz::audit_snapshot`.
#![no_main]
nofail_fuzz::target!(audit_snapshot);

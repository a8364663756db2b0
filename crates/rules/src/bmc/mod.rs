//! Rules on the BMC: the console of last resort.

pub mod absent_or_unconfigured;
pub mod unverified;

//! Pure algorithms over the dependency model and over fault trees.

pub mod cutsets;
pub mod mef;
//! placeholder

pub mod boot;

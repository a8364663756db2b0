//! placeholder

pub mod boot;

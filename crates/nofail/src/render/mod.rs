//! What a person sees.

pub mod audit;
pub mod boot;
pub mod cutsets;
pub mod incident;
pub mod markdown;
pub mod style;

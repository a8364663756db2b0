//! What a person sees.

pub mod audit;
pub mod cutsets;
pub mod incident;
pub mod markdown;
pub mod style;

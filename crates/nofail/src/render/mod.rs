//! What a person sees.

pub mod audit;
pub mod incident;
pub mod markdown;
pub mod style;

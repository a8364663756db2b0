//! What a person sees.

pub mod audit;
pub mod markdown;
pub mod style;

//! nofail.
fn main() {}

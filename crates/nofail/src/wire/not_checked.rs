//! What could not be read, as every answer over the graph lists it: it never counts as healthy.

use crate::cli::graph::Model;
use serde::Serialize;

/// One source that was not read.
#[derive(Debug, Serialize)]
pub struct NotChecked<'a> {
    host: &'a str,
    source: &'a str,
    reason: &'a str,
}

/// All of them.
pub fn not_checked(model: &Model) -> Vec<NotChecked<'_>> {
    let wire = model.estate.not_read.iter().map(|n| NotChecked {
        host: &n.host,
        source: &n.source,
        reason: &n.reason,
    });
    wire.collect()
}

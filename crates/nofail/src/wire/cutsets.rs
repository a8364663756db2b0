//! `nofail.cutsets/1`.

use anyhow::Context as _;
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The minimal cut sets of one top event. If the sets themselves are asked for, a last member
/// `sets` is written after these: too many to be held. Numbers may exceed what other programs hold in 64 bits.
#[derive(Debug, Serialize)]
pub struct CutSets<'a> {
    /// `nofail.cutsets/1`.
    pub schema: &'static str,
    /// The model's name; else the first file's.
    pub model: String,
    /// The top event.
    pub top: &'a str,
    /// How many minimal cut sets there are, up to the order limit.
    pub cut_sets: Box<RawValue>,
    /// How many there are of each order.
    pub by_order: BTreeMap<u32, Box<RawValue>>,
    /// The order limit, if one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_order: Option<u32>,
    /// Whether the limit left out sets, or may have.
    pub cut: bool,
    /// The exact probability of the top event, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// Each basic event's importance, if it was asked for: the greatest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub importance: Option<Vec<Importance<'a>>>,
    /// How long it took, from reading the files on.
    pub seconds: f64,
}

/// How much one basic event matters.
#[derive(Debug, Serialize)]
pub struct Importance<'a> {
    /// The basic event.
    pub event: &'a str,
    /// Birnbaum's measure.
    pub birnbaum: f64,
    /// Fussell-Vesely's measure.
    pub fussell_vesely: f64,
}

/// A whole number of any length as a JSON number.
///
/// # Errors
/// The text is no JSON number.
pub fn number(number: &impl ToString) -> anyhow::Result<Box<RawValue>> {
    RawValue::from_string(number.to_string()).context("a count is no JSON number")
}

//! A post-mortem as data: its action items, each bound to rules, hosts and subjects, or to a
//! person's confirmation that expires; and what measuring them gives.

mod measure;
mod parse;

pub use measure::{Measured, State, measure};

use crate::rule::Rule;
use facts::SyntaxError;
use jiff::civil::Date;
use serde::Deserialize;

/// A post-mortem.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Incident {
    /// Its number or name.
    pub id: String,
    /// Title.
    pub title: String,
    /// The site it happened on: a site.toml, relative to this file.
    pub site: Option<String>,
    /// What happened when.
    pub timeline: Vec<Moment>,
    /// The action items.
    pub items: Vec<Item>,
}

/// One moment of the time-line.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Moment {
    /// When, as the post-mortem writes it.
    pub at: String,
    /// What happened.
    pub text: String,
}

/// One action item.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Its number or name.
    pub id: Id,
    /// What must be so.
    pub text: String,
    /// Whether it is the undoing of a change that was made for the time of the incident: it
    /// stays open until the undoing is measured, and no person's word closes it.
    #[serde(default)]
    pub temporary: bool,
    /// What measures it; it holds when every check is quiet.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// What of it no check covers, and why; then it holds by a person's word only.
    pub uncovered: Option<String>,
    /// A person's word.
    pub confirmed: Option<Confirmation>,
}

/// Number or name of an item; kept as the file writes it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(untagged)]
pub enum Id {
    /// A number.
    Number(u32),
    /// A name.
    Name(String),
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// Rules that must be quiet on some hosts and subjects.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Check {
    /// Rules by ID.
    pub rules: Vec<String>,
    /// Hosts, switches or groups; all where empty.
    pub hosts: Vec<String>,
    /// Subjects, `*` and `?` as wild cards; all where empty.
    pub subjects: Vec<String>,
}

/// A person's word that an item holds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// Who.
    pub by: String,
    /// What they saw.
    #[serde(default)]
    pub text: String,
    /// Day on which they saw it.
    pub on: Date,
    /// Last day on which their word counts.
    pub until: Date,
}

impl Incident {
    /// Reads an incident file.
    ///
    /// # Errors
    /// The place of what is wrong: TOML's grammar, an unknown key or rule, an item twice, a
    /// confirmation that ends before it begins.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        parse::parse(text)
    }

    /// Every rule that some item is bound to.
    pub fn rules(&self) -> Vec<&'static Rule> {
        let mut rules: Vec<&'static Rule> = self
            .items
            .iter()
            .flat_map(|item| &item.checks)
            .flat_map(|check| &check.rules)
            .filter_map(|id| crate::registry::find(id))
            .collect();
        rules.sort_by_key(|rule| rule.id);
        rules.dedup_by_key(|rule| rule.id);
        rules
    }
}

#[cfg(test)]
mod tests;

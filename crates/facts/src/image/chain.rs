//! The chain of images behind a disk, followed through the headers that were read.

use super::{Image, backing};
use crate::domain::Backing;
use std::collections::HashSet;

/// How deep libvirt follows a chain (`VIR_STORAGE_MAX_CHAIN_DEPTH`).
pub const MAX_DEPTH: usize = 200;

/// A chain of images, nearest first, without the image that the disk names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// The links.
    pub links: Vec<Backing>,
    /// Files that hold the data of an image in it (qcow2 data file, VMDK extents), with the image.
    pub data_files: Vec<(String, String)>,
    /// How it ends.
    pub end: End,
}

/// How a chain ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// With an image that needs no other.
    #[default]
    Complete,
    /// An image that was not looked at yet.
    NotRead(String),
    /// An image that could not be read, and why.
    Unreadable(String, String),
    /// An image that does not exist.
    Missing(String),
    /// An image that stands in the chain before: it is its own backing file.
    Loop(String),
    /// More than [`MAX_DEPTH`] images.
    TooDeep,
    /// A network source: what it rests on cannot be seen from here.
    Network(String),
}

impl End {
    /// The end in a person's words; `None` where the chain is whole.
    pub fn broken(&self) -> Option<String> {
        Some(match self {
            Self::Complete => return None,
            Self::NotRead(path) => format!("{path} was not read"),
            Self::Unreadable(path, why) => format!("{path}: {why}"),
            Self::Missing(path) => format!("{path} does not exist"),
            Self::Loop(path) => format!("{path} is its own backing file"),
            Self::TooDeep => format!("more than {MAX_DEPTH} images"),
            Self::Network(source) => format!("{source} is a network source"),
        })
    }
}

/// Follows the chain from the image at `path`.
///
/// `format` is what the definition says of that image; without one libvirt takes it for raw. A raw
/// image has no backing file, whatever its bytes look like. `find` gives what was read of a path.
pub fn follow<'a>(
    path: &str,
    format: Option<&str>,
    find: impl Fn(&str) -> Option<&'a Image>,
) -> Chain {
    let mut chain = Chain::default();
    let mut seen = HashSet::from([path.to_owned()]);
    let mut path = path.to_owned();
    let mut format = Some(format.unwrap_or("raw").to_owned());
    loop {
        let Some(image) = find(&path) else {
            chain.end = End::NotRead(path);
            return chain;
        };
        if let Some(why) = image.size.unreadable() {
            chain.end = End::Unreadable(path, why.to_owned());
            return chain;
        }
        if image.size.is_absent() {
            chain.end = End::Missing(path);
            return chain;
        }
        if format.as_deref() == Some("raw") {
            return chain;
        }
        if let Some(why) = &image.header_unread {
            chain.end = End::Unreadable(path, why.clone());
            return chain;
        }
        if image.format.is_none() {
            // Seen, but not looked into.
            chain.end = End::NotRead(path);
            return chain;
        }
        for file in image.data_file.iter().chain(&image.extents) {
            chain
                .data_files
                .push((backing::beside(&path, file), path.clone()));
        }
        let Some(name) = &image.backing else {
            return chain;
        };
        let mut link = match backing::resolve(&path, name) {
            Ok(link) => link,
            Err(why) => {
                chain.end = End::Unreadable(path, why.to_string());
                return chain;
            }
        };
        link.format = image.backing_format.clone().or(link.format);
        format = link.format.clone();
        let (kind, next) = (link.kind.clone(), link.source.clone());
        if chain.links.len() == MAX_DEPTH {
            chain.end = End::TooDeep;
            return chain;
        }
        if !seen.insert(next.clone()) {
            chain.end = End::Loop(next);
            return chain;
        }
        chain.links.push(link);
        if !matches!(kind.as_str(), "file" | "block") {
            if format.as_deref() != Some("raw") {
                chain.end = End::Network(next);
            }
            return chain;
        }
        path = next;
    }
}

//! libvirt storage pools: definitions with their autostart links, which of them run, and for
//! directory pools how full their file system is and which volumes they hold.

use super::definitions::{Definitions, place};
use super::eyes::{Blind, Eyes};
use super::why;
use crate::{HostReader, Options};
use facts::pool::{self, Pool};
use facts::{Snapshot, Source};
use std::io;

const DEFINITIONS: &str = "/etc/libvirt/storage";
const STATE: &str = "/run/libvirt/storage";

pub(super) fn collect(reader: &dyn HostReader, options: &Options, snapshot: &mut Snapshot) {
    let definitions = Definitions {
        reader,
        source: Source::Pools,
        directory: DEFINITIONS,
    };
    let mut pools: Vec<Pool> = definitions
        .read(snapshot, pool::parse)
        .into_iter()
        .map(|read| Pool {
            file: read.file,
            autostart: read.autostart.known(),
            ..read.value
        })
        .collect();
    if reader.live() {
        add_state(reader, snapshot, &mut pools);
    }
    let mut eyes = Eyes::new(reader, options, &snapshot.fstab);
    for pool in pools.iter_mut().filter(|pool| pool.is_directory()) {
        // Where a mounted pool does not run, its target is a bare directory of another file
        // system: its fill would be a lie.
        if pool.kind == "dir" || pool.active == Some(true) || !reader.live() {
            measure(&mut eyes, pool);
        }
        if let Some(reason) = &pool.unread {
            snapshot.item_not_read(Source::Pools, pool.name.clone(), reason.clone());
        }
    }
    snapshot.pools = pools;
}

fn add_state(reader: &dyn HostReader, snapshot: &mut Snapshot, pools: &mut Vec<Pool>) {
    let names = match reader.list(STATE) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            snapshot.item_not_read(Source::Pools, STATE, why(STATE, &error));
            return;
        }
    };
    for pool in pools.iter_mut() {
        pool.active = Some(
            names
                .iter()
                .any(|n| n.strip_suffix(".xml") == Some(&pool.name)),
        );
    }
    // A pool without a definition is transient: it exists while it runs.
    for name in names.iter().filter_map(|n| n.strip_suffix(".xml")) {
        if pools.iter().any(|pool| pool.name == name) {
            continue;
        }
        let file = format!("{STATE}/{name}.xml");
        let read = match reader.text(&file) {
            Ok(text) => pool::parse(&text).map_err(|error| place(&error)),
            Err(error) => Err(why(&file, &error)),
        };
        match read {
            Ok(pool) => pools.push(Pool {
                file,
                active: Some(true),
                autostart: Some(false),
                ..pool
            }),
            // Without the definitions nothing says which of them are transient.
            Err(_) if snapshot.why_unread(Source::Pools).is_some() => {}
            Err(reason) => snapshot.item_not_read(Source::Pools, file, reason),
        }
    }
}

fn measure(eyes: &mut Eyes<'_>, pool: &mut Pool) {
    let Some(target) = pool.target.clone() else {
        return;
    };
    let target = target.trim_end_matches('/');
    let failed = |blind: Blind| match blind {
        Blind::Absent => format!("{target} does not exist"),
        Blind::Unreadable(reason) => format!("{target}: {reason}"),
    };
    match eyes.list(target) {
        Ok(names) => pool.volumes = names.iter().map(|n| format!("{target}/{n}")).collect(),
        Err(blind) => {
            pool.unread = Some(failed(blind));
            return;
        }
    }
    match eyes.space(target) {
        Ok((size, available)) => {
            pool.capacity = Some(size);
            pool.available = Some(available);
        }
        Err(blind) => pool.unread = Some(failed(blind)),
    }
}

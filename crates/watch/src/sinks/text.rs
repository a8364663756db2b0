//! A batch in words.

use super::book::{Batch, Item};

/// The subject line: `[kvm-01] critical: /mnt/nas/vms: …`, or how many there are.
pub(super) fn title(host: &str, batch: &Batch) -> String {
    let mut all: Vec<&Item> = batch.raised.iter().chain(&batch.notes).collect();
    all.sort_by_key(|item| rank(&item.severity));
    match (all.last(), batch.cleared.first()) {
        (Some(worst), _) => {
            let more = all.len() - 1;
            let more = if more > 0 {
                format!(" (and {more} more)")
            } else {
                String::new()
            };
            format!(
                "[{host}] {}: {}: {}{more}",
                worst.severity, worst.subject, worst.message
            )
        }
        (None, Some((over, _))) => {
            let more = batch.cleared.len() - 1;
            let more = if more > 0 {
                format!(" (and {more} more)")
            } else {
                String::new()
            };
            format!("[{host}] over: {}: {}{more}", over.subject, over.message)
        }
        (None, None) => format!("[{host}] nofail watches; {} alerts stand", batch.standing),
    }
}

/// The whole text.
pub(super) fn body(host: &str, batch: &Batch) -> String {
    let mut out = String::new();
    let line = |item: &Item| {
        let guest = item.guest.as_deref().filter(|g| *g != item.subject);
        let guest = guest.map_or_else(String::new, |g| format!(" of {g}"));
        format!(
            "{}  {}{guest}: {} [{}, event {}, since {}]\n",
            item.severity, item.subject, item.message, item.kind, item.id, item.since
        )
    };
    for (heading, items) in [("Wrong", &batch.raised), ("Happened", &batch.notes)] {
        if !items.is_empty() {
            out += &format!("{heading}:\n");
            items.iter().for_each(|item| out += &line(item));
        }
    }
    if !batch.cleared.is_empty() {
        out += "Over:\n";
        for (item, end) in &batch.cleared {
            out += &format!(
                "{}: {} [since {}, until {end}]\n",
                item.subject, item.message, item.since
            );
        }
    }
    if batch.heartbeat {
        out += &format!("A sign of life: nofail watches {host}.\n");
    }
    out += &format!(
        "{} alerts stand on {host}. `nofail events --follow` there tells more.\n",
        batch.standing
    );
    out
}

/// The worst severity of a batch, by its place.
pub(super) fn rank(severity: &str) -> Option<crate::Severity> {
    crate::Severity::parse(severity)
}

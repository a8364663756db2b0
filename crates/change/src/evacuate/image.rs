//! What `qemu-img` says of an image: sizes, and what a copy would lose.

use collect::command;
use serde::Deserialize;
use std::time::Duration;

/// Metadata of an image on a server that answers comes at once.
const DEADLINE: Duration = Duration::from_secs(20);

/// One image of a chain, as `qemu-img info --output=json` prints it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Info {
    filename: String,
    virtual_size: u64,
    actual_size: u64,
    encrypted: bool,
    snapshots: Vec<Named>,
    format_specific: Specific,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Specific {
    data: Data,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Data {
    corrupt: bool,
    bitmaps: Vec<Named>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    name: String,
}

/// `qemu-img measure --output=json`.
#[derive(Debug, Deserialize)]
struct Measure {
    required: u64,
}

/// What a copy needs and would lose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// Size that the guest sees.
    pub virtual_size: u64,
    /// Bytes that a copy without backing file needs.
    pub needs: u64,
    /// Reasons against copying it, with what to do.
    pub against: Vec<(String, String)>,
}

/// Looks at an image and its whole chain, also while a guest runs on it.
///
/// # Errors
/// It cannot be read, or its server does not answer.
pub fn look(path: &str, format: &str) -> Result<Image, String> {
    let args = [
        "info",
        "-U",
        "--output=json",
        "--backing-chain",
        "-f",
        format,
        path,
    ];
    let text = command::output("qemu-img", &args, DEADLINE).map_err(|e| e.to_string())?;
    let mut image = of_info(&String::from_utf8_lossy(&text))?;
    if format == "raw" {
        // For raw images `measure` counts holes as well; the copy keeps them.
        image.needs = image.needs.min(image.virtual_size);
        return Ok(image);
    }
    let args = [
        "measure",
        "-U",
        "--output=json",
        "-f",
        format,
        "-O",
        format,
        path,
    ];
    // A server that does not tell holes may make this slow: then what is allocated in all the chain.
    if let Ok(text) = command::output("qemu-img", &args, DEADLINE)
        && let Ok(measure) = serde_json::from_slice::<Measure>(&text)
    {
        image.needs = measure.required;
    }
    Ok(image)
}

fn of_info(text: &str) -> Result<Image, String> {
    let chain: Vec<Info> = serde_json::from_str(text)
        .map_err(|e| format!("qemu-img info printed something else: {e}"))?;
    let Some(top) = chain.first() else {
        return Err("qemu-img info printed nothing".to_owned());
    };
    let mut image = Image {
        virtual_size: top.virtual_size,
        needs: chain
            .iter()
            .map(|i| i.actual_size)
            .fold(0, u64::saturating_add),
        against: Vec::new(),
    };
    for link in &chain {
        let file = &link.filename;
        let mut push = |why: String, advice: &str| image.against.push((why, advice.to_owned()));
        if link.encrypted {
            push(
                format!("{file} is encrypted: copying it needs its secret"),
                "move it by hand with the guest off",
            );
        }
        if link.format_specific.data.corrupt {
            push(
                format!("{file} is marked corrupt"),
                "mend it first: qemu-img check -r all, with a copy at hand",
            );
        }
        let names = |list: &[Named]| {
            let names: Vec<&str> = list.iter().map(|n| n.name.as_str()).collect();
            names.join(", ")
        };
        if !link.snapshots.is_empty() {
            push(
                format!(
                    "{file} holds internal snapshots ({})",
                    names(&link.snapshots)
                ),
                "a copy would lose them; delete them first: qemu-img snapshot -d, or virsh snapshot-delete",
            );
        }
        if !link.format_specific.data.bitmaps.is_empty() {
            let bitmaps = names(&link.format_specific.data.bitmaps);
            push(
                format!("{file} holds dirty bitmaps of an incremental backup ({bitmaps})"),
                "a copy would lose them; end that backup's series first: virsh checkpoint-delete, or qemu-img bitmap --remove",
            );
        }
    }
    Ok(image)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_copy_would_lose_is_named() {
        let text = r#"[{"filename":"/n/a.qcow2","virtual-size":67108864,"actual-size":1000,"format":"qcow2",
            "snapshots":[{"id":"1","name":"before"}],
            "format-specific":{"type":"qcow2","data":{"corrupt":true,"bitmaps":[{"name":"b0","flags":[]}]}}},
            {"filename":"/n/base","virtual-size":5,"actual-size":24,"encrypted":true,"dirty-flag":false}]"#;
        let image = of_info(text).unwrap();
        assert_eq!((image.virtual_size, image.needs), (67_108_864, 1024));
        let whys: Vec<&str> = image.against.iter().map(|(why, _)| why.as_str()).collect();
        assert_eq!(
            whys,
            [
                "/n/a.qcow2 is marked corrupt",
                "/n/a.qcow2 holds internal snapshots (before)",
                "/n/a.qcow2 holds dirty bitmaps of an incremental backup (b0)",
                "/n/base is encrypted: copying it needs its secret",
            ]
        );
        assert!(of_info("[]").is_err() && of_info("x").is_err());
    }
}

//! What the name of a backing file means: a path relative to the image, `json:{…}`, or a URI of a
//! network protocol (qemu-block-drivers(7); libvirt: "backing chains").

use crate::domain::Backing;
use serde_json::{Map, Value};
use thiserror::Error;

/// A format upon a filter upon a protocol is three.
const DEEPEST_JSON: usize = 16;

/// Why a backing name could not be understood.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BackingError {
    /// `json:` is followed by what is no JSON object.
    #[error("the backing name is no JSON object: {0}")]
    Json(String),
    /// The object names no place.
    #[error("the backing name's JSON names no file: {0}")]
    NoPlace(String),
}

/// Resolves the backing name that stands in the header of the image at `image`.
///
/// A relative path is taken from the directory of the image. `format` of the result is only set
/// where a `json:` name says it; `read_from` is the image.
///
/// # Errors
/// [`BackingError`] for a `json:` name without a meaning.
pub fn resolve(image: &str, name: &str) -> Result<Backing, BackingError> {
    let mut backing = if let Some(json) = name.strip_prefix("json:") {
        let value: Map<String, Value> =
            serde_json::from_str(json).map_err(|e| BackingError::Json(e.to_string()))?;
        from_json(&value, 0)?
    } else {
        from_text(name)
    };
    if matches!(backing.kind.as_str(), "file" | "block") {
        backing.source = beside(image, &backing.source);
        if backing.source.starts_with("/dev/") {
            "block".clone_into(&mut backing.kind);
        }
    }
    image.clone_into(&mut backing.read_from);
    Ok(backing)
}

/// A path as seen from the directory of another file. `..` stays: what it leads to depends on
/// links, which only the host can follow.
pub fn beside(file: &str, path: &str) -> String {
    if path.starts_with('/') {
        return path.to_owned();
    }
    let directory = file.rsplit_once('/').map_or("", |(directory, _)| directory);
    let path = path.strip_prefix("./").unwrap_or(path);
    format!("{directory}/{path}")
}

fn backing(kind: &str, source: impl Into<String>, hosts: Vec<String>) -> Backing {
    Backing {
        kind: kind.to_owned(),
        source: source.into(),
        hosts,
        ..Backing::default()
    }
}

/// A plain name: QEMU takes it for a protocol where a colon stands before the first slash.
fn from_text(name: &str) -> Backing {
    let scheme = match name.split_once(':') {
        Some((scheme, _)) if !scheme.is_empty() && !scheme.contains('/') => scheme,
        _ => return backing("file", name, Vec::new()),
    };
    let rest = &name[scheme.len() + 1..];
    match scheme {
        "file" => backing("file", rest.strip_prefix("//").unwrap_or(rest), Vec::new()),
        "host_device" | "host_cdrom" => backing("block", rest, Vec::new()),
        _ if rest.starts_with("//") => uri(scheme, &rest[2..]),
        "nbd" => nbd(rest),
        "rbd" => rbd(rest),
        _ => backing("network", name, Vec::new()),
    }
}

/// `scheme[+transport]://[user@]host[:port]/path[?query]`.
fn uri(scheme: &str, rest: &str) -> Backing {
    let (protocol, transport) = scheme.split_once('+').unwrap_or((scheme, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let socket = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("socket="));
    let hosts = match (transport, socket) {
        ("unix", Some(socket)) => vec![format!("unix:{socket}")],
        _ if host.is_empty() => Vec::new(),
        _ => vec![host.to_owned()],
    };
    // Paths of these are absolute on the server; the others name an export or an URL's path.
    let slash = if matches!(protocol, "nfs" | "ssh" | "sftp") {
        "/"
    } else {
        ""
    };
    backing("network", format!("{protocol}:{slash}{path}"), hosts)
}

/// `host:port[:exportname=x]` or `unix:/socket[:exportname=x]`.
fn nbd(rest: &str) -> Backing {
    let (place, export) = rest.split_once(":exportname=").unwrap_or((rest, ""));
    backing("network", format!("nbd:{export}"), vec![place.to_owned()])
}

/// `pool/image[@snapshot][:option=value…]`; a backslash takes a colon's meaning away.
fn rbd(rest: &str) -> Backing {
    let mut parts = vec![String::new()];
    let mut letters = rest.chars();
    while let Some(letter) = letters.next() {
        match (letter, parts.last_mut()) {
            ('\\', Some(part)) => part.extend(letters.next()),
            (':', _) => parts.push(String::new()),
            (other, Some(part)) => part.push(other),
            (_, None) => {}
        }
    }
    let hosts = parts
        .iter()
        .find_map(|part| part.strip_prefix("mon_host="))
        .map(|hosts| {
            hosts
                .split([';', ','])
                .map(|h| h.trim().to_owned())
                .collect()
        });
    let image = parts.first().cloned().unwrap_or_default();
    backing("network", format!("rbd:{image}"), hosts.unwrap_or_default())
}

/// A block node as QEMU's `-blockdev` describes it, with nested objects or dotted keys.
fn from_json(object: &Map<String, Value>, depth: usize) -> Result<Backing, BackingError> {
    if depth > DEEPEST_JSON {
        return Err(BackingError::NoPlace(format!(
            "nodes nested more than {DEEPEST_JSON} deep"
        )));
    }
    let get = |key: &str| text(object, key);
    let driver = get("driver");
    if let Some(child) = nested(object, "file") {
        // A format node upon a protocol node.
        let mut below = from_json(&child, depth + 1)?;
        below.format = driver.or(below.format);
        return Ok(below);
    }
    let server = || {
        let server = nested(object, "server.0").or_else(|| nested(object, "server"));
        let server = server.unwrap_or_default();
        let host = text(&server, "host").or_else(|| get("host"));
        let port = text(&server, "port").or_else(|| get("port"));
        let socket = text(&server, "path").filter(|_| host.is_none());
        match (host, port, socket) {
            (Some(host), Some(port), _) => vec![format!("{host}:{port}")],
            (Some(host), None, _) => vec![host],
            (None, _, Some(socket)) => vec![format!("unix:{socket}")],
            _ => Vec::new(),
        }
    };
    let need = |key: &str| {
        get(key).ok_or_else(|| {
            let driver = driver.as_deref().unwrap_or("?");
            BackingError::NoPlace(format!("driver {driver:?} without {key:?}"))
        })
    };
    Ok(match driver.as_deref() {
        None if get("filename").is_some() => from_text(&need("filename")?),
        Some("file") => backing("file", need("filename")?, Vec::new()),
        Some("host_device" | "host_cdrom") => backing("block", need("filename")?, Vec::new()),
        Some("nbd") => {
            let export = get("export").unwrap_or_default();
            backing("network", format!("nbd:{export}"), server())
        }
        Some("rbd") => {
            let source = format!("rbd:{}/{}", need("pool")?, need("image")?);
            backing("network", source, server())
        }
        Some(protocol @ ("http" | "https" | "ftp" | "ftps")) => match get("url") {
            Some(url) => from_text(&url),
            None => backing(
                "network",
                format!("{protocol}:{}", need("filename")?),
                server(),
            ),
        },
        Some("iscsi") => {
            let portal = get("portal").into_iter().collect();
            let lun = get("lun").unwrap_or_else(|| "0".to_owned());
            backing(
                "network",
                format!("iscsi:{}/{lun}", need("target")?),
                portal,
            )
        }
        Some("gluster") => {
            let source = format!(
                "gluster:{}/{}",
                need("volume")?,
                need("path")?.trim_start_matches('/')
            );
            backing("network", source, server())
        }
        Some(protocol @ ("nfs" | "ssh")) => {
            backing("network", format!("{protocol}:{}", need("path")?), server())
        }
        Some("nvme") => backing("nvme", need("device")?, Vec::new()),
        other => {
            let other = other.unwrap_or("none");
            return Err(BackingError::NoPlace(format!("driver {other:?}")));
        }
    })
}

/// A member as text; numbers too, since QEMU accepts a port as either.
fn text(object: &Map<String, Value>, key: &str) -> Option<String> {
    match object.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A nested object: `{"file": {…}}`, or the members under `file.`.
fn nested(object: &Map<String, Value>, key: &str) -> Option<Map<String, Value>> {
    if let Some(Value::Object(inner)) = object.get(key) {
        return Some(inner.clone());
    }
    if let Some(Value::Array(list)) = object.get(key)
        && let Some(Value::Object(first)) = list.first()
    {
        return Some(first.clone());
    }
    let prefix = format!("{key}.");
    let inner: Map<String, Value> = object
        .iter()
        .filter_map(|(name, value)| {
            let name = name.strip_prefix(&prefix)?;
            Some((name.to_owned(), value.clone()))
        })
        .collect();
    (!inner.is_empty()).then_some(inner)
}

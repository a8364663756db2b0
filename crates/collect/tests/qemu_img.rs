//! Image headers against the tool that writes them: what `qemu-img info` says of images that it
//! made here, nofail says too. Needs the package qemu-utils; without it the test fails.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use collect::command;
use facts::image::backing;
use facts::image::chain::{self, End};
use facts::image::header::{self, HeaderError};
use facts::{Known, image::Image};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(20);

fn qemu_img(args: &[&str]) -> Vec<u8> {
    command::output("qemu-img", args, DEADLINE).unwrap_or_else(|e| panic!("{e}"))
}

/// Makes an image: format, then options as `qemu-img create` takes them.
fn create(dir: &Path, name: &str, format: &str, options: &[&str], size: &str) -> String {
    let path = dir.join(name).to_str().unwrap().to_owned();
    let mut args = vec!["create", "-q", "-f", format];
    args.extend(options);
    args.push(&path);
    if !size.is_empty() {
        args.push(size);
    }
    qemu_img(&args);
    path
}

/// Reads the header as the collector does: a first piece, and more where it asks for more.
fn read(path: &str) -> header::Header {
    let whole = std::fs::read(path).unwrap();
    let mut wanted = header::FIRST_READ;
    loop {
        match header::parse(&whole[..wanted.min(whole.len())]) {
            Err(HeaderError::Truncated { needed }) if needed <= whole.len() => wanted = needed,
            other => return other.unwrap_or_else(|e| panic!("{path}: {e}")),
        }
    }
}

fn image(path: &str) -> Image {
    let found = read(path);
    Image {
        path: path.to_owned(),
        size: Known::Known(1),
        format: Some(found.format.to_owned()),
        backing: found.backing,
        backing_format: found.backing_format,
        data_file: found.data_file,
        extents: found.extents,
        ..Image::default()
    }
}

fn compare(path: &str) {
    let told: Value = serde_json::from_slice(&qemu_img(&["info", "--output=json", path])).unwrap();
    let found = read(path);
    let text = |key: &str| told.get(key).and_then(Value::as_str);
    assert_eq!(Some(found.format), text("format"), "{path}");
    if let Some(size) = found.virtual_size {
        assert_eq!(Some(size), told["virtual-size"].as_u64(), "{path}");
    } else {
        assert!(
            ["raw", "vhdx", "vpc", "luks", "parallels"].contains(&found.format),
            "{path}"
        );
    }
    assert_eq!(found.backing.as_deref(), text("backing-filename"), "{path}");
    if found.format != "vmdk" && found.format != "qed" {
        assert_eq!(
            found.backing_format.as_deref(),
            text("backing-filename-format"),
            "{path}"
        );
    }
    assert_eq!(
        found.encrypted,
        told["encrypted"].as_bool().unwrap_or(false),
        "{path}"
    );
    let specific = &told["format-specific"]["data"];
    assert_eq!(
        found.data_file.as_deref(),
        specific["data-file"].as_str(),
        "{path}"
    );
    assert_eq!(
        found.corrupt,
        specific["corrupt"].as_bool().unwrap_or(false),
        "{path}"
    );
    if let (Some(name), Some(full)) = (&found.backing, text("full-backing-filename")) {
        let resolved = backing::resolve(path, name).unwrap();
        if resolved.kind == "file" && !full.starts_with("json:") {
            assert_eq!(resolved.source, full, "{path}");
        }
    }
}

#[test]
fn headers_say_what_qemu_img_says() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::create_dir(dir.join("sub")).unwrap();
    let raw = create(dir, "base.raw", "raw", &[], "1M");
    let long = "n".repeat(200);
    let cases = [
        raw.clone(),
        create(dir, "v3.qcow2", "qcow2", &[], "1G"),
        create(dir, "v2.qcow2", "qcow2", &["-o", "compat=0.10"], "1G"),
        create(
            dir,
            "small.qcow2",
            "qcow2",
            &["-o", "cluster_size=512"],
            "10M",
        ),
        create(
            dir,
            "large.qcow2",
            "qcow2",
            &["-o", "cluster_size=2M"],
            "10M",
        ),
        create(
            dir,
            "top.qcow2",
            "qcow2",
            &["-b", "v3.qcow2", "-F", "qcow2"],
            "",
        ),
        create(
            dir,
            "sub/up.qcow2",
            "qcow2",
            &["-b", "../v3.qcow2", "-F", "qcow2"],
            "",
        ),
        create(
            dir,
            "onraw.qcow2",
            "qcow2",
            &["-o", "compat=0.10", "-b", &raw, "-F", "raw"],
            "",
        ),
        create(
            dir,
            "data.qcow2",
            "qcow2",
            &["-o", "data_file=d.raw,data_file_raw=on"],
            "1M",
        ),
        create(
            dir,
            "remote.qcow2",
            "qcow2",
            &["-u", "-b", "nbd://127.0.0.1:1/e", "-F", "raw"],
            "1M",
        ),
        create(
            dir,
            "json.qcow2",
            "qcow2",
            &[
                "-u",
                "-b",
                r#"json:{"driver":"file","filename":"/x"}"#,
                "-F",
                "raw",
            ],
            "1M",
        ),
        create(
            dir,
            "long.qcow2",
            "qcow2",
            &["-u", "-b", &long, "-F", "qcow2"],
            "1M",
        ),
        create(
            dir,
            "aes.qcow2",
            "qcow2",
            &[
                "--object",
                "secret,id=s,data=x",
                "-o",
                "encrypt.format=aes,encrypt.key-secret=s",
            ],
            "1M",
        ),
        create(dir, "one.qcow", "qcow", &[], "1M"),
        create(dir, "two.qcow", "qcow", &["-b", &raw, "-F", "raw"], ""),
        create(dir, "base.qed", "qed", &[], "1M"),
        create(dir, "top.qed", "qed", &["-b", &raw, "-F", "raw"], ""),
        create(dir, "a.vmdk", "vmdk", &[], "1M"),
        create(
            dir,
            "flat.vmdk",
            "vmdk",
            &["-o", "subformat=monolithicFlat"],
            "1M",
        ),
        create(
            dir,
            "split.vmdk",
            "vmdk",
            &["-o", "subformat=twoGbMaxExtentSparse"],
            "5G",
        ),
        create(
            dir,
            "top.vmdk",
            "vmdk",
            &["-b", &format!("{}/a.vmdk", dir.display()), "-F", "vmdk"],
            "",
        ),
        create(dir, "a.vdi", "vdi", &[], "1M"),
        create(dir, "a.vhdx", "vhdx", &[], "1M"),
        create(dir, "a.vpc", "vpc", &[], "1M"),
    ];
    for path in &cases {
        compare(path);
    }
    let extents = |name: &str| read(dir.join(name).to_str().unwrap()).extents;
    assert_eq!(extents("flat.vmdk"), ["flat-flat.vmdk"]);
    assert_eq!(extents("split.vmdk").len(), 3);
    for extent in extents("split.vmdk") {
        assert!(dir.join(&extent).exists(), "{extent}");
    }
}

#[test]
fn a_chain_is_the_one_that_qemu_img_follows() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    create(dir, "0.qcow2", "qcow2", &[], "1M");
    for n in 1..12 {
        let below = format!("{}.qcow2", n - 1);
        create(
            dir,
            &format!("{n}.qcow2"),
            "qcow2",
            &["-b", &below, "-F", "qcow2"],
            "",
        );
    }
    let top = dir.join("11.qcow2").to_str().unwrap().to_owned();
    let told = qemu_img(&["info", "--output=json", "--backing-chain", &top]);
    let told: Vec<Value> = serde_json::from_slice(&told).unwrap();
    let images: Vec<Image> = (0..12)
        .map(|n| image(dir.join(format!("{n}.qcow2")).to_str().unwrap()))
        .collect();
    let found = chain::follow(&top, Some("qcow2"), |path| {
        images.iter().find(|i| i.path == path)
    });
    assert_eq!(found.end, End::Complete);
    let told: Vec<&str> = told
        .iter()
        .skip(1)
        .map(|i| i["filename"].as_str().unwrap())
        .collect();
    let found: Vec<&str> = found
        .links
        .iter()
        .map(|link| link.source.as_str())
        .collect();
    assert_eq!(found, told);

    // A loop: the lowest rests upon the highest. qemu-img refuses it, and so do we.
    qemu_img(&[
        "rebase",
        "-u",
        "-f",
        "qcow2",
        "-b",
        "11.qcow2",
        "-F",
        "qcow2",
        &format!("{}/0.qcow2", dir.display()),
    ]);
    let images: Vec<Image> = (0..12)
        .map(|n| image(dir.join(format!("{n}.qcow2")).to_str().unwrap()))
        .collect();
    let found = chain::follow(&top, Some("qcow2"), |path| {
        images.iter().find(|i| i.path == path)
    });
    assert_eq!(found.end, End::Loop(top.clone()));
    let args = ["info", "--backing-chain", &top];
    assert!(command::output("qemu-img", &args, DEADLINE).is_err());
}

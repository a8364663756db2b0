//! What reading a snapshot file says of files that are older, newer or broken.

use facts::snapshot::SnapshotError;
use facts::{Snapshot, Source};

#[test]
fn a_section_that_is_left_out_counts_as_not_read() {
    let text = r#"{"schema": "nofail.snapshot/1", "host": "kvm-01", "fstab": [],
        "a-later-section": {"deep": [1, {"x": null}]}}"#;
    let snapshot = Snapshot::from_json(text).unwrap();
    assert_eq!(snapshot.host, "kvm-01");
    assert_eq!(snapshot.why_unread(Source::Fstab), None);
    assert_eq!(
        snapshot.why_unread(Source::Guests),
        Some("the snapshot has no such section")
    );
}

#[test]
fn another_schema_is_said_before_what_it_changed() {
    for text in [
        r#"{"schema": "nofail.snapshot/2", "host": "kvm-01"}"#,
        r#"{"fstab": {"another": "shape"}, "schema": "nofail.snapshot/2"}"#,
    ] {
        let error = Snapshot::from_json(text).unwrap_err();
        assert!(
            matches!(&error, SnapshotError::Schema { found } if found == "nofail.snapshot/2"),
            "{error}"
        );
    }
    let none = Snapshot::from_json(r#"{"host": "kvm-01"}"#).unwrap_err();
    assert!(matches!(&none, SnapshotError::Schema { found } if found.is_empty()));
}

#[test]
fn what_is_wrong_has_a_place() {
    for (text, place) in [
        ("[]", "a JSON object at line 1"),
        (
            "{\"schema\": \"nofail.snapshot/1\",\n\"fstab\": [}",
            "line 2 column 11",
        ),
        (
            "{\"schema\": \"nofail.snapshot/1\",\n\"guests\": [{\"name\": 7}]}",
            "expected a string at line 2 column 21",
        ),
        (
            "{\"schema\": \"nofail.snapshot/1\"}\nx",
            "trailing characters at line 2",
        ),
    ] {
        let error = Snapshot::from_json(text).unwrap_err().to_string();
        assert!(error.contains(place), "{text}: {error}");
    }
}

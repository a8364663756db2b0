//! The list of rules against the folders.

use rules::registry::ALL;

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a test that compares the source tree with the list"
)]
fn the_list_holds_every_rule_file_and_each_has_its_cases() {
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let scenarios =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/scenarios");
    let mut files = Vec::new();
    for area in std::fs::read_dir(&source).unwrap().map(Result::unwrap) {
        if !area.path().is_dir() {
            continue;
        }
        for file in std::fs::read_dir(area.path()).unwrap().map(Result::unwrap) {
            let name = file.file_name().into_string().unwrap();
            let Some(slug) = name.strip_suffix(".rs").filter(|s| *s != "mod") else {
                continue;
            };
            let text = std::fs::read_to_string(file.path()).unwrap();
            if text.contains("pub const RULE: Rule") {
                let area = area.file_name().into_string().unwrap();
                files.push(format!("{area}/{}", slug.replace('_', "-")));
            }
        }
    }
    files.sort();
    let listed: Vec<&str> = ALL.iter().map(|r| r.id).collect();
    assert_eq!(files, listed, "rule files and the list differ");
    for rule in ALL {
        let cases = scenarios.join(format!("{}.md", rule.id));
        assert!(
            cases.is_file(),
            "{} has no cases: {}",
            rule.id,
            cases.display()
        );
    }
}

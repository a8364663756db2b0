//! The MEF reader: forms, scopes, errors with their places.

use proptest::prelude::*;

use super::*;
use crate::cutsets::{Options, solve};

fn one(text: &str) -> Result<Model, MefError> {
    parse(&[("t.xml".to_owned(), text.to_owned())])
}

/// The minimal cut sets by name, in the order of the events' definition.
fn sets(text: &str) -> Vec<Vec<String>> {
    let model = one(text).unwrap();
    let top = model.top(None).unwrap();
    let solution = solve(&model.tree, top, &Options::default()).unwrap();
    let name = |event| model.event_name(event).to_owned();
    let mut sets: Vec<Vec<String>> = solution
        .sets()
        .map(|set| set.into_iter().map(name).collect())
        .collect();
    sets.sort();
    sets
}

/// A tree of one gate over four events `a` to `d`.
fn tree(formula: &str) -> String {
    format!(
        "<opsa-mef><define-fault-tree name='t'><define-gate name='top'>{formula}</define-gate>\
         </define-fault-tree><model-data><define-basic-event name='a'/>\
         <define-basic-event name='b'/><define-basic-event name='c'/>\
         <define-basic-event name='d'/></model-data></opsa-mef>"
    )
}

fn message(text: &str) -> String {
    one(text).unwrap_err().to_string()
}

#[test]
fn every_operator_has_its_meaning() {
    let (a, b, c) = (
        "<event name='a'/>",
        "<basic-event name='b'/>",
        "<event name='c'/>",
    );
    let cases = [
        (format!("<and>{a}{b}</and>"), vec!["a b"]),
        (format!("<or>{a}{b}</or>"), vec!["a", "b"]),
        (
            format!("<atleast min='2'>{a}{b}{c}</atleast>"),
            vec!["a b", "a c", "b c"],
        ),
        (format!("<not><nand>{a}{b}</nand></not>"), vec!["a b"]),
        (format!("<not><nor>{a}{b}</nor></not>"), vec!["a", "b"]),
        (
            format!("<or><xor>{a}{b}</xor><and>{a}{b}</and></or>"),
            vec!["a", "b"],
        ),
        (format!("<and><iff>{a}{b}</iff>{a}</and>"), vec!["a b"]),
        (format!("<imply><not>{a}</not>{b}</imply>"), vec!["a", "b"]),
        (
            format!("<cardinality min='2' max='3'>{a}{b}{c}</cardinality>"),
            vec!["a b", "a c", "b c"],
        ),
        (format!("<and>{a}<constant value='true'/></and>"), vec!["a"]),
        (
            format!("<or>{a}<and>{b}<constant value='false'/></and></or>"),
            vec!["a"],
        ),
        (a.to_owned(), vec!["a"]),
    ];
    for (formula, expected) in cases {
        let found: Vec<String> = sets(&tree(&formula))
            .iter()
            .map(|set| set.join(" "))
            .collect();
        assert_eq!(found, expected, "{formula}");
    }
}

#[test]
fn a_function_that_is_not_monotone_is_refused() {
    let model = one(&tree("<xor><event name='a'/><event name='b'/></xor>")).unwrap();
    let top = model.top(None).unwrap();
    let error = solve(&model.tree, top, &Options::default())
        .unwrap_err()
        .to_string();
    assert!(error.contains("not coherent"), "{error}");
}

#[test]
fn definitions_may_come_from_several_files_in_any_order() {
    let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let files = [
        file(
            "gates.xml",
            "<opsa-mef name='m'><define-fault-tree name='t'><define-gate name='top'>\
             <and><event name='a'/><gate name='g'/></and></define-gate></define-fault-tree>\
             </opsa-mef>",
        ),
        file(
            "rest.xml",
            "<opsa-mef><define-fault-tree name='u'><define-gate name='g'>\
             <or><event name='h' type='house-event'/><event name='b'/></or></define-gate>\
             <define-house-event name='h'><constant value='false'/></define-house-event>\
             </define-fault-tree><model-data><define-basic-event name='a'>\
             <float value='0.5'/></define-basic-event><define-basic-event name='b'/>\
             </model-data></opsa-mef>",
        ),
    ];
    let model = parse(&files).unwrap();
    assert_eq!(model.name.as_deref(), Some("m"));
    let top = model.top(None).unwrap();
    assert_eq!(model.gate_name(top), "top");
    let solution = solve(&model.tree, top, &Options::default()).unwrap();
    assert_eq!(solution.count(), 1u8.into());
    assert_eq!(model.probabilities(DEFAULT_MISSION_TIME), [Some(0.5), None]);
}

#[test]
fn private_names_belong_to_their_component() {
    let text = "<opsa-mef><define-fault-tree name='t'>
        <define-gate name='top'><and><gate name='left.g'/><gate name='t.right.g'/></and>
        </define-gate>
        <define-component name='left' role='private'>
          <define-gate name='g'><or><event name='x'/><event name='shared'/></or></define-gate>
          <define-basic-event name='x'/>
        </define-component>
        <define-component name='right' role='private'>
          <define-gate name='g'><or><event name='x'/><event name='shared'/></or></define-gate>
          <define-basic-event name='x'/>
        </define-component>
        <define-basic-event name='shared'/>
      </define-fault-tree></opsa-mef>";
    assert_eq!(sets(text), [vec!["shared"], vec!["t.left.x", "t.right.x"]]);
    let model = one(text).unwrap();
    assert!(model.top(Some("t.left.g")).is_ok());
    assert!(model.top(Some("nonsense")).is_err());
}

#[test]
fn several_roots_must_be_chosen_from() {
    let text = "<opsa-mef><define-fault-tree name='t'><define-basic-event name='a'/>
      <define-gate name='one'><event name='a'/></define-gate>
      <define-gate name='two'><event name='a'/></define-gate></define-fault-tree></opsa-mef>";
    let model = one(text).unwrap();
    let error = model.top(None).unwrap_err().to_string();
    assert!(error.contains("one, two; choose one with --top"), "{error}");
    assert_eq!(model.gate_name(model.top(Some("two")).unwrap()), "two");
}

#[test]
fn errors_say_where_and_what() {
    let cases = [
        ("<opsa-mef>\n  <a></b>", "t.xml:2:6: not well-formed XML"),
        ("<html/>", "t.xml:1:1: expected <opsa-mef>, found <html>"),
        (
            "<opsa-mef>\n <define-fault-tree/></opsa-mef>",
            "t.xml:2:2: <define-fault-tree> needs",
        ),
        (
            &tree("<and/>"),
            "<and> needs at least 1 argument(s), found 0",
        ),
        (
            &tree("<not><event name='a'/><event name='b'/></not>"),
            "<not> takes 1 argument(s)",
        ),
        (
            &tree("<xor><event name='a'/></xor>"),
            "<xor> needs at least 2",
        ),
        (
            &tree("<atleast><event name='a'/></atleast>"),
            "needs the attribute \"min\"",
        ),
        (
            &tree("<atleast min='x'><event name='a'/></atleast>"),
            "is not a whole number",
        ),
        (
            &tree("<atleast min='2'><event name='a'/></atleast>"),
            "has only 1 argument(s)",
        ),
        (
            &tree("<magic><event name='a'/></magic>"),
            "unknown operator <magic>",
        ),
        (&tree("<event name='zzz'/>"), "event \"zzz\" is not defined"),
        (
            &tree("<gate name='a'/>"),
            "\"a\" is not a gate: see its definition at t.xml:1:",
        ),
        (
            &tree("<gate name='top'/>"),
            "the gates form a circle: top -> top",
        ),
        (
            &tree("<event name='a'/><event name='b'/>"),
            "takes only one child",
        ),
        (&tree("<event name='a' type='x'/>"), "unknown type \"x\""),
        (&tree("<constant value='maybe'/>"), "neither true nor false"),
        (
            "<opsa-mef><model-data><define-basic-event name='a'/>\n\
             <define-basic-event name='a'/></model-data></opsa-mef>",
            "t.xml:2:1: event \"a\" is already defined at t.xml:1:23",
        ),
        (
            "<opsa-mef><model-data><define-basic-event name='a'><parameter name='p'/>\
             </define-basic-event></model-data></opsa-mef>",
            "parameter \"p\" is not defined",
        ),
    ];
    for (text, expected) in cases {
        let found = message(text);
        assert!(found.contains(expected), "{found}\nshould hold\n{expected}");
    }
}

#[test]
fn a_circle_through_several_gates_is_named() {
    let text = "<opsa-mef><define-fault-tree name='t'>
<define-gate name='top'><or><gate name='x'/></or></define-gate>
<define-gate name='x'><and><or><gate name='y'/></or></and></define-gate>
<define-gate name='y'><and><gate name='x'/></and></define-gate>
</define-fault-tree></opsa-mef>";
    assert_eq!(
        message(text),
        "t.xml:3:1: the gates form a circle: x -> y -> x"
    );
}

#[test]
fn probabilities_are_evaluated() {
    let event = |expression: &str| {
        let text = format!(
            "<opsa-mef><define-fault-tree name='t'><define-gate name='top'><event name='a'/>\
             </define-gate></define-fault-tree><model-data>\
             <define-basic-event name='a'><label>x</label>{expression}</define-basic-event>\
             <define-parameter name='p'><float value='0.25'/></define-parameter>\
             <define-parameter name='q'><parameter name='q'/></define-parameter>\
             </model-data></opsa-mef>"
        );
        one(&text).unwrap().probabilities(100.0)[0]
    };
    let (p, n) = ("<parameter name='p'/>", "<int value='2'/>");
    assert_eq!(event("<float value='1e-3'/>"), Some(1e-3));
    assert_eq!(event(p), Some(0.25));
    assert_eq!(event("<parameter name='q'/>"), None);
    assert_eq!(event("<mystery/>"), None);
    assert_eq!(event(n), None);
    assert_eq!(event(&format!("<mul>{p}{p}{n}</mul>")), Some(0.125));
    assert_eq!(event(&format!("<div>{p}{n}</div>")), Some(0.125));
    assert_eq!(
        event(&format!("<sub><add>{p}{p}{p}</add>{p}</sub>")),
        Some(0.5)
    );
    assert_eq!(event(&format!("<pow>{p}{n}</pow>")), Some(0.0625));
    let exponential =
        event("<exponential><float value='0.01'/><system-mission-time/></exponential>").unwrap();
    assert!((exponential - (1.0 - (-1.0f64).exp())).abs() < 1e-15);
    let glm = "<GLM><float value='0.5'/><float value='0.01'/><float value='0.03'/>\
               <system-mission-time/></GLM>";
    // 0.25 in the long run, 0.5 at the start: 0.25 + 0.25 * exp(-0.04 * 100).
    assert!((event(glm).unwrap() - (0.25 + 0.25 * (-4.0f64).exp())).abs() < 1e-15);
    let number = |value: f64| format!("<float value='{value}'/>");
    let call = |tag: &str, args: &[f64]| {
        let args: String = args.iter().map(|&v| number(v)).collect();
        event(&format!("<{tag}>{args}</{tag}>")).unwrap()
    };
    let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12, "{found}");
    near(call("lognormal-deviate", &[0.1, 3.0, 0.95]), 0.1);
    near(call("lognormal-deviate", &[-2.0, 1.0]), (-1.5f64).exp());
    near(call("gamma-deviate", &[2.0, 0.1]), 0.2);
    near(call("beta-deviate", &[1.0, 3.0]), 0.25);
    near(
        call("Weibull", &[50.0, 2.0, 10.0, 60.0]),
        1.0 - (-1.0f64).exp(),
    );
    near(call("uniform-deviate", &[0.1, 0.3]), 0.2);
    near(call("ite", &[0.0, 0.1, 0.2]), 0.2);
    // Tested every 30 hours from hour 10 on: at 100 just before a test, at 105 five hours after one.
    let tested = |time| call("periodic-test", &[0.01, 30.0, 10.0, time]);
    near(tested(5.0), 1.0 - (-0.05f64).exp());
    near(tested(100.0), 1.0 - (-0.3f64).exp());
    near(tested(105.0), 1.0 - (-0.05f64).exp());
}

/// Each parameter refers twice to the one before: 2 to the 200th terms, were they written out.
#[test]
fn parameters_that_share_are_evaluated_once() {
    let mut chain =
        "<define-parameter name='p0'><float value='1e-70'/></define-parameter>".to_owned();
    for i in 1..200 {
        let before = format!("<parameter name='p{}'/>", i - 1);
        chain += &format!(
            "<define-parameter name='p{i}'><add>{before}{before}</add></define-parameter>"
        );
    }
    let text = format!(
        "<opsa-mef><define-fault-tree name='t'><define-gate name='g'><event name='a'/>\
         </define-gate></define-fault-tree><model-data><define-basic-event name='a'>\
         <parameter name='p199'/></define-basic-event>{chain}</model-data></opsa-mef>"
    );
    let found = one(&text).unwrap().probabilities(1.0)[0].unwrap();
    assert!(
        (found / (1e-70 * 2f64.powi(199)) - 1.0).abs() < 1e-9,
        "{found}"
    );
}

#[test]
fn names_may_hold_dots() {
    let text = "<opsa-mef>\
         <define-fault-tree name='plant.1'><define-gate name='top.a'><and>\
         <gate name='P-1.A'/><basic-event name='x.y'/></and></define-gate></define-fault-tree>\
         <define-fault-tree name='t'><define-gate name='P-1.A'><or><event name='x.z'/>\
         <event name='x.y'/></or></define-gate></define-fault-tree>\
         <model-data><define-basic-event name='x.y'/><define-basic-event name='x.z'/></model-data>\
         </opsa-mef>";
    assert_eq!(sets(text), [vec!["x.y"]]);
    // A name that is the path of another is refused, with both places.
    let twice = "<opsa-mef><define-fault-tree name='t'><define-gate name='a'><event name='t.a'/>\
         </define-gate></define-fault-tree><model-data><define-basic-event name='t.a'/>\
         </model-data></opsa-mef>";
    let error = one(twice).unwrap_err().to_string();
    assert!(error.contains("already defined"), "{error}");
}

#[test]
fn twenty_thousand_nested_formulas_need_no_deep_stack() {
    let deep = 20_000;
    let open: String = (0..deep)
        .map(|i| if i % 2 == 0 { "<or>" } else { "<and>" })
        .collect();
    let close: String = (0..deep)
        .rev()
        .map(|i| if i % 2 == 0 { "</or>" } else { "</and>" })
        .collect();
    let text = tree(&format!("{open}<event name='a'/>{close}"));
    assert_eq!(sets(&text), [vec!["a"]]);
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*") {
        let _ = one(&text);
    }

    /// A good file with a piece cut out or doubled: an error or a model, never a panic.
    #[test]
    fn no_damaged_file_panics(from in 0usize..600, length in 0usize..80, twice: bool) {
        let good = tree(
            "<or><atleast min='2'><event name='a'/><event name='b'/><event name='c'/></atleast>\
             <and><not><constant value='false'/></not><event name='d'/></and></or>",
        );
        let (from, to) = (from.min(good.len()), (from + length).min(good.len()));
        let piece = if twice { good[from..to].repeat(2) } else { String::new() };
        let text = format!("{}{piece}{}", &good[..from], &good[to..]);
        if let Ok(model) = one(&text)
            && let Ok(top) = model.top(None)
        {
            let _ = solve(&model.tree, top, &Options::default());
        }
    }
}

//! All that is wrong with a description, also when one value has the wrong type.

use packaging::Error;
use packaging::manifest::Draft;
use proptest::prelude::*;

use super::{changed, line_of};
use crate::support::{SAMPLE, sources};

/// What is said of a description, line by line; nothing if it is accepted.
fn said(toml: &str) -> Vec<String> {
    let read = Draft::parse(toml).and_then(|draft| draft.finish_with(Some("1.2.0"), &sources()));
    match read {
        Ok(_) => Vec::new(),
        Err(error @ Error::Manifest(_)) => error.to_string().lines().map(str::to_owned).collect(),
        Err(other) => panic!("{other:?}"),
    }
}

/// The sample with these replacements.
fn with(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(SAMPLE.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from:?} is not in the sample");
        text.replacen(from, to, 1)
    })
}

#[test]
fn a_value_of_the_wrong_type_does_not_hide_the_other_faults() {
    let toml = with(&[
        (
            "live-install-allowed = true",
            "live-install-allowed = \"yes\"",
        ),
        ("vendor-code = \"acm\"", "vendor-code = \"acme\""),
        ("mode = \"0755\"", "mode = 755"),
        ("\"opt/hello/bin/hello\"", "\"bin/hello\""),
        ("source = \"hello.init\"", "source = \"ghost\""),
        ("[bulletin]\n", "[bulletin]\ncolour = \"red\"\n"),
    ]);
    let line = |part| line_of(&toml, part);
    assert_eq!(
        said(&toml)
            .iter()
            .map(|text| text.split_once(';').map_or(text.as_str(), |(head, _)| head))
            .collect::<Vec<_>>(),
        [
            format!(
                "line {}, key live-install-allowed: invalid type: string \"yes\", expected a boolean",
                line("live-install-allowed")
            ),
            format!(
                "line {}, key colour: unknown field `colour`, expected `kb-url` or `contact`",
                line("colour")
            ),
            format!(
                "line {}, key mode: invalid type: integer `755`, expected four octal digits in \
                 quotes from \"0000\" to \"0777\"",
                line("mode = 755")
            ),
            "vendor-code \"acme\": is not made of exactly three ASCII letters or digits".to_owned(),
            "contents row 2 \"etc/init.d/hello\": has the source \"ghost\", which does not exist"
                .to_owned(),
        ]
    );
}

#[test]
fn what_stands_in_for_a_value_is_never_mentioned() {
    for (from, to) in [
        ("name = \"hello\"\n", "name = 5\n"),
        ("payloads = [{ name = \"hello\" }]", "payloads = \"hello\""),
        ("payloads = [{ name = \"hello\" }]", "payloads = [5]"),
        ("summary = ", "# "),
        ("platforms = [\"6.*\"", "platforms = [5"),
        ("mode = \"0700\"\n", ""),
        ("source = \"hello.init\"", "source = 5"),
        ("destination = \"etc/init.d/hello\"", "destination = 5"),
        ("relation = \">=\"", "relation = \"=>\""),
        ("2026-01-15T12:30:45Z", "2026-01-15T12:30:45"),
        ("[component]", "[components]"),
    ] {
        let found = said(&with(&[(from, to)]));
        let most = if from == "[component]" { 2 } else { 1 };
        assert_eq!(found.len(), most, "{to}: {found:#?}");
        assert!(!found.concat().contains("stand-in"), "{found:#?}");
    }
}

#[test]
fn several_rows_and_several_missing_keys_are_all_told() {
    let toml = changed("mode = \"0755\"\n", "mode = 5\n").replace("mode = \"0700\"\n", "");
    let found = said(&toml.replace("summary = ", "# "));
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found[0].ends_with("missing field `summary`"), "{found:#?}");
    // Tables that only dotted keys bring into being.
    let dotted = said(&SAMPLE.replace("[component]", "[x]\ncomponent.name = 5\n[y]"));
    assert!(dotted.len() > 2, "{dotted:#?}");
    let each: std::collections::BTreeSet<_> = dotted.iter().collect();
    assert_eq!(each.len(), dotted.len(), "{dotted:#?}");
    let empty = said("");
    assert!(empty.len() > 8, "{empty:#?}");
    assert!(empty.iter().all(|text| text.contains("missing field")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is put in place of any line, faults come to an end, and a description is either
    /// taken or refused with words.
    #[test]
    fn any_line_may_be_wrong(
        lines in prop::collection::vec((0..66_usize, prop::sample::select(vec![
            "", "x = 5", "mode = []", "[contents]", "[[payloads]]", "name = { a = 1 }", "}", "name = 'y'",
            "[component]", "kb-url = 2026-01-15", "platforms = [[], {}]",
        ])), 1..5)
    ) {
        let mut text: Vec<_> = SAMPLE.lines().collect();
        for (number, line) in lines {
            let number = number % text.len();
            text[number] = line;
        }
        let found = said(&text.join("\n"));
        prop_assert!(found.iter().all(|one| !one.is_empty()));
        prop_assert!(!found.concat().contains("stand-in"));
    }
}

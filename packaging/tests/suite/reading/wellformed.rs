//! XML that the parsers of hosts refuse is refused here, too: judged by Python's.

use packaging::inspect::ReadError;
use proptest::prelude::*;

use super::fixture::{DESCRIPTOR, ar, read, refusal};
use crate::support::{on_disk, tool};

/// What may come into a descriptor by accident or on purpose.
const FRAGMENTS: [&str; 42] = [
    "\0",
    "\u{1}",
    "\u{7f}",
    "\u{85}",
    "\u{fffe}",
    "\u{feff}",
    "é",
    "\t",
    "\n",
    "&",
    "<",
    ">",
    "\"",
    "'",
    "/",
    "=",
    "!",
    "]]>",
    "&amp;",
    "&foo;",
    "&#0;",
    "&#1;",
    "&#x1f;",
    "&#xFFFE;",
    "&#xD800;",
    "&#x110000;",
    "&#65;",
    "<x/>",
    "<x>",
    "</x>",
    "</vib>",
    "<vib/>",
    "<1a/>",
    "<a:b/>",
    "<a b=\"<\"/>",
    "<a b=1/>",
    "<a b=\"1\" b=\"2\"/>",
    " a=\"1\"",
    "<!-- a -- b -->",
    "<!-- a -->",
    "<![CDATA[x]]>",
    "<?xml version=\"1.0\"?>",
];

/// Descriptors with one fragment somewhere, and what their bytes are behind that.
fn damaged() -> impl Strategy<Value = String> {
    (
        0..DESCRIPTOR.len(),
        prop::sample::select(FRAGMENTS.to_vec()),
        0..3_usize,
    )
        .prop_map(|(place, fragment, lost)| {
            let (before, after) = DESCRIPTOR.split_at(place);
            format!(
                "{before}{fragment}{}",
                after.get(lost..).unwrap_or_default()
            )
        })
}

/// Whether each is well-formed.
fn judged(texts: &[String]) -> Vec<bool> {
    const SCRIPT: &str = "import json, sys, xml.parsers.expat as expat
def good(text):
    try: expat.ParserCreate().Parse(text.encode(), True)
    except expat.ExpatError: return False
    return True
print(json.dumps([good(text) for text in json.load(open('texts'))]))";
    let (folder, _) = on_disk("texts", &serde_json::to_vec(texts).unwrap());
    let printed = tool("python3", &["-c", SCRIPT], folder.path());
    serde_json::from_slice(&printed).unwrap()
}

/// Whether it is refused for its XML; that its payload is missing comes later.
fn is_refused(text: &str) -> bool {
    let file = ar(&[("descriptor.xml", text.as_bytes()), ("sig.pkcs7", b"")]);
    let Err(mut error) = read(&file) else {
        return false;
    };
    while let ReadError::Within { error: inner, .. } = error {
        error = *inner;
    }
    matches!(error, ReadError::Xml { .. })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    #[test]
    fn what_another_parser_refuses_is_refused(
        texts in prop::collection::vec(damaged(), 500)
    ) {
        for (text, good) in texts.iter().zip(judged(&texts)) {
            prop_assert!(good || is_refused(text), "{text}");
        }
    }
}

#[test]
fn each_kind_of_damage_is_named_with_its_place() {
    for (text, wanted) in [
        (
            "<vib><name>a\0</name></vib>",
            "at byte 12: there is the character '\\0', which XML does not have",
        ),
        (
            "<vib><name>&#1;</name></vib>",
            "element \"name\" at byte 15: it holds the character '\\u{1}', which XML does not have",
        ),
        (
            "<vib><url key=\"&#1;\"/></vib>",
            "element \"vib\" at byte 22: its attribute \"key\" holds the character",
        ),
        (
            "<vib><url key=\"<\"/></vib>",
            "the value of its attribute \"key\" holds a \"<\"",
        ),
        (
            "<vib><url k&y=\"a\"/></vib>",
            "its attribute \"k&y\" has a name that XML does not allow",
        ),
        (
            "<vib a=\"1\"b=\"2\"></vib>",
            "there is no blank between two of its attributes",
        ),
        ("\u{85}<vib/>", "there is text outside the root"),
        (
            "<vib><1/></vib>",
            "it holds \"1\", which XML does not allow as a name",
        ),
        ("<vib>]]></vib>", "its text holds \"]]>\""),
        (
            "<vib><?xml version=\"1.0\"?></vib>",
            "it has a declaration, which belongs to the beginning",
        ),
        ("<vib><!-- a -- b --></vib>", "element \"vib\" at byte"),
    ] {
        let file = ar(&[("descriptor.xml", text.as_bytes()), ("sig.pkcs7", b"")]);
        let refused = refusal(&file);
        assert!(refused.contains(wanted), "{refused}");
    }
}

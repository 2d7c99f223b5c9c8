//! Elements that hosts know by another spelling, and so do not read (FORMAT.md D3, D8).

use serde::Serialize;

use super::xml::Node;

/// Elements of the root.
const OF_ROOT: [&str; 24] = [
    "type",
    "name",
    "version",
    "vendor",
    "summary",
    "description",
    "release-date",
    "urls",
    "relationships",
    "software-tags",
    "relative-path",
    "packed-size",
    "checksum",
    "installdate",
    "system-requires",
    "file-list",
    "acceptance-level",
    "live-install-allowed",
    "live-remove-allowed",
    "cimom-restart",
    "stateless-ready",
    "overlay",
    "payloads",
    "payload",
];
/// Elements of `system-requires`.
const OF_REQUIRES: [&str; 3] = ["maintenance-mode", "hwplatform", "softwarePlatform"];
/// Elements of `relationships`.
const OF_RELATIONSHIPS: [&str; 5] = [
    "depends",
    "conflicts",
    "replaces",
    "provides",
    "compatibleWith",
];
/// Most that are kept.
const MOST: usize = 16;

/// An element in a spelling that hosts do not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Misspelt {
    /// The element that it stands in; absent for the root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<&'static str>,
    /// As it is written.
    pub name: String,
    /// As hosts know it.
    pub meant: &'static str,
}

impl Misspelt {
    /// Those of a descriptor.
    pub(super) fn find(root: &Node) -> Vec<Self> {
        let mut found = Vec::new();
        look(None, root, &OF_ROOT, &mut found);
        for (name, known) in [
            ("system-requires", &OF_REQUIRES[..]),
            ("relationships", &OF_RELATIONSHIPS),
        ] {
            if let Some(node) = root.child(name) {
                look(Some(name), node, known, &mut found);
            }
        }
        found.truncate(MOST);
        found
    }
}

fn look(
    within: Option<&'static str>,
    node: &Node,
    known: &[&'static str],
    found: &mut Vec<Misspelt>,
) {
    let misspelt = node.children.iter().filter_map(|child| {
        let name = child.name.as_str();
        let meant = known.iter().find(|meant| is_alike(name, meant))?;
        (!known.contains(&name)).then(|| Misspelt {
            within,
            name: name.to_owned(),
            meant,
        })
    });
    found.extend(misspelt.take(MOST));
}

/// Whether both have the same letters, whatever their case and what stands between words.
fn is_alike(one: &str, two: &str) -> bool {
    let letters = |text: &str| {
        let letters: Vec<_> = text
            .bytes()
            .filter(u8::is_ascii_alphanumeric)
            .map(|byte| byte.to_ascii_lowercase())
            .collect();
        letters
    };
    letters(one) == letters(two)
}

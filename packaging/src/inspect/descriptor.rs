//! `descriptor.xml` of VIBs from 5.0 on, and its copy in a bundle's metadata (FORMAT.md D1 to D3).

use serde::Serialize;

use super::xml::{Document, Node};

/// What a VIB says about itself. Absent elements stay absent; nothing is filled in.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Descriptor {
    /// `VENDOR_TYPE_NAME_VERSION` (FORMAT.md I1).
    pub id: String,
    /// `version` of the root, which is `5.0` in every era.
    pub format_version: Option<String>,
    /// `bootbank`, `locker` or `meta`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Vendor.
    pub vendor: String,
    /// One line about it.
    pub summary: Option<String>,
    /// More about it.
    pub description: Option<String>,
    /// When it was released, as written.
    pub release_date: Option<String>,
    /// Addresses.
    pub urls: Vec<Url>,
    /// Relations to other packages.
    pub relationships: Relationships,
    /// `software-tags`.
    pub software_tags: Vec<String>,
    /// Whether maintenance mode is needed to install.
    pub maintenance_mode_install: Option<String>,
    /// Whether maintenance mode is needed to remove.
    pub maintenance_mode_remove: Option<String>,
    /// Hardware that it is for, as `VENDOR` or `VENDOR MODEL`.
    pub hardware_platforms: Vec<String>,
    /// Releases of the host that it is for (from 7.0.3 on).
    pub software_platforms: Vec<String>,
    /// Paths of `file-list`.
    pub files: Vec<String>,
    /// `community`, `partner`, `accepted` or `certified`.
    pub acceptance_level: Option<String>,
    /// `live-install-allowed`, as written.
    pub live_install_allowed: Option<String>,
    /// `live-remove-allowed`, as written.
    pub live_remove_allowed: Option<String>,
    /// `cimom-restart`, as written.
    pub cimom_restart: Option<String>,
    /// `stateless-ready`, as written.
    pub stateless_ready: Option<String>,
    /// `overlay`, as written.
    pub overlay: Option<String>,
    /// Whether an XML declaration names an encoding (FORMAT.md D1).
    pub names_encoding: bool,
    #[serde(skip)]
    pub(crate) payloads: Vec<DeclaredPayload>,
}

/// An address with its key.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Url {
    /// Key, such as `kb`.
    pub key: String,
    /// The address.
    pub url: String,
}

/// The five lists of relations, as one phrase each, such as `esx-version >= 5.5.0`.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Relationships {
    /// Needed.
    pub depends: Vec<String>,
    /// Excluded.
    pub conflicts: Vec<String>,
    /// Removed by installing this.
    pub replaces: Vec<String>,
    /// Names that others may depend on.
    pub provides: Vec<String>,
    /// Known to work together.
    pub compatible_with: Vec<String>,
}

/// A payload as the descriptor has it; checksums as type, process and value.
#[derive(Debug, Clone)]
pub(crate) struct DeclaredPayload {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) size: Option<u64>,
    pub(crate) checksums: Vec<(String, Option<String>, String)>,
}

impl Descriptor {
    pub(super) fn new(document: &Document) -> Self {
        let Document {
            root,
            names_encoding,
        } = document;
        let text = |name: &str| root.string(name).unwrap_or_default();
        let relations = root.child("relationships");
        let relation = |name: &str| {
            let list = relations.map_or(&[][..], |node| node.list(name));
            list.iter().map(phrase).collect()
        };
        let system = root.child("system-requires");
        let mode = system.and_then(|node| node.child("maintenance-mode"));
        let mode = |attribute: &str| {
            let node = mode?;
            let text = Some(node.text()).filter(|text| !text.is_empty());
            node.attribute(attribute).or(text).map(str::to_owned)
        };
        let platforms = |name: &str, attributes: &[&str]| {
            let children = system.map_or(&[][..], |node| &node.children);
            let named = children.iter().filter(|child| child.name == name);
            named.map(|child| words(child, attributes)).collect()
        };
        let (kind, name, version, vendor) =
            (text("type"), text("name"), text("version"), text("vendor"));
        Self {
            id: format!("{vendor}_{kind}_{name}_{version}"),
            format_version: root.attribute("version").map(str::to_owned),
            summary: root.string("summary"),
            description: root.string("description"),
            release_date: root.string("release-date"),
            urls: root
                .list("urls")
                .iter()
                .map(|url| Url {
                    key: url.attribute("key").unwrap_or_default().to_owned(),
                    url: url.text().to_owned(),
                })
                .collect(),
            relationships: Relationships {
                depends: relation("depends"),
                conflicts: relation("conflicts"),
                replaces: relation("replaces"),
                provides: relation("provides"),
                compatible_with: relation("compatibleWith"),
            },
            software_tags: texts(root.list("software-tags")),
            maintenance_mode_install: mode("on-install"),
            maintenance_mode_remove: mode("on-remove"),
            hardware_platforms: platforms("hwplatform", &["vendor", "model"]),
            software_platforms: platforms("softwarePlatform", &["productLineID", "version"]),
            files: texts(root.list("file-list")),
            acceptance_level: root.string("acceptance-level"),
            live_install_allowed: root.string("live-install-allowed"),
            live_remove_allowed: root.string("live-remove-allowed"),
            cimom_restart: root.string("cimom-restart"),
            stateless_ready: root.string("stateless-ready"),
            overlay: root.string("overlay"),
            payloads: root.list("payloads").iter().map(payload).collect(),
            kind,
            name,
            version,
            vendor,
            names_encoding: *names_encoding,
        }
    }
}

fn payload(node: &Node) -> DeclaredPayload {
    let attribute = |name: &str| node.attribute(name).unwrap_or_default().to_owned();
    DeclaredPayload {
        name: attribute("name"),
        kind: attribute("type"),
        size: node.attribute("size").and_then(|size| size.parse().ok()),
        checksums: checksums(node),
    }
}

/// The `checksum` children of an element.
pub(super) fn checksums(node: &Node) -> Vec<(String, Option<String>, String)> {
    let named = node
        .children
        .iter()
        .filter(|child| child.name == "checksum");
    named
        .map(|sum| {
            (
                sum.attribute("checksum-type")
                    .unwrap_or_default()
                    .to_owned(),
                sum.attribute("verify-process").map(str::to_owned),
                sum.text().to_ascii_lowercase(),
            )
        })
        .collect()
}

fn texts(nodes: &[Node]) -> Vec<String> {
    nodes.iter().map(|node| node.text().to_owned()).collect()
}

fn phrase(constraint: &Node) -> String {
    words(constraint, &["name", "relation", "version"])
}

fn words(node: &Node, attributes: &[&str]) -> String {
    let words: Vec<_> = attributes
        .iter()
        .filter_map(|name| node.attribute(name))
        .collect();
    words.join(" ")
}

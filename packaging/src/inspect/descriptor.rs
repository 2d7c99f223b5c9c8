//! `descriptor.xml` of VIBs from 5.0 on, and its copy in a bundle's metadata (FORMAT.md D1 to D3).

use std::collections::BTreeSet;
use std::fmt;

use serde::{Serialize, Serializer};

use super::Misspelt;
use super::xml::{BeyondAscii, Document, Node};

/// Elements that no descriptor does without (FORMAT.md D3). Those that make up the id, and the
/// acceptance level, have rules of their own.
const MANDATORY: [&str; 8] = [
    "summary",
    "description",
    "release-date",
    "relationships",
    "file-list",
    "live-install-allowed",
    "live-remove-allowed",
    "payloads",
];

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
    /// What stands there beyond ASCII (FORMAT.md D11).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beyond_ascii: Option<BeyondAscii>,
    /// Elements that hosts ignore, because they know them by another spelling.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub misspelt: Vec<Misspelt>,
    /// Elements of the root that stand there more than once; only the first is taken.
    pub repeated: Vec<String>,
    /// Elements of the root that should be there and are not.
    pub absent: Vec<&'static str>,
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

/// The five lists of relations; in JSON one phrase each, such as `esx-version >= 5.5.0`.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Relationships {
    /// Needed.
    pub depends: Vec<Relation>,
    /// Excluded.
    pub conflicts: Vec<Relation>,
    /// Removed by installing this.
    pub replaces: Vec<Relation>,
    /// Names that others may depend on.
    pub provides: Vec<Relation>,
    /// Known to work together.
    pub compatible_with: Vec<Relation>,
}

impl Relationships {
    /// Each list with the name of its element.
    pub fn in_order(&self) -> [(&'static str, &[Relation]); 5] {
        [
            ("depends", &self.depends),
            ("conflicts", &self.conflicts),
            ("replaces", &self.replaces),
            ("provides", &self.provides),
            ("compatibleWith", &self.compatible_with),
        ]
    }
}

/// A relation to another package, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Relation {
    /// Name of a package, or one that a package provides.
    pub name: String,
    /// `<<`, `<=`, `=`, `>=` or `>>`.
    pub relation: Option<String>,
    /// Version that is compared with.
    pub version: Option<String>,
}

impl fmt::Display for Relation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.name)?;
        [&self.relation, &self.version]
            .into_iter()
            .flatten()
            .try_for_each(|word| write!(out, " {word}"))
    }
}

impl Serialize for Relation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A size as it is written in XML; in JSON a number, or the text if it is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredSize(String);

impl DeclaredSize {
    pub(super) fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// As written.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// In bytes, if it is a number.
    pub fn bytes(&self) -> Option<u64> {
        crate::rules::value::is_size(&self.0)
            .then(|| self.0.parse().ok())
            .flatten()
    }
}

impl Serialize for DeclaredSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.bytes() {
            Some(bytes) => serializer.serialize_u64(bytes),
            None => serializer.serialize_str(&self.0),
        }
    }
}

/// A payload as the descriptor has it.
#[derive(Debug, Clone)]
pub(crate) struct DeclaredPayload {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) size: Option<DeclaredSize>,
    pub(crate) uncompressed_size: Option<DeclaredSize>,
    pub(crate) vfat_name: Option<String>,
    pub(crate) checksums: Vec<DeclaredChecksum>,
}

/// A `checksum` element.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct DeclaredChecksum {
    /// `checksum-type`, for instance `sha-256`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `verify-process`; `gunzip` means that the unpacked bytes are hashed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    /// The digest as declared, in lower-case hexadecimal digits.
    pub value: String,
}

impl DeclaredChecksum {
    /// Type and process as one phrase, such as `sha-256 gunzip`.
    pub fn label(&self) -> String {
        match &self.process {
            Some(process) => format!("{} {process}", self.kind),
            None => self.kind.clone(),
        }
    }

    /// The `checksum` children of an element.
    pub(super) fn list(node: &Node) -> Vec<Self> {
        node.named("checksum")
            .map(|sum| Self {
                kind: sum
                    .attribute("checksum-type")
                    .unwrap_or_default()
                    .to_owned(),
                process: sum.attribute("verify-process").map(str::to_owned),
                value: sum.text().to_ascii_lowercase(),
            })
            .collect()
    }
}

impl Descriptor {
    pub(super) fn new(document: &Document) -> Self {
        let Document {
            root,
            beyond_ascii,
            names_encoding,
        } = document;
        let text = |name: &str| root.string(name).unwrap_or_default();
        let relations = root.child("relationships");
        let relation = |name: &str| {
            let list = relations.map_or(&[][..], |node| node.list(name));
            list.iter().map(relation_of).collect()
        };
        let system = root.child("system-requires");
        let mode = system.and_then(|node| node.child("maintenance-mode"));
        let mode = |attribute: &str| {
            let node = mode?;
            let text = Some(node.text()).filter(|text| !text.is_empty());
            node.attribute(attribute).or(text).map(str::to_owned)
        };
        let platforms = |name: &str, attributes: &[&str]| {
            let named = system.into_iter().flat_map(|node| node.named(name));
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
            beyond_ascii: beyond_ascii.clone(),
            misspelt: Misspelt::find(root),
            repeated: repeated(root),
            absent: MANDATORY
                .into_iter()
                .filter(|name| root.child(name).is_none())
                .collect(),
        }
    }
}

fn payload(node: &Node) -> DeclaredPayload {
    let attribute = |name: &str| node.attribute(name).unwrap_or_default().to_owned();
    DeclaredPayload {
        name: attribute("name"),
        kind: attribute("type"),
        size: node.attribute("size").map(DeclaredSize::new),
        uncompressed_size: node.attribute("uncompressed-size").map(DeclaredSize::new),
        vfat_name: node.attribute("vfat-name").map(str::to_owned),
        checksums: DeclaredChecksum::list(node),
    }
}

/// Names of elements that the root has twice, each once.
fn repeated(root: &Node) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let names = root.children.iter().map(|child| child.name.as_str());
    let twice: BTreeSet<_> = names.filter(|name| !seen.insert(*name)).collect();
    twice.into_iter().map(str::to_owned).collect()
}

fn texts(nodes: &[Node]) -> Vec<String> {
    nodes.iter().map(|node| node.text().to_owned()).collect()
}

fn relation_of(constraint: &Node) -> Relation {
    let attribute = |name: &str| constraint.attribute(name).map(str::to_owned);
    Relation {
        name: attribute("name").unwrap_or_default(),
        relation: attribute("relation"),
        version: attribute("version"),
    }
}

fn words(node: &Node, attributes: &[&str]) -> String {
    let words: Vec<_> = attributes
        .iter()
        .filter_map(|name| node.attribute(name))
        .collect();
    words.join(" ")
}

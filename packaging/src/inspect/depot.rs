//! The XML files of a bundle: the indexes that lead to its metadata, bulletins, and the records for
//! Update Manager (FORMAT.md B2, B3, B6, B7).

use serde::Serialize;

use super::descriptor::DeclaredSize;
use super::xml::Node;

/// A vendor of `index.xml`. Absent elements stay absent: hosts insist on some of them.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Vendor {
    /// Name.
    pub name: Option<String>,
    /// Code, usually three characters.
    pub code: Option<String>,
    /// File with its metadata.
    pub index_file: Option<String>,
    /// Folder of that file.
    pub relative_path: Option<String>,
    /// Its metadata, one for each release of the host.
    pub metadata: Vec<Metadata>,
}

impl Vendor {
    pub(super) fn read(root: &Node) -> Vec<Self> {
        root.named("vendor")
            .map(|vendor| Self {
                name: vendor.string("name"),
                code: vendor.string("code"),
                index_file: vendor.string("indexfile"),
                relative_path: vendor.string("relativePath"),
                metadata: Vec::new(),
            })
            .collect()
    }
}

/// A `metadata` element of a vendor's index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Metadata {
    /// Product line.
    pub product: Option<String>,
    /// Release of the host, such as `7.*`.
    pub version: Option<String>,
    /// Locale, usually empty.
    pub locale: Option<String>,
    /// The metadata zip, relative to the index.
    pub url: Option<String>,
}

impl Metadata {
    pub(super) fn read(root: &Node) -> Vec<Self> {
        let list = root.named("metadata");
        list.map(|node| Self {
            product: node.string("productId"),
            version: node.string("version"),
            locale: node.string("locale"),
            url: node.string("url"),
        })
        .collect()
    }
}

/// A bulletin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Bulletin {
    /// Id.
    pub id: String,
    /// Vendor.
    pub vendor: Option<String>,
    /// One line about it.
    pub summary: Option<String>,
    /// `general`, `security` or `critical`.
    pub severity: Option<String>,
    /// Category.
    pub category: Option<String>,
    /// Urgency.
    pub urgency: Option<String>,
    /// Description.
    pub description: Option<String>,
    /// Where to read about it.
    pub kb_url: Option<String>,
    /// Whom to ask.
    pub contact: Option<String>,
    /// The component that it is, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component: Option<Component>,
    /// Releases of the host that it is for.
    pub platforms: Vec<String>,
    /// Ids of its VIBs.
    pub vibs: Vec<String>,
}

/// Name and version of a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Component {
    /// Name.
    pub name: String,
    /// Name for people.
    pub ui_name: String,
    /// Version.
    pub version: String,
}

impl Bulletin {
    /// From a `bulletin` element, of its own file or of `vmware.xml`.
    pub(super) fn read(node: &Node) -> Self {
        let platforms = node.list("platforms").iter();
        let attribute =
            |node: &Node, name: &str| node.attribute(name).unwrap_or_default().to_owned();
        let name_spec = node.child("componentNameSpec");
        let version_spec = node.child("componentVersionSpec");
        Self {
            id: node.string("id").unwrap_or_default(),
            vendor: node.string("vendor"),
            summary: node.string("summary"),
            severity: node.string("severity"),
            category: node.string("category"),
            urgency: node.string("urgency"),
            description: node.string("description"),
            kb_url: node.string("kbUrl"),
            contact: node.string("contact"),
            component: name_spec
                .zip(version_spec)
                .map(|(name, version)| Component {
                    name: attribute(name, "name"),
                    ui_name: attribute(name, "uiString"),
                    version: attribute(version, "version"),
                }),
            platforms: platforms
                .map(|platform| attribute(platform, "version"))
                .collect(),
            vibs: node
                .list("vibList")
                .iter()
                .map(|vib| {
                    vib.text_of("vibID")
                        .unwrap_or_else(|| vib.text())
                        .to_owned()
                })
                .collect(),
        }
    }
}

/// What `vmware.xml` says about the file of a VIB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Record {
    /// Id of the VIB.
    pub id: String,
    /// Path of its file.
    pub relative_path: Option<String>,
    /// Size of its file in bytes.
    pub packed_size: Option<DeclaredSize>,
    /// SHA-256 of its file, in lower-case hexadecimal digits.
    pub sha256: Option<String>,
}

impl Record {
    /// The records of a `bulletin` element of `vmware.xml`.
    pub(super) fn read(bulletin: &Node) -> impl Iterator<Item = Self> {
        bulletin.list("vibList").iter().map(|vib| {
            let file = vib.child("vibFile");
            let file = |name: &str| file.and_then(|file| file.string(name));
            let sums = vib.child("vibFile").map_or(&[][..], |file| &file.children);
            let sha256 = sums
                .iter()
                .find(|sum| sum.text_of("checksumType") == Some("sha-256"));
            Self {
                id: vib.string("vibID").unwrap_or_default(),
                relative_path: file("relativePath"),
                packed_size: file("packedSize").map(|size| DeclaredSize::new(&size)),
                sha256: sha256
                    .and_then(|sum| sum.text_of("checksum"))
                    .map(str::to_ascii_lowercase),
            }
        })
    }
}

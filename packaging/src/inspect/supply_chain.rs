//! What a package ships about where it comes from: bills of materials and licence texts.

use serde::Serialize;

use super::ReadError;
use super::entry::EntryKind;
use super::limits::Meter;
use super::payload::Payload;

/// Paths of files about the origin of a package, which lie below `opt/NAME/share/`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct SupplyChain {
    /// Bills of materials: names end in `.cdx.json`, as `CycloneDX` has it.
    pub sboms: Vec<String>,
    /// Licence texts: the word stands in the name of the file or of a directory below `share`.
    pub licences: Vec<String>,
}

impl SupplyChain {
    /// Counts what it keeps, for the second time, as names.
    pub(super) fn of(payloads: &[Payload], meter: &Meter) -> Result<Self, ReadError> {
        let archives = payloads.iter().filter_map(|one| one.archive.as_ref());
        let mut found = Self::default();
        for entry in archives.flat_map(|archive| &archive.entries) {
            let Some(name) = below_share(&entry.path) else {
                continue;
            };
            if entry.kind != EntryKind::File {
                continue;
            }
            let list = if name.ends_with(".cdx.json") {
                &mut found.sboms
            } else if is_licence(name) {
                &mut found.licences
            } else {
                continue;
            };
            meter.names(entry.path.len(), entry.offset)?;
            list.push(entry.path.clone());
        }
        Ok(found)
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.sboms.is_empty() && self.licences.is_empty()
    }
}

/// What follows `opt/NAME/share/`.
fn below_share(path: &str) -> Option<&str> {
    let (_, rest) = path.strip_prefix("opt/")?.split_once('/')?;
    rest.strip_prefix("share/")
}

fn is_licence(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    path.contains("license") || path.contains("licence") || path.contains("copying")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_by_place_and_name() {
        assert_eq!(below_share("opt/a/share/b/c"), Some("b/c"));
        for path in [
            "opt/share/c",
            "opt/a/b/share/c",
            "usr/a/share/c",
            "opt/a/shared/c",
        ] {
            assert_eq!(below_share(path), None, "{path}");
        }
        assert!(is_licence("LICENSE") && is_licence("licenses/ring.txt"));
        assert!(!is_licence("manual.8"));
    }
}

//! What the daemon is made of: the licence texts of the crates in it, and their list as a `CycloneDX`
//! SBOM. Both ship with it, and derive from the lock file and the sources alone.

mod sbom;
mod texts;
mod tree;

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use xshell::Shell;

use crate::compile::Build;

/// Where the texts are left, below the root of the workspace.
pub(crate) const LICENCES: &str = "target/supply/third-party-licenses.txt";
/// Where the SBOM is left, below the root of the workspace.
pub(crate) const SBOM: &str = "target/supply/esxftpd.cdx.json";

/// Both documents.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Documents {
    pub(crate) licences: Vec<u8>,
    pub(crate) sbom: Vec<u8>,
}

/// Makes both documents for the daemon of this build, and leaves them below `target` for people.
///
/// # Errors
/// If a crate names no licence, or one whose text is nowhere; if cargo cannot tell the tree.
pub(crate) fn documents(sh: &Shell, root: &Path, build: Build) -> Result<Documents> {
    let tree = tree::Tree::read(sh, root, build)?;
    let documents = Documents {
        licences: texts::document(&tree)?.into_bytes(),
        sbom: sbom::document(&tree)?,
    };
    for (path, bytes) in [(LICENCES, &documents.licences), (SBOM, &documents.sbom)] {
        let path = root.join(path);
        let named = || path.display().to_string();
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(named)?;
        }
        fs::write(&path, bytes).with_context(named)?;
    }
    Ok(documents)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use serde_json::Value;

    use super::*;
    use crate::{
        compile::{Contents, TARGET},
        process,
    };

    fn made() -> Documents {
        made_of(Build::default())
    }

    fn made_of(build: Build) -> Documents {
        let sh = Shell::new().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        sh.change_dir(root);
        documents(&sh, root, build).unwrap()
    }

    /// The crates by cargo's own flat list, which is made without any of the code above.
    fn listed() -> BTreeSet<String> {
        let mut cargo = process::command("cargo");
        cargo
            .envs(crate::cargo::allowed())
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
            .args(["tree", "--locked", "-p", "esxftpd", "--target", TARGET])
            .args([
                "-e",
                "normal",
                "--prefix",
                "none",
                "--no-dedupe",
                "--format",
                "{p}|{l}",
            ]);
        let finished = process::run(&mut cargo, b"", Duration::from_mins(1)).unwrap();
        let text = finished.success().unwrap().stdout;
        text.lines()
            // Our own crates have a path.
            .filter(|line| !line.is_empty() && !line.contains(" (/"))
            .map(|line| {
                let (name, rest) = line.split_once(" v").unwrap();
                let version = rest.split([' ', '|']).next().unwrap();
                format!("{name} {version}")
            })
            .collect()
    }

    fn text<'v>(value: &'v Value, key: &str) -> &'v str {
        value[key]
            .as_str()
            .unwrap_or_else(|| panic!("{key}: {value}"))
    }

    #[test]
    fn the_sbom_and_the_licences_name_what_cargo_tree_names() {
        let made = made();
        let sbom: Value = serde_json::from_slice(&made.sbom).unwrap();
        assert_eq!(text(&sbom, "bomFormat"), "CycloneDX");
        assert_eq!(text(&sbom, "specVersion"), "1.5");
        assert!(sbom.get("serialNumber").is_none() && sbom["metadata"].get("timestamp").is_none());
        let components = sbom["components"].as_array().unwrap();
        let named: BTreeSet<_> = components
            .iter()
            .map(|one| format!("{} {}", text(one, "name"), text(one, "version")))
            .collect();
        assert_eq!(named, listed());
        assert_eq!(named.len(), components.len(), "each once");

        let licences = String::from_utf8(made.licences).unwrap();
        let lock = include_str!("../../../Cargo.lock");
        for one in components {
            let (name, version) = (text(one, "name"), text(one, "version"));
            let hash = text(&one["hashes"][0], "content");
            assert!(lock.contains(&format!("name = \"{name}\"\nversion = \"{version}\"")));
            assert!(lock.contains(&format!("checksum = \"{hash}\"")), "{name}");
            let licence = text(&one["licenses"][0], "expression");
            let line = format!("\n{name} {version}: {licence}; text");
            assert!(licences.contains(&line), "{line}");
        }
        // Code of the engine is in the program, a macro's is not.
        let scope = |name: &str| {
            let one = components.iter().find(|one| one["name"] == name).unwrap();
            text(one, "scope").to_owned()
        };
        assert_eq!(scope("libunftp"), "required");
        assert_eq!(scope("syn"), "excluded");
    }

    #[test]
    fn what_is_left_out_of_the_daemon_is_in_neither_document() {
        let Documents { licences, sbom } = made_of(Build {
            contents: Contents::Slim,
            ..Build::default()
        });
        for document in [licences, sbom] {
            let document = String::from_utf8(document).unwrap();
            assert!(!document.contains("unftp") && document.contains("rustls"));
        }
    }

    #[test]
    fn every_reference_of_the_sbom_leads_somewhere() {
        let sbom: Value = serde_json::from_slice(&made().sbom).unwrap();
        let components = sbom["components"].as_array().unwrap();
        let mut known: BTreeSet<_> = components.iter().map(|one| text(one, "bom-ref")).collect();
        known.insert(text(&sbom["metadata"]["component"], "bom-ref"));
        let dependencies = sbom["dependencies"].as_array().unwrap();
        assert_eq!(dependencies.len(), known.len());
        for one in dependencies {
            let needs = one["dependsOn"].as_array().into_iter().flatten();
            let needs = needs.map(|need| need.as_str().unwrap());
            for reference in needs.chain([text(one, "ref")]) {
                assert!(known.contains(reference), "{reference}");
            }
        }
    }

    #[test]
    fn both_documents_are_the_same_twice() {
        assert_eq!(made(), made());
    }
}

//! Write, then read: whatever package keeps the rules comes back as it was, from our reader and
//! from archives cut by hand.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Cursor, Read};

use packaging::inspect::{Contents, Limits, Sink, Vib, extract, inspect};
use packaging::{Manifest, Package};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use crate::support::{ar_members, bundle, gunzip, tar_entries, vmtar_entries, write};

/// A package as it is drawn.
#[derive(Debug, Clone)]
struct Drawn {
    name: String,
    version: String,
    texts: [String; 2],
    tags: Vec<String>,
    hardware: Vec<(String, Option<String>)>,
    /// Of the five kinds, in their order; with or without version.
    relations: [Vec<(String, Option<String>)>; 5],
    maintenance: (bool, bool),
    flags: [bool; 4],
    /// Whether it is `vgz`, and its files.
    payloads: Vec<(bool, DrawnFiles)>,
}

/// By the end of their paths: whether users edit it, and data.
type DrawnFiles = BTreeMap<String, (bool, Vec<u8>)>;

const KINDS: [&str; 5] = [
    "depends",
    "conflicts",
    "replaces",
    "provides",
    "compatible-with",
];

/// Printable text that is neither empty nor all blanks.
fn text() -> impl Strategy<Value = String> {
    "[!-~äß€][ -~äß€]{0,30}"
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let relation = || {
        vec(
            (
                "[a-z][a-z0-9_.-]{0,20}",
                option::of("[0-9]{1,3}(\\.[0-9a-z]{1,3}){0,3}"),
            ),
            0..3,
        )
    };
    let relations = [(); 5].map(|()| relation());
    let files = btree_map(
        "[a-z]{1,6}(/[a-z]{1,6}){0,3}",
        (any::<bool>(), vec(any::<u8>(), 0..6000)),
        1..4,
    );
    (
        ("[a-z][a-z0-9_.-]{0,20}", "[0-9]{1,3}(\\.[0-9]{1,3}){0,3}"),
        [text(), text()],
        vec(text(), 0..3),
        vec((text(), option::of(text())), 0..3),
        relations,
        any::<(bool, bool)>(),
        any::<[bool; 4]>(),
        vec((any::<bool>(), files), 1..4),
    )
        .prop_map(
            |((name, version), texts, tags, hardware, relations, maintenance, flags, payloads)| {
                Drawn {
                    name,
                    version,
                    texts,
                    tags,
                    hardware,
                    relations,
                    maintenance,
                    flags,
                    payloads,
                }
            },
        )
}

impl Drawn {
    /// Files are apart by their payload and a prefix that no directory has.
    fn files(&self) -> impl Iterator<Item = (usize, String, bool, &[u8])> {
        self.payloads
            .iter()
            .enumerate()
            .flat_map(|(index, (_, files))| {
                files.iter().map(move |(path, (edited, data))| {
                    let top = if *edited { "etc/config" } else { "opt" };
                    (
                        index,
                        format!("{top}/p{index}/{path}.f"),
                        *edited,
                        data.as_slice(),
                    )
                })
            })
    }

    fn manifest(&self) -> Manifest {
        let quoted = |text: &String| serde_json::to_string(text).unwrap();
        let [live, remove, cimom, stateless] = self.flags;
        let (on_install, on_remove) = self.maintenance;
        let payloads: Vec<_> = self
            .payloads
            .iter()
            .enumerate()
            .map(|(index, (vgz, _))| {
                let kind = if *vgz { "vgz" } else { "tgz" };
                // The last one comes first, so that order has to be made.
                format!(
                    "{{ name = \"{}\", type = \"{kind}\" }}",
                    payload_name(index)
                )
            })
            .rev()
            .collect();
        let mut text = format!(
            r#"
            name = {:?}
            version = {:?}
            vendor = "acme"
            vendor-code = "acm"
            release = "1"
            release-date = 2026-01-15T00:00:00Z
            summary = {}
            description = {}
            software-tags = [{}]
            live-install-allowed = {live}
            live-remove-allowed = {remove}
            cimom-restart = {cimom}
            stateless-ready = {stateless}
            maintenance-mode = {{ on-install = {on_install}, on-remove = {on_remove} }}
            platforms = ["8.*"]
            payloads = [{}]
            component = {{ name = "c", ui-string = "C" }}
            bulletin = {{ kb-url = "k", contact = "c" }}
            "#,
            self.name,
            self.version,
            quoted(&self.texts[0]),
            quoted(&self.texts[1]),
            self.tags.iter().map(quoted).collect::<Vec<_>>().join(", "),
            payloads.join(", "),
        );
        for (vendor, model) in &self.hardware {
            writeln!(text, "[[hwplatform]]\nvendor = {}", quoted(vendor)).unwrap();
            if let Some(model) = model {
                writeln!(text, "model = {}", quoted(model)).unwrap();
            }
        }
        for (kind, constraints) in KINDS.iter().zip(&self.relations) {
            for (name, version) in constraints {
                writeln!(text, "[[relationships.{kind}]]\nname = {name:?}").unwrap();
                if let Some(version) = version {
                    writeln!(text, "version = {version:?}").unwrap();
                    if *kind != "provides" {
                        writeln!(text, "relation = \"<=\"").unwrap();
                    }
                }
            }
        }
        for (index, path, edited, _) in self.files() {
            let (kind, mode) = if edited {
                ("config", "0600")
            } else {
                ("file", "0550")
            };
            writeln!(
                text,
                "[[contents]]\nsource = {path:?}\ndestination = {path:?}\nmode = \"{mode}\"\n\
                 type = \"{kind}\"\npayload = {:?}",
                payload_name(index)
            )
            .unwrap();
        }
        Manifest::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    fn sources(&self) -> BTreeMap<String, Vec<u8>> {
        self.files()
            .map(|(_, path, _, data)| (path, data.to_vec()))
            .collect()
    }
}

fn payload_name(index: usize) -> String {
    format!("p{index}")
}

/// Path, mode and data of the files of a payload.
type Files = BTreeMap<String, (u32, Vec<u8>)>;

/// The files of a payload, cut by hand.
fn cut(stored: &[u8], vgz: bool) -> Files {
    let plain = gunzip(stored);
    let entries = if vgz {
        vmtar_entries(&plain)
    } else {
        tar_entries(&plain)
    };
    let text = |field: &[u8]| {
        let text = field.split(|byte| *byte == 0).next().unwrap();
        String::from_utf8(text.to_vec()).unwrap()
    };
    let rows = entries.iter().map(|(header, data)| {
        let mode = u32::from_str_radix(&text(&header[100..108]), 8).unwrap();
        (text(&header[..100]), (mode, data.to_vec()))
    });
    rows.filter(|(path, _)| !path.ends_with('/')).collect()
}

/// Keeps what is unpacked.
#[derive(Default)]
struct Kept(BTreeMap<String, Vec<u8>>);

impl Sink for Kept {
    fn directory(&mut self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn file(&mut self, path: &str, _: u32, data: &mut dyn Read) -> io::Result<()> {
        let mut bytes = Vec::new();
        data.read_to_end(&mut bytes)?;
        self.0.insert(path.to_owned(), bytes);
        Ok(())
    }
}

fn read(bytes: &[u8]) -> Vib {
    match inspect(Cursor::new(bytes), &Limits::default())
        .expect("it can be read")
        .contents
    {
        Contents::Vib(vib) => *vib,
        other => panic!("{other:?}"),
    }
}

fn phrases(constraints: &[(String, Option<String>)], relation: &str) -> Vec<String> {
    let phrase = |(name, version): &(String, Option<String>)| match version {
        Some(version) => format!("{name}{relation}{version}"),
        None => name.clone(),
    };
    constraints.iter().map(phrase).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_package_comes_back_as_it_was(drawn in drawn()) {
        let manifest = drawn.manifest();
        let epoch = manifest.release_date;
        let sources = drawn.sources();
        let package = Package::new(manifest, &sources, epoch).unwrap();
        let warned = !package.warnings().is_empty();
        let written = write(&package, &sources);
        let vib = read(written.bytes());

        // The descriptor, by our reader.
        let found = &vib.descriptor;
        prop_assert_eq!(&found.id, &format!("acme_bootbank_{}_{}-1", drawn.name, drawn.version));
        prop_assert_eq!(found.summary.as_deref(), Some(drawn.texts[0].trim()));
        prop_assert_eq!(found.description.as_deref(), Some(drawn.texts[1].trim()));
        let trimmed: Vec<_> = drawn.tags.iter().map(|tag| tag.trim().to_owned()).collect();
        prop_assert_eq!(&found.software_tags, &trimmed);
        let hardware: Vec<_> = drawn.hardware.iter().map(|(vendor, model)| match model {
            Some(model) => format!("{vendor} {model}"),
            None => vendor.clone(),
        }).collect();
        prop_assert_eq!(&found.hardware_platforms, &hardware);
        let relations = &found.relationships;
        let lists = [
            &relations.depends,
            &relations.conflicts,
            &relations.replaces,
            &relations.provides,
            &relations.compatible_with,
        ];
        for ((kind, list), constraints) in KINDS.iter().zip(lists).zip(&drawn.relations) {
            let relation = if *kind == "provides" { " " } else { " <= " };
            let list: Vec<_> = list.iter().map(ToString::to_string).collect();
            prop_assert_eq!(list, phrases(constraints, relation));
        }
        let flag = |text: &Option<String>| text.as_deref() == Some("true");
        prop_assert_eq!(
            [
                flag(&found.live_install_allowed),
                flag(&found.live_remove_allowed),
                flag(&found.cimom_restart),
                flag(&found.stateless_ready),
            ],
            drawn.flags
        );
        prop_assert_eq!(
            (flag(&found.maintenance_mode_install), flag(&found.maintenance_mode_remove)),
            drawn.maintenance
        );

        // Members and files, by hand.
        let members = ar_members(written.bytes());
        prop_assert_eq!(members.len(), 2 + drawn.payloads.len());
        for (index, (vgz, _)) in drawn.payloads.iter().enumerate() {
            let wanted: Files = drawn
                .files()
                .filter(|(owner, ..)| *owner == index)
                .map(|(_, path, edited, data)| {
                    let mode = if edited { 0o1600 } else { 0o550 };
                    (path, (mode, data.to_vec()))
                })
                .collect();
            prop_assert_eq!(&cut(members[2 + index].1, *vgz), &wanted);
            // And by our reader, which also compared the checksums.
            let payload = &vib.payloads[index];
            prop_assert_eq!(&payload.name, &payload_name(index));
            let archive = payload.archive.as_ref().unwrap();
            let files = archive.entries.iter().filter(|entry| !entry.path.ends_with('/'));
            let files: Vec<_> = files.map(|entry| (&entry.path, entry.mode, entry.size)).collect();
            let sizes: Vec<_> = wanted
                .iter()
                .map(|(path, (mode, data))| (path, *mode, data.len() as u64))
                .collect();
            prop_assert_eq!(files, sizes);
        }
        let mut kept = Kept::default();
        extract(Cursor::new(written.bytes()), &Limits::default(), &mut kept).unwrap();
        for (index, path, _, data) in drawn.files() {
            let path = format!("{}/{path}", payload_name(index));
            prop_assert_eq!(kept.0.get(&path).map(Vec::as_slice), Some(data), "{}", path);
        }

        // Nothing is wrong with it, and nothing with the bundle.
        let bundle = bundle(&[written]).unwrap();
        let inspection = inspect(Cursor::new(bundle.bytes()), &Limits::default()).unwrap();
        let mut diagnoses = packaging::verify::verify(&inspection);
        let all = diagnoses.len();
        diagnoses.retain(|one| one.finding.rule != packaging::rules::ASCII);
        prop_assert!(diagnoses.is_empty(), "{}", diagnoses[0]);
        // But for what it said before.
        prop_assert_eq!(warned, all > 0);
    }
}

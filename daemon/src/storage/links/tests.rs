//! Links in listings, and whether the `perm` fact is true of every entry.

use std::{fs, os::unix::fs::symlink, path::Path};

use proptest::prelude::*;
use protocol::{
    request::{FactSet, ListForm, Listing, Operation, Order, PathFailure, UploadStart},
    wire::facts_line::{Place, facts_line},
};

use super::*;
use crate::{
    accounts::Rights,
    config::{Config, RootChoice},
    storage::{
        download::Download,
        listing,
        perform::perform,
        sample::{BOTH, Sample, path},
        upload::Upload,
    },
    task::Task,
};

const UUID: &str = "5f0c2a1e-8d4b7c3a-1f2e-000c29ab34cd";

const LONG: ListForm = ListForm::Long {
    all: false,
    recursive: false,
    order: Order {
        by: protocol::request::OrderBy::Name,
        reversed: false,
    },
    itself: false,
};

fn list(files: &Files, directory: &VirtualPath, form: ListForm) -> Result<Vec<String>, Failure> {
    let listing = Listing {
        path: directory.clone(),
        named: Vec::new(),
        pattern: None,
        form,
    };
    let mut text = Vec::new();
    listing::write(files, &listing, &Task::default(), &mut |chunk| {
        text.extend_from_slice(chunk);
        Ok(())
    })?;
    let text = String::from_utf8(text).unwrap();
    Ok(text
        .split_terminator("\r\n")
        .map(ToOwned::to_owned)
        .collect())
}

/// The type letter and the end of each line of LIST.
fn long(files: &Files, directory: &str) -> Vec<String> {
    let lines = list(files, &path(directory), LONG).unwrap().into_iter();
    let short = |line: String| format!("{} {}", &line[..1], line.split_at(58).1.trim());
    lines.map(short).collect()
}

/// Clients that delete or mirror recursively walk into whatever is listed as a directory.
#[test]
fn links_are_listed_as_links_so_that_nobody_deletes_through_them() {
    for choice in BOTH {
        let sample = Sample::new(choice, Rights::default());
        let root = sample.directory.path();
        for directory in ["a", "precious", UUID, "deep"] {
            fs::create_dir(sample.path(directory)).unwrap();
        }
        sample.write("precious/file", "x");
        for (target, name) in [
            ("../precious", "a/link"),
            (".", "a/here"),
            ("../precious/file", "a/file"),
            ("nowhere", "a/dangling"),
            ("../../outside/secret", "a/out"),
            ("/etc/passwd", "a/passwd"),
            ("/", "a/slash"),
            (UUID, "datastore1"),
            ("precious", "beside"),
        ] {
            symlink(target, sample.path(name)).unwrap();
        }
        symlink(root.join("precious"), sample.path("isos")).unwrap();
        symlink(root.join("precious"), sample.path("deep/isos")).unwrap();
        symlink(root.join("nowhere"), sample.path("gone")).unwrap();
        assert_eq!(
            long(&sample.files, "/a"),
            [
                "l dangling -> nowhere",
                "l file -> ../precious/file",
                "l here -> .",
                "l link -> ../precious",
                "l out -> secret",
                "l passwd -> passwd",
                "l slash -> slash",
            ]
        );
        assert_eq!(
            long(&sample.files, "/"),
            [
                "d a",
                "l beside -> precious",
                "d datastore1",
                "d deep",
                "l gone -> /nowhere",
                "d isos",
                "d precious",
            ]
        );
        assert_eq!(long(&sample.files, "/deep"), ["l isos -> /precious"]);
        assert_eq!(long(&sample.files, "/a/link"), ["- file"]);
        assert_eq!(
            long(&sample.files, "/a/file"),
            ["l file -> ../precious/file"]
        );
        // By configuration as what they lead to.
        let files = sample.set_with(|storage| storage.links = LinkForm::AsTargets);
        assert_eq!(
            long(&files, "/a")[..4],
            ["l dangling -> nowhere", "- file", "d here", "d link"]
        );
        // As a recursive client deletes the directory.
        let do_it = |operation| perform(&sample.files, &Task::default(), operation);
        let refused = do_it(Operation::RemoveDirectory(path("/a/link")));
        assert_eq!(refused, Err(Failure::IsALink.into()));
        for line in list(&sample.files, &path("/a"), ListForm::Machine(FactSet::ALL)).unwrap() {
            if line.starts_with("type=OS.unix=slink;") {
                let name = line.split_once(' ').unwrap().1;
                do_it(Operation::RemoveFile(path(&format!("/a/{name}")))).unwrap();
            }
        }
        do_it(Operation::RemoveDirectory(path("/a"))).unwrap();
        assert_eq!(sample.read("precious/file"), b"x");
    }
}

/// Puts entries into a root: what each is, where, and of what name.
fn grow(root: &Path, plan: &[(usize, usize, usize)]) {
    fs::create_dir_all(root.join("d/e")).unwrap();
    fs::create_dir_all(root.join(UUID)).unwrap();
    fs::write(root.join("d/f"), "content").unwrap();
    for (kind, directory, name) in plan {
        let directory = root.join(["", "d", "d/e"][*directory]);
        let name = ["a", "b", "c", ".g.esxftpd-part", "d", "e"][*name];
        let at = directory.join(name);
        let link = |target: &str| symlink(target, &at);
        // What has the name already stays.
        let _made = match kind {
            0 if at.symlink_metadata().is_err() => fs::write(&at, "1"),
            1 => fs::create_dir(&at),
            2 => link("d"),
            3 => link("../d"),
            4 => link("f"),
            5 => link("."),
            6 => link(".."),
            7 => link("nowhere"),
            8 => link("nowhere/deeper"),
            9 => link(name),
            10 => link(UUID),
            11 => link("../../secret"),
            12 => link("/etc"),
            13 => symlink(root.join("d/e"), &at),
            14 => symlink(root.join("d/f"), &at),
            15 => symlink(root.join("gone"), &at),
            16 => link(".g.esxftpd-part"),
            _ => Ok(()),
        };
    }
}

/// Whether what a letter of `perm` promises of an entry works.
fn works(sample: &Sample, entry: &VirtualPath, is_directory: bool, letter: u8) -> bool {
    let files = &sample.files;
    let do_it = |operation| perform(files, &Task::default(), operation);
    let store = |path: &VirtualPath, start| {
        let config = Config {
            storage: files.settings().clone(),
            ..Config::default()
        };
        Upload::prepare(files.root(), files.rights(), &config, path, start, false).is_ok()
    };
    let inner = entry.join(b"inner").unwrap();
    match letter {
        b'a' => store(entry, UploadStart::End),
        b'w' => store(entry, UploadStart::Replace),
        b'c' => store(&inner, UploadStart::Replace),
        b'd' if is_directory => matches!(
            do_it(Operation::RemoveDirectory(entry.clone())),
            Ok(_)
                | Err(PathFailure {
                    failure: Failure::NotEmpty,
                    ..
                })
        ),
        b'd' => do_it(Operation::RemoveFile(entry.clone())).is_ok(),
        b'e' => files
            .facts(entry)
            .is_ok_and(|facts| facts.kind == Kind::Directory),
        b'f' => {
            let (from, to) = (entry.clone(), path("/renamed"));
            do_it(Operation::Rename { from, to }).is_ok()
        }
        b'l' => list(files, entry, ListForm::Machine(FactSet::ALL)).is_ok(),
        b'm' => do_it(Operation::MakeDirectory(inner)).is_ok(),
        b'p' => {
            let Ok(found) = files.root().resolve(entry) else {
                return false;
            };
            let name = String::from_utf8(found.as_bytes().to_vec()).unwrap();
            let put = sample.path(name.trim_start_matches('/')).join("inner");
            fs::write(put, "").is_ok() && do_it(Operation::RemoveFile(inner)).is_ok()
        }
        b'r' => files.rights().retrieve() && Download::open(files.root(), entry, 0, None).is_ok(),
        _ => panic!("{letter}"),
    }
}

fn letters(line: &str) -> &str {
    let perm = line.split(';').find_map(|fact| fact.strip_prefix("perm="));
    perm.unwrap()
}

fn compare(choice: RootChoice, rights: &Rights, plan: &[(usize, usize, usize)], links: LinkForm) {
    let fresh = || {
        let mut sample = Sample::new(choice, rights.clone());
        sample.files = sample.set_with(|storage| storage.links = links);
        grow(sample.directory.path(), plan);
        sample
    };
    let sample = fresh();
    for directory in ["/", "/d", "/d/e"] {
        let machine = ListForm::Machine(FactSet::ALL);
        let told = list(&sample.files, &path(directory), machine).unwrap();
        let of_ls = long(&sample.files, directory);
        for line in told {
            let name = line.split_once(' ').unwrap().1;
            if matches!(name, "." | "..") {
                continue;
            }
            let entry = path(directory).join(name.as_bytes()).unwrap();
            let facts = sample.files.entry_facts(&entry).unwrap();
            let alone = facts_line(&facts, FactSet::ALL, Place::Entry, name.as_bytes());
            assert_eq!(alone, line, "MLST and MLSD");
            let letter = match facts.kind {
                Kind::Directory => 'd',
                Kind::File => '-',
                Kind::Link => 'l',
                Kind::Special => 'p',
            };
            let mut names = of_ls.iter().map(|line| line.split(" -> ").next().unwrap());
            let listed =
                name.starts_with('.') || names.any(|of_ls| of_ls == format!("{letter} {name}"));
            assert!(listed, "{entry:?} {line} {of_ls:?}");
            for letter in *b"acdeflmprw" {
                let promised = letters(&line).as_bytes().contains(&letter);
                let works = works(&fresh(), &entry, facts.kind == Kind::Directory, letter);
                let letter = char::from(letter);
                assert_eq!(works, promised, "{letter} of {entry:?} {line}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn perm_says_what_works_with_every_entry(
        plan in proptest::collection::vec((0..17_usize, 0..3_usize, 0..6_usize), 0..5),
        rights in 0..4_usize,
        as_targets: bool,
    ) {
        let rights = match rights {
            0 => Rights::read_only(),
            1 => Rights::no_delete(),
            2 => Rights::upload_only(),
            _ => Rights::default(),
        };
        let links = if as_targets { LinkForm::AsTargets } else { LinkForm::AsLinks };
        for choice in BOTH {
            compare(choice, &rights, &plan, links);
        }
    }
}

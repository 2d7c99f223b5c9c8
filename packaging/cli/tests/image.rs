//! `vib image` as users call it, on media made here.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a command is tested by running it, and what fails ends the test"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

const EXAMPLE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../examples/bootnote/package.toml"
);

fn run(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vib"))
        .args(args)
        .current_dir(folder)
        .env_remove("SOURCE_DATE_EPOCH")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Runs a tool of the system.
fn tool(folder: &Path, program: &str, args: &[&str]) -> Vec<u8> {
    let output = Command::new(program)
        .args(args)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    output.stdout
}

/// A folder with the tree `src`, a medium of 6.7, and the package `dist/*.vib`.
fn scene() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    fs::create_dir_all(at("src/EFI/BOOT")).unwrap();
    let config = "title=x\nkernel=/b.b00\nkernelopt=runweasel\nmodules=/k.b00 --- /s.v00 --- /imgdb.tgz --- /imgpayld.tgz\nbuild=\n";
    for path in ["src/BOOT.CFG", "src/EFI/BOOT/BOOT.CFG"] {
        fs::write(at(path), config).unwrap();
    }
    for name in ["B.B00", "K.B00", "S.V00", "IMGPAYLD.TGZ"] {
        fs::write(at("src").join(name), name.repeat(1000)).unwrap();
    }
    let base = "VMware_bootbank_esx-base_6.7.0-0.0.8169922";
    fs::create_dir_all(at("db/var/db/esximg/vibs")).unwrap();
    fs::create_dir_all(at("db/var/db/esximg/profiles")).unwrap();
    fs::write(
        at("db/var/db/esximg/vibs/esx-base-1.xml"),
        r#"<vib version="5.0"><type>bootbank</type><name>esx-base</name><version>6.7.0-0.0.8169922</version><vendor>VMware</vendor><relationships><depends/><conflicts/><replaces/><provides><provide name="esx-version" version="6.7.0"/></provides><compatibleWith/></relationships><acceptance-level>certified</acceptance-level><payloads><payload name="s" type="vgz" size="1"/></payloads></vib>"#,
    )
    .unwrap();
    fs::write(
        at("db/var/db/esximg/profiles/E-1"),
        format!("<imageprofile><name>E</name><creator>V</creator><viblist><vib><vib-id>{base}</vib-id><payloads><payload payload-name=\"s\">s.v00</payload></payloads></vib></viblist><acceptancelevel>partner</acceptancelevel></imageprofile>"),
    )
    .unwrap();
    tool(
        folder.path(),
        "tar",
        &["--format=gnu", "-czf", "src/IMGDB.TGZ", "-C", "db", "var"],
    );
    let packed = run(folder.path(), &["build", EXAMPLE, "--out", "dist"]);
    assert!(packed.status.success(), "{}", said(&packed));
    folder
}

/// All files below a folder, with their bytes.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.push((path.clone(), fs::read(path).unwrap()));
        }
    }
    files.sort();
    files
}

#[test]
fn a_tree_gets_the_package_of_dist_and_loses_it_again() {
    let folder = scene();
    let before = files(&folder.path().join("src"));
    let added = run(folder.path(), &["image", "add", "src", "--out", "with"]);
    assert!(added.status.success(), "{}", said(&added));
    assert!(
        String::from_utf8_lossy(&added.stdout)
            .trim_end()
            .ends_with("/with")
    );
    assert!(said(&added).contains("lowered from partner to community"));
    assert!(folder.path().join("with/BOOTNOTE.T00").exists());
    let shown = run(folder.path(), &["image", "show", "with", "--json"]);
    assert!(shown.status.success(), "{}", said(&shown));
    let json: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(json["profile"], "E+bootnote");
    assert_eq!(json["release"][0], "6.7");
    assert_eq!(json["modules"][2]["file"], "/bootnote.t00");
    assert_eq!(json["modules"][2]["gzipped"], true);

    let again = run(folder.path(), &["image", "add", "src", "--out", "with"]);
    assert!(!again.status.success() && said(&again).contains("--force replaces it"));
    let bundle = fs::read_dir(folder.path().join("dist")).unwrap();
    let mut bundle = bundle.map(|entry| entry.unwrap().path().display().to_string());
    let bundle = bundle.find(|path| path.contains("offline-bundle")).unwrap();
    let forced = run(
        folder.path(),
        &[
            "image", "add", "src", &bundle, "--vib", "bootnote", "--out", "other", "--force",
        ],
    );
    assert!(forced.status.success(), "{}", said(&forced));
    let relative = |root: &str| {
        let root = folder.path().join(root);
        let files = files(&root).into_iter();
        files
            .map(|(path, bytes)| (path.strip_prefix(&root).unwrap().to_owned(), bytes))
            .collect::<Vec<_>>()
    };
    assert!(
        relative("with") == relative("other"),
        "VIB and bundle give the same bytes"
    );

    let removed = run(
        folder.path(),
        &["image", "remove", "with", "bootnote", "--out", "without"],
    );
    assert!(removed.status.success(), "{}", said(&removed));
    let names = |root: &str| {
        relative(root)
            .into_iter()
            .map(|(path, _)| path)
            .collect::<Vec<_>>()
    };
    assert_eq!(names("without"), names("src"));
    assert!(
        files(&folder.path().join("src")) == before,
        "the medium was not touched"
    );
    // Nothing of the work is left beside.
    let left = fs::read_dir(folder.path()).unwrap();
    assert_eq!(
        left.filter(|entry| entry
            .as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with('.'))
            .count(),
        0
    );
}

#[test]
fn what_is_refused_leaves_nothing_and_damage_is_shown() {
    let folder = scene();
    for (args, words) in [
        (
            &["image", "add", "src", "--out", "src"][..],
            "is the medium itself",
        ),
        (
            &["image", "add", "src", "--out", "src/x"],
            "one lies in the other",
        ),
        (
            &["image", "add", "src", "--out", "dist", "--force"],
            "holds no medium",
        ),
        (
            &["image", "add", "src", "src/BOOT.CFG", "--out", "x"],
            "unknown kind of file",
        ),
        (
            &["image", "add", "src", "--vib", "other", "--out", "x"],
            "no such VIB",
        ),
        (
            &["image", "add", "src", "--kernelopt", "a='", "--out", "x"],
            "FORMAT.md M12",
        ),
        (
            &[
                "image", "remove", "src", "esx-base", "--out", "x", "--level", "high",
            ],
            "none of community",
        ),
        (
            &["image", "remove", "src", "none", "--out", "x"],
            "is not in the image",
        ),
        (&["image", "show", "dist"], "has no boot.cfg"),
    ] {
        let output = run(folder.path(), args);
        assert!(!output.status.success(), "{args:?}");
        assert!(said(&output).contains(words), "{}", said(&output));
        assert!(!folder.path().join("x").exists());
    }
    fs::remove_file(folder.path().join("src/S.V00")).unwrap();
    let shown = run(folder.path(), &["image", "show", "src"]);
    assert_eq!(shown.status.code(), Some(1));
    assert!(said(&shown).contains("problem:  BOOT.CFG: /s.v00: is not on the medium"));
}

#[test]
fn an_iso_image_is_edited_in_a_copy() {
    let folder = scene();
    let at = |path: &str| folder.path().join(path);
    for name in ["ISOLINUX.BIN", "EFIBOOT.IMG"] {
        fs::write(at("src").join(name), [7; 4096]).unwrap();
    }
    tool(
        folder.path(),
        "genisoimage",
        &[
            "-quiet",
            "-l",
            "-relaxed-filenames",
            "-b",
            "ISOLINUX.BIN",
            "-c",
            "BOOT.CAT",
            "-no-emul-boot",
            "-boot-load-size",
            "4",
            "-boot-info-table",
            "-eltorito-alt-boot",
            "-e",
            "EFIBOOT.IMG",
            "-no-emul-boot",
            "-o",
            "src.iso",
            "src",
        ],
    );
    let before = fs::read(at("src.iso")).unwrap();
    let run = |args: &[&str]| {
        let output = run(folder.path(), args);
        assert!(output.status.success(), "{}", said(&output));
        said(&output)
    };
    run(&["image", "add", "src.iso", "--out", "with.iso"]);
    assert!(run(&["image", "show", "with.iso"]).contains("boots:    UEFI from EFIBOOT.IMG"));
    let list = tool(folder.path(), "bsdtar", &["-tf", "with.iso"]);
    let list = String::from_utf8(list).unwrap();
    assert!(list.lines().any(|line| line == "BOOTNOTE.T00"), "{list}");
    run(&["image", "add", "with.iso", "--out", "same.iso"]);
    let with = fs::read(at("with.iso")).unwrap();
    assert!(
        fs::read(at("same.iso")).unwrap() == with,
        "it is there already"
    );
    run(&[
        "image",
        "remove",
        "with.iso",
        "bootnote",
        "--out",
        "without.iso",
    ]);
    run(&[
        "image",
        "add",
        "without.iso",
        "--out",
        "same.iso",
        "--force",
    ]);
    assert!(
        fs::read(at("same.iso")).unwrap() == with,
        "the bytes of the first addition"
    );
    assert!(
        fs::read(at("src.iso")).unwrap() == before,
        "the medium was not touched"
    );
}

//! Packages made by hand and by the system's tools.

use std::fs;
use std::io::Cursor;
use std::os::unix::fs::PermissionsExt as _;

use packaging::inspect::{Contents, Inspection, Limits, ReadError, Vib, inspect};
use packaging::verify::{Diagnosis, verify};

use crate::support::{on_disk, tool};

/// Path, mode and data of a file.
pub(crate) type File<'a> = (&'a str, u32, &'a [u8]);

pub(crate) const FILES: [File<'static>; 3] = [
    ("etc/config/hi/hi.toml", 0o1644, b"greeting = 'hi'\n"),
    ("etc/init.d/hi", 0o755, b"#!/bin/sh\n"),
    ("opt/hi/readme", 0o444, b"read me"),
];

pub(crate) const DESCRIPTOR: &str = r#"<vib version="5.0"><type>bootbank</type><name>hi</name><version>1.0-1</version><vendor>acme</vendor><summary>Says hi</summary><description>A script that says hi</description><release-date>2026-01-15T00:00:00.000000+00:00</release-date><urls><url key="kb">https://acme.example/kb</url></urls><relationships><depends><constraint name="esx-version" relation="&gt;=" version="5.5.0"/></depends><conflicts/><replaces/><provides><provide name="greeting" version="1"/></provides><compatibleWith/></relationships><software-tags><tag>service</tag></software-tags><system-requires><maintenance-mode on-install="false" on-remove="true"/><hwplatform vendor="Acme" model="One"/></system-requires><file-list>FILES</file-list><acceptance-level>community</acceptance-level><live-install-allowed>true</live-install-allowed><live-remove-allowed>true</live-remove-allowed><cimom-restart>false</cimom-restart><stateless-ready>true</stateless-ready><overlay>false</overlay><payloads>PAYLOAD</payloads></vib>"#;

/// An ar archive with headers written by hand.
pub(crate) fn ar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = b"!<arch>\n".to_vec();
    for (name, data) in members {
        let header = format!(
            "{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n",
            0,
            0,
            0,
            0,
            data.len()
        );
        bytes.extend(header.as_bytes());
        bytes.extend(*data);
        if data.len() % 2 == 1 {
            bytes.push(b'\n');
        }
    }
    bytes
}

/// A tar archive by the system's tar, directories included, all owned by root.
pub(crate) fn tar(format: &str, files: &[File<'_>]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    for (path, mode, data) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // Whatever the umask of this machine.
        for parent in path
            .ancestors()
            .skip(1)
            .take_while(|parent| *parent != folder.path())
        {
            fs::set_permissions(parent, fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::write(&path, data).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
    }
    let mut tops: Vec<_> = files
        .iter()
        .map(|(path, ..)| path.split('/').next().unwrap())
        .collect();
    tops.sort_unstable();
    tops.dedup();
    let format = format!("--format={format}");
    let mut args = vec![
        "c",
        &format,
        "--sort=name",
        "--owner=0",
        "--group=0",
        "--mtime=@0",
    ];
    args.push("-b1");
    args.extend(tops);
    tool("tar", &args, folder.path())
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let (folder, _) = on_disk("file", bytes);
    tool("gzip", &["-nc", "file"], folder.path())
}

pub(crate) fn hash(program: &str, bytes: &[u8]) -> String {
    let (folder, _) = on_disk("file", bytes);
    let text = String::from_utf8(tool(program, &["file"], folder.path())).unwrap();
    text.split(' ').next().unwrap().to_owned()
}

/// The descriptor of a package with this payload.
pub(crate) fn descriptor(plain: &[u8], stored: &[u8], files: &[&str]) -> String {
    let list = format!("<file>{}</file>", files.join("</file><file>"));
    let payload = format!(
        r#"<payload name="hi" type="tgz" size="{}"><checksum checksum-type="sha-256" verify-process="gunzip">{}</checksum><checksum checksum-type="sha-256">{}</checksum><checksum checksum-type="sha-1" verify-process="gunzip">{}</checksum></payload>"#,
        stored.len(),
        hash("sha256sum", plain),
        hash("sha256sum", stored),
        hash("sha1sum", plain)
    );
    DESCRIPTOR
        .replace("FILES", &list)
        .replace("PAYLOAD", &payload)
}

/// A package around an unpacked archive, with the file list of [`FILES`].
pub(crate) fn vib_of(plain: &[u8]) -> Vec<u8> {
    edited(plain, |text| text)
}

/// As [`vib_of`], with a descriptor that was edited.
pub(crate) fn edited(plain: &[u8], edit: impl Fn(String) -> String) -> Vec<u8> {
    let stored = gzip(plain);
    let text = edit(descriptor(plain, &stored, &FILES.map(|(path, ..)| path)));
    ar(&[
        ("descriptor.xml", text.as_bytes()),
        ("sig.pkcs7", b""),
        ("hi", &stored),
    ])
}

/// The package that nothing is wrong with.
pub(crate) fn sound() -> Vec<u8> {
    vib_of(&tar("gnu", &FILES))
}

pub(crate) fn read(bytes: &[u8]) -> Result<Inspection, ReadError> {
    inspect(Cursor::new(bytes), &Limits::default())
}

pub(crate) fn refusal(bytes: &[u8]) -> String {
    read(bytes).expect_err("this should be refused").to_string()
}

pub(crate) fn read_vib(bytes: &[u8]) -> Vib {
    match read(bytes).expect("this can be read").contents {
        Contents::Vib(vib) => *vib,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn diagnoses(bytes: &[u8]) -> Vec<Diagnosis> {
    verify(&read(bytes).expect("this can be read"))
}

/// All diagnoses as text.
pub(crate) fn verdict(bytes: &[u8]) -> String {
    let lines: Vec<_> = diagnoses(bytes).iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// What a Python script, run in a folder of its own, leaves behind as `out`. `input` is there as
/// `in`.
pub(crate) fn python(script: &str, input: &[u8]) -> Vec<u8> {
    let (folder, _) = on_disk("in", input);
    tool("python3", &["-c", script], folder.path());
    fs::read(folder.path().join("out")).unwrap()
}

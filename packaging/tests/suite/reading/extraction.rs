//! What extraction hands to its caller, and what it refuses.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};

use packaging::inspect::{Extracted, Limits, ReadError, Sink, extract};

use super::fixture::{FILES, ar, descriptor, edited, gzip, python, sound, tar};

/// Keeps files in memory, directories without data.
#[derive(Default)]
struct Memory(BTreeMap<String, Option<(u32, Vec<u8>)>>);

/// Names only, each below the one before.
fn is_plain(path: &str) -> bool {
    path.split('/').all(|name| !matches!(name, "" | "." | ".."))
}

impl Sink for Memory {
    fn directory(&mut self, path: &str) -> io::Result<()> {
        assert!(is_plain(path), "{path}");
        self.0.insert(path.to_owned(), None);
        Ok(())
    }

    fn file(&mut self, path: &str, mode: u32, data: &mut dyn Read) -> io::Result<()> {
        assert!(is_plain(path), "{path}");
        let mut bytes = Vec::new();
        data.read_to_end(&mut bytes)?;
        assert!(
            self.0
                .insert(path.to_owned(), Some((mode, bytes)))
                .is_none()
        );
        Ok(())
    }
}

fn unpack(bytes: &[u8]) -> Result<(Memory, Extracted), ReadError> {
    let mut memory = Memory::default();
    let extracted = extract(Cursor::new(bytes), &Limits::default(), &mut memory)?;
    Ok((memory, extracted))
}

fn refusal(bytes: &[u8]) -> String {
    unpack(bytes)
        .err()
        .expect("this should be refused")
        .to_string()
}

#[test]
fn a_package_becomes_its_descriptor_its_signature_and_a_folder_for_its_payload() {
    let (memory, extracted) = unpack(&sound()).unwrap();
    assert_eq!(extracted.files, 5);
    assert!(
        memory.0["descriptor.xml"]
            .as_ref()
            .unwrap()
            .1
            .starts_with(b"<vib version")
    );
    assert!(memory.0["sig.pkcs7"].as_ref().unwrap().1.is_empty());
    for (path, mode, data) in FILES {
        assert_eq!(memory.0[&format!("hi/{path}")], Some((mode, data.to_vec())));
    }
    assert_eq!(memory.0["hi/etc/config"], None);
}

#[test]
fn a_payload_that_is_not_what_was_promised_is_refused() {
    let plain = tar("gnu", &FILES);
    let bytes = edited(&plain, |text| {
        text.replace(
            "sha-1\" verify-process=\"gunzip\">",
            "sha-1\" verify-process=\"gunzip\">0",
        )
    });
    let text = refusal(&bytes);
    assert!(
        text.starts_with("payload \"hi\": its sha-1 gunzip checksum is "),
        "{text}"
    );
}

/// A gzipped tar with entries of a Python list of name, type and link.
fn tarball(entries: &str) -> Vec<u8> {
    let script = format!(
        "import tarfile, io
t = tarfile.open('out', 'w', format=tarfile.GNU_FORMAT)
for name, kind, link in {entries}:
    i = tarfile.TarInfo(name); i.type = kind; i.linkname = link
    t.addfile(i, io.BytesIO(b''))
t.close()"
    );
    gzip(&python(&script, b""))
}

#[test]
fn paths_that_lead_out_are_refused() {
    for (name, wanted) in [
        (
            "../evil",
            "entry \"../evil\" at byte 512: it climbs with \"..\"",
        ),
        ("a/../../evil", "it climbs"),
        (
            "/etc/evil",
            "entry \"/etc/evil\" at byte 512: it is absolute",
        ),
        ("./../evil", "it climbs"),
        ("a\\\\..\\\\evil", "a backslash"),
        ("a\\nb", "a control character"),
        (&"a/".repeat(65), "it nests too deep"),
    ] {
        let text = refusal(&tarball(&format!(
            "[('ok', b'0', ''), ('{name}', b'0', '')]"
        )));
        assert!(text.contains(wanted), "{text}");
    }
}

#[test]
fn links_are_never_made_and_nothing_goes_through_them() {
    let (memory, extracted) = unpack(&tarball(
        "[('a', b'2', '/etc'), ('b', b'1', 'a'), ('c', b'3', '')]",
    ))
    .unwrap();
    assert!(memory.0.is_empty());
    assert_eq!(extracted.left_out, ["a -> /etc", "b -> a", "c"]);
    let text = refusal(&tarball("[('a', b'2', '/etc'), ('a/evil', b'0', '')]"));
    assert_eq!(
        text,
        "entry \"a/evil\" at byte 512: it lies below a file or a link"
    );
    let text = refusal(&tarball("[('a', b'2', '/etc'), ('a', b'5', '')]"));
    assert!(
        text.contains("there is an earlier one called \"a\""),
        "{text}"
    );
}

#[test]
fn a_path_stands_for_one_thing() {
    for entries in [
        "[('a', b'0', ''), ('a', b'0', '')]",
        "[('a', b'0', ''), ('./a', b'0', '')]",
        "[('a/b', b'0', ''), ('a', b'0', '')]",
    ] {
        let text = refusal(&tarball(entries));
        assert_eq!(
            text, "entry at byte 512: there is an earlier one called \"a\"",
            "{entries}"
        );
    }
    // Directories are named again and again by some tools.
    unpack(&tarball(
        "[('a', b'5', ''), ('a', b'5', ''), ('a/b', b'0', '')]",
    ))
    .unwrap();
}

#[test]
fn a_payload_that_is_no_archive_becomes_one_file() {
    let plain = tar("gnu", &FILES);
    let bytes = edited(&plain, |text| text.replace("type=\"tgz\"", "type=\"boot\""));
    let (memory, _) = unpack(&bytes).unwrap();
    assert_eq!(memory.0["hi"].as_ref().unwrap().1, plain);
}

#[test]
fn the_name_of_a_payload_is_no_way_out_either() {
    let plain = tar("gnu", &FILES);
    let stored = gzip(&plain);
    for name in [".", "..", "./", "../", "/"] {
        let text = descriptor(&plain, &stored, &FILES.map(|(path, ..)| path));
        let text = text.replace("payload name=\"hi\"", &format!("payload name=\"{name}\""));
        let members = [
            ("descriptor.xml", text.as_bytes()),
            ("sig.pkcs7", b""),
            (name, &stored),
        ];
        match unpack(&ar(&members)) {
            Err(_) => {}
            // A linker's index, which is passed over.
            Ok((memory, _)) => assert_eq!(memory.0.len(), 2, "{name}"),
        }
    }
}

#[test]
fn a_member_that_nothing_declares_is_left_out_and_named() {
    let mut bytes = sound();
    bytes.extend(&ar(&[("zz-extra", b"x")])[8..]);
    let (memory, extracted) = unpack(&bytes).unwrap();
    assert_eq!(extracted.undeclared, ["zz-extra"]);
    assert!(!memory.0.contains_key("zz-extra"));
}

/// Read twice, it is another one the second time.
#[test]
fn a_bundle_that_changes_while_it_is_read_is_refused() {
    struct Changing {
        bytes: Cursor<Vec<u8>>,
        other: Vec<u8>,
        rewinds: usize,
    }
    impl Read for Changing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.bytes.read(buffer)
        }
    }
    impl io::Seek for Changing {
        fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
            if matches!(to, io::SeekFrom::End(0)) {
                self.rewinds += 1;
                if self.rewinds == 2 {
                    self.bytes = Cursor::new(self.other.clone());
                }
            }
            self.bytes.seek(to)
        }
    }
    let bundle = super::bundles::sound();
    let package = sound();
    let changed = |place: usize, sum: bool| {
        let mut other = bundle.clone();
        other[place] ^= 1;
        let input = Changing {
            bytes: Cursor::new(bundle.clone()),
            other: if sum { other } else { bundle.clone() },
            rewinds: 0,
        };
        extract(input, &Limits::default(), &mut Memory::default()).map(|done| done.files)
    };
    assert_eq!(changed(0, false).unwrap(), 4);
    // The checksum of the VIB in the directory at the end, and a byte of the VIB itself.
    let directory = bundle
        .windows(4)
        .rposition(|four| four == b"PK\x01\x02")
        .unwrap();
    let error = changed(directory + 16, true).unwrap_err().to_string();
    assert_eq!(
        error,
        "zip directory at byte 0: it has changed while it was read"
    );
    let name = bundle.windows(6).rposition(|six| six == b"hi.vib").unwrap();
    let data = bundle[..name]
        .windows(6)
        .rposition(|six| six == b"hi.vib")
        .unwrap();
    assert!(changed(data + 6 + package.len() / 2, true).is_err());
}

#[test]
fn a_sink_that_fails_ends_it() {
    struct Full;
    impl Sink for Full {
        fn directory(&mut self, _: &str) -> io::Result<()> {
            Ok(())
        }
        fn file(&mut self, _: &str, _: u32, _: &mut dyn Read) -> io::Result<()> {
            Err(io::ErrorKind::StorageFull.into())
        }
    }
    let error = extract(Cursor::new(sound()), &Limits::default(), &mut Full).unwrap_err();
    assert!(matches!(&error, ReadError::Sink { path, .. } if path == "descriptor.xml"));
    assert!(error.is_of_the_system(), "{error}");
    assert!(extract(Cursor::new(ar(&[])), &Limits::default(), &mut Full).is_err());
}

#[test]
fn a_member_that_is_named_like_a_directory_is_refused() {
    for name in ["./", "../", ".", ".."] {
        let text = refusal(&ar(&[
            ("descriptor.xml", b"<vib/>"),
            ("sig.pkcs7", b""),
            (name, b"x"),
        ]));
        assert!(text.contains("its name is"), "{name}: {text}");
    }
}

/// A few kilobytes of deep paths would make a million directories.
#[test]
fn directories_that_no_entry_names_count_as_well() {
    let deep = "d/".repeat(40);
    let script = format!(
        "import tarfile, io\n\
         with tarfile.open('out', 'w:gz') as tar:\n    \
             for n in range(100): tar.addfile(tarfile.TarInfo(f'{{n}}/{deep}f'), io.BytesIO())"
    );
    let archive = python(&script, b"");
    let mut limits = Limits::default();
    let mut unpack = |entries| {
        limits.entries = entries;
        extract(Cursor::new(&archive), &limits, &mut Memory::default())
    };
    assert_eq!(unpack(100 * 42).unwrap().files, 100);
    let error = unpack(100 * 42 - 1).unwrap_err().to_string();
    assert!(
        error.contains("more than 4199 files and directories"),
        "{error}"
    );
}

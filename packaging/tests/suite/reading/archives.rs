//! Dialects of the inner archive.

use std::io::{Cursor, Read};

use packaging::inspect::{
    Archive, Contents, EntryKind, Extension, Flavour, Limits, Program, Sink, extract,
};
use proptest::prelude::*;

use super::fixture::{FILES, gzip, python, read, refusal, tar};

fn archive(plain: &[u8]) -> Archive {
    match read(&gzip(plain)).expect("this can be read").contents {
        Contents::Archive(archive) => archive,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_dialect_of_the_systems_tar_gives_the_same_entries() {
    for (format, flavour) in [
        ("gnu", Flavour::Gnu),
        ("oldgnu", Flavour::Gnu),
        ("ustar", Flavour::Posix),
        ("posix", Flavour::Posix),
        ("v7", Flavour::Old),
    ] {
        let archive = archive(&tar(format, &FILES));
        let entries: Vec<_> = archive
            .entries
            .iter()
            .map(|entry| (entry.path.as_str(), entry.mode, entry.size))
            .collect();
        assert_eq!(
            entries,
            [
                ("etc/", 0o755, 0),
                ("etc/config/", 0o755, 0),
                ("etc/config/hi/", 0o755, 0),
                ("etc/config/hi/hi.toml", 0o1644, 16),
                ("etc/init.d/", 0o755, 0),
                ("etc/init.d/hi", 0o755, 10),
                ("opt/", 0o755, 0),
                ("opt/hi/", 0o755, 0),
                ("opt/hi/readme", 0o444, 7),
            ],
            "{format}"
        );
        assert!(archive.terminated, "{format}");
        assert!(
            archive.entries.iter().all(|entry| entry.flavour == flavour),
            "{format}"
        );
    }
}

#[test]
fn long_names_are_put_together_and_told_apart() {
    let long = format!("opt/{}/file", "directory/".repeat(12));
    for (format, extension) in [
        ("gnu", Some(Extension::GnuLongName)),
        ("posix", Some(Extension::Pax)),
        ("ustar", None), // has a field for the rest
    ] {
        let archive = archive(&tar(format, &[(&long, 0o644, b"x")]));
        let entry = archive.entries.last().unwrap();
        assert_eq!(entry.path, long.replace("//", "/"), "{format}");
        assert_eq!(entry.extension, extension, "{format}");
    }
}

#[test]
fn names_with_a_leading_dot_are_understood_and_marked() {
    let script = "import tarfile, io
t = tarfile.open('out', 'w', format=tarfile.GNU_FORMAT)
for name in ['.', './opt']:
    i = tarfile.TarInfo(name); i.type = tarfile.DIRTYPE; i.mode = 0o755; t.addfile(i)
i = tarfile.TarInfo('./opt/a'); i.size = 3; t.addfile(i, io.BytesIO(b'abc'))
i = tarfile.TarInfo('opt/b'); i.type = tarfile.SYMTYPE; i.linkname = '/etc/passwd'; t.addfile(i)
i = tarfile.TarInfo('opt/c'); i.type = tarfile.FIFOTYPE; t.addfile(i)
t.close()";
    let archive = archive(&python(script, b""));
    let entries: Vec<_> = archive
        .entries
        .iter()
        .map(|entry| (entry.path.as_str(), entry.kind, entry.dotted))
        .collect();
    assert_eq!(
        entries,
        [
            ("opt/", EntryKind::Directory, true),
            ("opt/a", EntryKind::File, true),
            ("opt/b", EntryKind::Symlink, false),
            ("opt/c", EntryKind::Special, false),
        ]
    );
    assert_eq!(archive.entries[2].link.as_deref(), Some("/etc/passwd"));
}

#[test]
fn programs_are_looked_at() {
    let mut program = vec![0; 64];
    program[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    program[16..21].copy_from_slice(&[2, 0, 62, 0, 1]);
    program[52] = 64;
    program[54] = 56;
    let archive = archive(&tar(
        "gnu",
        &[
            ("opt/a", 0o755, &program),
            ("opt/b", 0o755, b"\x7fELFnonsense"),
        ],
    ));
    let programs: Vec<_> = archive
        .entries
        .iter()
        .filter_map(|entry| entry.program.as_ref())
        .collect();
    assert!(
        matches!(programs[0], Program::Read { bits: 64, elf_type, .. } if elf_type == "executable")
    );
    assert!(matches!(programs[1], Program::Unreadable { .. }));
}

/// They were shown as `ELF64 1 static`.
#[test]
fn a_kernel_module_is_shown_as_one_with_its_machine() {
    let elf = |kind: u8, machine: u8| {
        let mut bytes = vec![0; 64];
        bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        bytes[16..21].copy_from_slice(&[kind, 0, machine, 0, 1]);
        bytes[52] = 64;
        bytes[54] = 56;
        bytes
    };
    for (kind, machine, wanted) in [
        (1, 62, "kernel module for x86-64, ELF64"),
        (1, 183, "kernel module for aarch64, ELF64"),
        (1, 9, "kernel module for machine 9, ELF64"),
        (2, 62, "ELF64 executable for x86-64, static"),
        (3, 183, "ELF64 shared for aarch64, static"),
        (4, 62, "ELF64 4 for x86-64, static"),
    ] {
        let plain = tar("gnu", &[("opt/a", 0o644, &elf(kind, machine))]);
        let text = read(&gzip(&plain)).unwrap().to_string();
        assert!(text.ends_with(&format!("opt/a  [{wanted}]\n")), "{text}");
    }
}

/// A vmtar header, field by field.
pub(super) fn visor(
    name: &str,
    kind: u8,
    mode: u32,
    size: usize,
    link: &str,
    data_offset: u32,
) -> [u8; 512] {
    let mut header = [0; 512];
    let mut put = |place: usize, text: &str| {
        header[place..place + text.len()].copy_from_slice(text.as_bytes());
    };
    put(0, name);
    put(100, &format!("{mode:07o}"));
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{size:011o}"));
    put(136, "00000000000");
    put(148, "        ");
    put(157, link);
    put(257, "visor  ");
    put(265, "root");
    put(297, "root");
    header[156] = kind;
    header[496..500].copy_from_slice(&data_offset.to_le_bytes());
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

/// Two files whose data lies behind all headers, the second one's first.
fn vmtar(second_offset: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(visor("opt", b'5', 0o755, 0, "", 0));
    bytes.extend(visor("opt/first", b'0', 0o644, 5, "", 8192));
    bytes.extend(visor("", b'L', 0, 10, "", 0));
    bytes.extend(b"opt/second");
    bytes.resize(2048, 0);
    bytes.extend(visor("opt/cut", b'7', 0o755, 6, "", second_offset));
    bytes.extend(visor("opt/link", b'2', 0o777, 0, "first", 0));
    bytes.resize(4096, 0);
    bytes.extend(b"second");
    bytes.resize(8192, 0);
    bytes.extend(b"first");
    bytes.resize(12288, 0);
    bytes
}

#[test]
fn vmtar_keeps_its_data_behind_all_headers() {
    let archive = archive(&vmtar(4096));
    let entries: Vec<_> = archive
        .entries
        .iter()
        .map(|entry| (entry.path.as_str(), entry.kind, entry.size, entry.flavour))
        .collect();
    assert_eq!(
        entries,
        [
            ("opt/", EntryKind::Directory, 0, Flavour::Visor),
            ("opt/first", EntryKind::File, 5, Flavour::Visor),
            ("opt/second", EntryKind::File, 6, Flavour::Visor),
            ("opt/link", EntryKind::Symlink, 0, Flavour::Visor),
        ]
    );
    assert_eq!(archive.entries[3].link.as_deref(), Some("first"));
}

#[test]
fn vmtar_data_inside_headers_or_behind_the_end_is_refused() {
    let text = refusal(&gzip(&vmtar(512)));
    assert!(
        text.starts_with("vmtar header of \"opt/second\" at byte 2048: its data begins at byte 512, inside what comes before it"),
        "{text}"
    );
    let text = refusal(&gzip(&vmtar(1 << 30)));
    assert!(
        text.contains("data of \"opt/second\" at byte 12288: the file ends"),
        "{text}"
    );
}

#[test]
fn a_header_whose_checksum_is_wrong_is_refused_with_its_place() {
    let mut plain = tar("gnu", &FILES);
    plain[512 + 3] ^= 1;
    let text = refusal(&gzip(&plain));
    assert!(
        text.starts_with("tar header at byte 512: its checksum is "),
        "{text}"
    );
}

#[test]
fn an_archive_that_ends_early_is_refused_with_its_place() {
    let plain = tar("gnu", &FILES);
    // In the data of the fourth entry, and in a header.
    for (length, wanted) in [
        (2050, "at byte 1536: the file ends"),
        (700, "tar header at byte 512: the file ends"),
    ] {
        let text = refusal(&gzip(&plain[..length]));
        assert!(text.contains(wanted), "{text}");
    }
}

/// Where the data of each file was read from, told by the bytes themselves: each run of eight is its
/// own place in the archive.
#[derive(Default)]
struct Places(Vec<(String, Vec<u64>)>);

impl Sink for Places {
    fn directory(&mut self, _: &str) -> std::io::Result<()> {
        Ok(())
    }

    fn file(&mut self, path: &str, _: u32, data: &mut dyn Read) -> std::io::Result<()> {
        let mut bytes = Vec::new();
        data.read_to_end(&mut bytes)?;
        let places = bytes
            .chunks_exact(8)
            .map(|run| u64::from_le_bytes(run.try_into().unwrap()));
        self.0.push((path.to_owned(), places.collect()));
        Ok(())
    }
}

proptest! {
    /// Whatever vmtar headers claim: either the archive is refused, or each file is what lies at its
    /// offset, and no two share a byte.
    #[test]
    fn vmtar_files_are_what_lies_at_their_offsets(
        claims in prop::collection::vec((0..40_usize, prop_oneof![0..40_u32, any::<u32>()]), 1..6),
        kinds in prop::collection::vec(prop::sample::select(b"012357".to_vec()), 6),
    ) {
        let mut bytes = Vec::new();
        let mut wanted = Vec::new();
        for (number, ((runs, place), kind)) in claims.iter().zip(&kinds).enumerate() {
            let (size, offset) = (runs * 8, place.wrapping_mul(8));
            bytes.extend(visor(&format!("f{number}"), *kind, 0o644, size, "", offset));
            if matches!(kind, b'0' | b'7') {
                wanted.push((format!("f{number}"), u64::from(offset), *runs));
            }
        }
        bytes.resize(bytes.len() + 512, 0);
        while bytes.len() < 16_384 {
            bytes.extend((bytes.len() as u64).to_le_bytes());
        }
        let mut found = Places::default();
        if extract(Cursor::new(gzip_fast(&bytes)), &Limits::default(), &mut found).is_err() {
            return Ok(());
        }
        let mut taken = std::collections::BTreeSet::new();
        for (path, offset, runs) in wanted {
            let places = found.0.iter().find(|(name, _)| *name == path).map(|(_, places)| places);
            let places = places.expect("a file that was read is handed out");
            prop_assert_eq!(places.len(), runs);
            for (run, place) in places.iter().enumerate() {
                prop_assert_eq!(*place, offset + 8 * run as u64);
                prop_assert!(taken.insert(*place));
            }
        }
    }

    /// Any bytes in place of the fields behind the name.
    #[test]
    fn vmtar_headers_of_any_bytes_never_panic(
        fields in prop::collection::vec(any::<u8>(), 412),
        second in any::<u8>(),
    ) {
        let mut header = visor("f", b'0', 0o644, 8, "", 4096);
        header[100..].copy_from_slice(&fields);
        header[257..265].copy_from_slice(b"visor  \0");
        header[124..136].copy_from_slice(b"00000000010\0");
        header[156] = second;
        header[148..156].copy_from_slice(b"        ");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let mut bytes = header.to_vec();
        bytes.resize(8192, 0);
        let _refused_or_not = read(&gzip_fast(&bytes)).map(|found| found.to_string());
    }
}

/// As the system's gzip, without a process for each.
pub(super) fn gzip_fast(bytes: &[u8]) -> Vec<u8> {
    let mut stored = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut stored, bytes).unwrap();
    stored.finish().unwrap()
}

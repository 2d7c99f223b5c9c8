//! What the fuzz targets do with their input. The tests of the crate replay the corpora through the
//! same functions, with a stable compiler.
//!
//! No input may make a reader panic, take memory without bounds, or contradict itself.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read, Write as _};
use std::sync::LazyLock;

use flate2::{Compression, write::GzEncoder};
use packaging::inspect::{self, Extracted, Inspection, Limits, ReadError, Sink};
use packaging::media::{self, BootConfig, Database, Iso, Medium as _};
use packaging::sign::{self, Trust};
use packaging::verify::{self, Severity};
use packaging::{Bundle, Epoch, Error, Manifest, Package, Vib, manifest::Draft, rules};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// A file as it comes: `ar` by its magic, else whatever it looks like.
pub fn vib(data: &[u8]) {
    read(data);
}

/// A zip as it comes; or else a text of sections, from which zips with right checksums are made, so
/// that changes reach what is inside (see [`zip_of`]).
pub fn bundle(data: &[u8]) {
    if data.starts_with(b"PK") {
        read(data);
    } else if let Some(zip) = zip_of(data) {
        read(&zip);
    }
}

/// An unpacked archive, tar or vmtar. It is wrapped into gzip here, whose checksum would stop
/// nearly every change.
pub fn vmtar(data: &[u8]) {
    read(&gzip(data).expect("writing to memory"));
}

/// A `package.toml`. What is accepted must give packages without errors, but for a signature that
/// is still to be made.
pub fn manifest(data: &[u8]) {
    let Ok(manifest) = str::from_utf8(data).map_err(drop).and_then(|text| {
        // Says where the errors are, for any text, and what else is wrong.
        let no_sources = BTreeMap::<String, Vec<u8>>::new();
        let draft = Draft::parse(text).map_err(|error| drop(error.to_string()))?;
        draft
            .finish_with(None, &no_sources)
            .map_err(|error| drop(error.to_string()))
    }) else {
        return;
    };
    let manifest = manifest.with_version("1.2.3");
    let sources: BTreeMap<_, _> = manifest
        .sources()
        .map(|source| (source.to_owned(), b"#!/bin/sh\n".to_vec()))
        .collect();
    let epoch = manifest.release_date;
    match pack(manifest, &sources, epoch) {
        Ok(files) => files.iter().for_each(|file| must_be_sound(file)),
        Err(error) => drop(error.to_string()),
    }
}

/// A signature, in DER behind the descriptor and a line `==`; it is wrapped into PEM here. What
/// begins with dashes is PEM as it comes.
pub fn signature(data: &[u8]) {
    let mark = data.windows(MARK.len()).position(|window| window == MARK);
    let (descriptor, rest) = data.split_at(mark.unwrap_or(0));
    let signature = rest.strip_prefix(MARK).unwrap_or(rest);
    let text = if signature.starts_with(b"-") {
        signature.to_vec()
    } else {
        pem(signature).into_bytes()
    };
    for trust in [None, TRUST.as_ref()] {
        let found = sign::check(descriptor, &text, trust);
        let broken = found.faults.iter().any(|fault| !fault.is_minor());
        assert!(broken || !found.signers.is_empty(), "held by nobody");
        for fault in &found.faults {
            drop(fault.to_string());
        }
        drop(serde_json::to_string(&found).expect("every check has a JSON form"));
    }
}

/// A `boot.cfg`. What is read can be edited, and an edit can be taken back.
pub fn bootcfg(data: &[u8]) {
    let Ok(config) = BootConfig::parse(data).map_err(|error| drop(error.to_string())) else {
        return;
    };
    drop(
        config
            .with_options("a=1")
            .map_err(|error| error.to_string()),
    );
    let name = "zz_fuzz.t00";
    let is_new = |one: &media::Module| !one.base_name().eq_ignore_ascii_case(name);
    let Some(first) = config
        .modules()
        .first()
        .filter(|_| config.modules().iter().all(is_new))
    else {
        return;
    };
    if let Ok(edited) = config.insert_before(first.base_name(), &[name.to_owned()]) {
        let back = edited
            .without(name)
            .expect("what was put there can be removed");
        assert_eq!(back.text(), config.text());
    }
}

/// The tar inside an `imgdb.tgz`; it is wrapped into gzip here.
pub fn imgdb(data: &[u8]) {
    let stored = gzip(data).expect("writing to memory");
    match Database::read(&mut stored.as_slice()) {
        Ok(database) => {
            drop(database.profile().vibs());
            drop(database.profile().to_xml());
            assert!(database.records().all(|one| !one.descriptor.id.is_empty()));
        }
        Err(error) => drop(error.to_string()),
    }
}

/// Sectors of an ISO image from the sixteenth on: what stands before them is not looked at. What is
/// read is listed, and can be read again after an edit, or is refused.
pub fn iso(data: &[u8]) {
    let mut image = vec![0; 16 * 2048];
    image.extend_from_slice(data);
    let iso = match Iso::read(Cursor::new(image.as_slice())) {
        Ok(iso) => iso,
        Err(error) => return drop(error.to_string()),
    };
    drop(iso.boot_entries());
    let files = iso.files().expect("a list in memory");
    for file in files.iter().take(8) {
        let mut data = iso.open(&file.path).map(|data| data.take(4096));
        drop(data.as_mut().map(|data| io::copy(data, &mut io::sink())));
    }
    let names = files.iter().take(1).map(|file| file.path.clone());
    let write: Vec<_> = names
        .chain(["ZZZZZZZZ.T99".to_owned()])
        .map(|name| (name, 5))
        .collect();
    let Ok(plan) = iso
        .plan(&[], &write)
        .map_err(|error| drop(error.to_string()))
    else {
        return;
    };
    assert!(plan.keep <= image.len() as u64 && plan.length <= plan.keep + (1 << 24));
    let mut edited = image;
    let place = |offset: u64| usize::try_from(offset).expect("a small image");
    edited.resize(place(plan.length), 0);
    for patch in &plan.patches {
        let start = place(patch.offset);
        edited[start..start + patch.bytes.len()].copy_from_slice(&patch.bytes);
    }
    if let Ok(edited) = Iso::read(Cursor::new(edited)) {
        assert!(
            edited.open("ZZZZZZZZ.T99").is_ok(),
            "what was added is not there"
        );
    }
}

/// What separates the sections of an input.
const MARK: &[u8] = b"\n==";

/// The CA of the seeds.
static TRUST: LazyLock<Option<Trust>> = LazyLock::new(|| {
    let at = Epoch::from_unix(1_800_000_000).ok()?;
    Trust::from_pem(include_bytes!("../ca.pem"), at).ok()
});

fn pem(der: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::from("-----BEGIN PKCS7-----\n");
    for line in der.chunks(48) {
        for three in line.chunks(3) {
            let bits = three
                .iter()
                .zip([16, 8, 0])
                .fold(0, |bits, (byte, shift)| bits | u32::from(*byte) << shift);
            for (place, shift) in [18, 12, 6, 0].into_iter().enumerate() {
                let letter = char::from(LETTERS[(bits >> shift) as usize & 63]);
                text.push(if place <= three.len() { letter } else { '=' });
            }
        }
        text.push('\n');
    }
    text + "-----END PKCS7-----\n"
}

fn pack(
    manifest: Manifest,
    sources: &BTreeMap<String, Vec<u8>>,
    epoch: Epoch,
) -> Result<[Vec<u8>; 2], Error> {
    let package = Package::new(manifest, sources, epoch)?;
    let (mut spool, mut bytes) = (Cursor::new(Vec::new()), Vec::new());
    let vib = Vib::write(&package, sources, &mut spool, &mut bytes)?;
    let mut bundle = Cursor::new(Vec::new());
    Bundle::write(&[vib], |_| Ok(bytes.as_slice()), &mut bundle)?;
    Ok([bytes, bundle.into_inner()])
}

/// What this crate writes, it reads, and finds nothing wrong with.
pub fn must_be_sound(file: &[u8]) {
    let inspection = match inspect::inspect(Cursor::new(file), &limits()) {
        Ok(inspection) => inspection,
        Err(error) => panic!("what was written cannot be read: {error}"),
    };
    let diagnoses = verify::verify(&inspection);
    let errors: Vec<_> = diagnoses
        .iter()
        .filter(|one| one.severity == Severity::Error)
        // It is signed later, see `sign`.
        .filter(|one| one.finding.rule != rules::SIGNATURE)
        // All files hold a script here, wherever they go.
        .filter(|one| one.finding.rule != rules::PARSED_XML)
        .map(ToString::to_string)
        .collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

/// Inspects, shows, judges and extracts.
fn read(data: &[u8]) {
    let inspected = inspect::inspect(Cursor::new(data), &limits());
    match &inspected {
        Ok(inspection) => show(inspection),
        Err(error) => drop(verify::unreadable(error).to_string()),
    }
    let extracted: Result<Extracted, ReadError> =
        inspect::extract(Cursor::new(data), &limits(), &mut Discard);
    assert!(
        extracted.is_err() || inspected.is_ok(),
        "extract took what inspect refused"
    );
}

fn show(inspection: &Inspection) {
    drop(inspection.to_string());
    drop(serde_json::to_string(inspection).expect("every inspection has a JSON form"));
    for diagnosis in verify::verify(inspection) {
        let text = diagnosis.to_string();
        let plain = text.chars().all(|c| !c.is_control() || c == '\n');
        assert!(plain, "{text:?} would reach a terminal");
    }
}

/// Smaller than the default, so that a bomb takes milliseconds.
fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.unpacked_bytes = 32 << 20;
    limits
}

/// Checks paths as a file system would, and keeps nothing.
struct Discard;

impl Sink for Discard {
    fn directory(&mut self, path: &str) -> io::Result<()> {
        must_stay_inside(path);
        Ok(())
    }

    fn file(&mut self, path: &str, _mode: u32, data: &mut dyn Read) -> io::Result<()> {
        must_stay_inside(path);
        io::copy(data, &mut io::sink()).map(drop)
    }
}

fn must_stay_inside(path: &str) {
    let plain = path
        .split('/')
        .all(|part| !matches!(part, "" | "." | "..") && !part.contains('\0'));
    assert!(plain, "{path:?} leads out of the directory");
}

fn gzip(data: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(data)?;
    encoder.finish()
}

/// Zips from sections: a line `==PATH` and the bytes up to the next such line. `OUTER!INNER` puts
/// them into a zip in the zip.
fn zip_of(data: &[u8]) -> Option<Vec<u8>> {
    let mut outer = Vec::new();
    let mut inner: Vec<(String, Vec<Section<'_>>)> = Vec::new();
    for (path, bytes) in sections(data) {
        let Some((zip, path)) = path.split_once('!') else {
            outer.push((path, bytes.to_vec()));
            continue;
        };
        match inner.iter_mut().find(|(name, _)| name == zip) {
            Some((_, entries)) => entries.push((path.to_owned(), bytes)),
            None => inner.push((zip.to_owned(), vec![(path.to_owned(), bytes)])),
        }
    }
    for (name, entries) in inner {
        outer.push((name, stored(&entries)?));
    }
    stored(&outer)
}

/// A path and what stands there.
type Section<'d> = (String, &'d [u8]);

fn sections(data: &[u8]) -> Vec<Section<'_>> {
    const MOST: usize = 64;
    let mut rest = data.strip_prefix(b"==").unwrap_or_default();
    let mut sections = Vec::new();
    while !rest.is_empty() && sections.len() < MOST {
        let end = rest
            .windows(MARK.len())
            .position(|window| window == MARK)
            .unwrap_or(rest.len());
        let (section, after) = rest.split_at(end);
        rest = after.strip_prefix(MARK).unwrap_or_default();
        let line = section.iter().position(|byte| *byte == b'\n');
        let (path, bytes) = section.split_at(line.unwrap_or(section.len()));
        let bytes = bytes.strip_prefix(b"\n").unwrap_or_default();
        sections.push((String::from_utf8_lossy(path).into_owned(), bytes));
    }
    sections
}

fn stored(entries: &[(String, impl AsRef<[u8]>)]) -> Option<Vec<u8>> {
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, bytes) in entries {
        // Two entries of one name are refused by the writer.
        zip.start_file(path.as_str(), options).ok()?;
        zip.write_all(bytes.as_ref()).ok()?;
    }
    Some(zip.finish().ok()?.into_inner())
}

//! The corpora of the fuzz targets, replayed with the compiler of the other tests.

use std::fs;
use std::path::Path;

#[expect(unreachable_pub, reason = "a crate of its own, for the fuzzer")]
#[path = "../../fuzz/src/lib.rs"]
pub(crate) mod targets;

type Target = fn(&[u8]);

const TARGETS: [(&str, Target); 8] = [
    ("bootcfg", targets::bootcfg),
    ("bundle", targets::bundle),
    ("imgdb", targets::imgdb),
    ("iso", targets::iso),
    ("manifest", targets::manifest),
    ("signature", targets::signature),
    ("vib", targets::vib),
    ("vmtar", targets::vmtar),
];

/// Seeds and what was found once. More than a few KiB each is too much for every checkout.
const MOST_BYTES: u64 = 16 << 10;

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus"))
}

#[test]
fn no_seed_breaks_a_reader() {
    for (name, target) in TARGETS {
        let mut seeds = 0;
        for entry in fs::read_dir(folder().join(name)).unwrap() {
            let path = entry.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            assert!(
                bytes.len() as u64 <= MOST_BYTES,
                "{}: minimise it",
                path.display()
            );
            target(&bytes);
            seeds += 1;
        }
        assert!(seeds >= 3, "{name} has {seeds} seeds");
    }
}

#[test]
fn every_corpus_and_every_target_is_replayed() {
    let mut corpora: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    corpora.sort_unstable();
    assert_eq!(corpora, TARGETS.map(|(name, _)| name));
    let manifest: toml::Table = fs::read_to_string(folder().join("../Cargo.toml"))
        .unwrap()
        .parse()
        .unwrap();
    let mut targets: Vec<_> = manifest["bin"]
        .as_array()
        .unwrap()
        .iter()
        .map(|target| target["name"].as_str().unwrap())
        .collect();
    targets.sort_unstable();
    assert_eq!(targets, TARGETS.map(|(name, _)| name));
}

/// A target that cannot fail would find nothing.
#[test]
#[should_panic(expected = "what was written cannot be read")]
fn a_reader_that_refuses_what_was_written_is_noticed() {
    targets::must_be_sound(b"!<arch>\n");
}

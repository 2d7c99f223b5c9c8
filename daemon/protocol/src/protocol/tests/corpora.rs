//! The corpora of the fuzz targets, replayed with a stable compiler.

use std::{fs, path::Path};

use crate::fuzzing;

#[track_caller]
fn replay(target: &str, check: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let mut files = 0;
    for file in fs::read_dir(&corpus).expect("the corpus is committed") {
        let path = file.unwrap().path();
        println!("{}", path.display());
        check(&fs::read(path).unwrap());
        files += 1;
    }
    assert!(files > 0, "{} is empty", corpus.display());
}

#[test]
fn lines() {
    replay("lines", fuzzing::lines);
}

#[test]
fn commands() {
    replay("commands", fuzzing::command);
}

#[test]
fn protocol() {
    replay("protocol", fuzzing::play);
}

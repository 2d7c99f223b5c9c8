//! The same input gives the same bytes.

use packaging::{Epoch, Manifest, Package};

use crate::support::{SAMPLE, bundle, sample_bundle, sample_vib, sources, vib, write};

#[test]
fn two_builds_give_the_same_bytes() {
    assert_eq!(sample_vib().bytes(), sample_vib().bytes());
    assert_eq!(sample_bundle().bytes(), sample_bundle().bytes());
}

#[test]
fn the_order_of_the_rows_does_not_reach_the_bytes() {
    let (head, rows) = SAMPLE.split_once("[[contents]]").unwrap();
    let mut rows: Vec<_> = rows.split("[[contents]]").map(str::trim).collect();
    rows.reverse();
    let reversed = format!("{head}[[contents]]\n{}\n", rows.join("\n[[contents]]\n"));
    let reversed = vib(&reversed, "1.2.0");
    assert_eq!(reversed.bytes(), sample_vib().bytes());
    assert_eq!(
        bundle(&[reversed]).unwrap().bytes(),
        sample_bundle().bytes()
    );
}

#[test]
fn sources_that_no_row_names_do_not_reach_the_bytes() {
    let manifest = Manifest::parse(SAMPLE).unwrap().with_version("1.2.0");
    let epoch = manifest.release_date;
    let mut sources = sources();
    sources.insert("stray".to_owned(), vec![1, 2, 3]);
    let package = Package::new(manifest, &sources, epoch).unwrap();
    assert_eq!(write(&package, &sources).bytes(), sample_vib().bytes());
}

#[test]
fn the_given_time_overrules_the_release_date_everywhere() {
    let manifest = Manifest::parse(SAMPLE).unwrap().with_version("1.2.0");
    let package = Package::new(manifest, &sources(), Epoch::from_unix(86_400).unwrap()).unwrap();
    let vib = write(&package, &sources());
    assert!(
        vib.descriptor()
            .contains("<release-date>1970-01-02T00:00:00.000000+00:00</release-date>")
    );
    assert!(!vib.descriptor().contains("2026"));
    assert_ne!(vib.bytes(), sample_vib().bytes());
}

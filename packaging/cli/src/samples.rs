//! Small packages for the tests of the commands that read them.

use std::{collections::BTreeMap, io::Cursor};

use packaging::{Manifest, Package, Vib};

/// What the package holds, with mode 0755.
pub(crate) const SCRIPT: &[u8] = b"#!/bin/sh\necho hello\n";

/// A package with one script, `opt/hello/hello`, and the payload `hello`.
pub(crate) fn vib() -> Vec<u8> {
    let manifest = Manifest::parse(
        r#"
        name = "hello"
        vendor = "acme"
        vendor-code = "acm"
        version = "1.0"
        release = "1"
        release-date = 2026-01-15T00:00:00Z
        summary = "Greets"
        description = "A script that says hello"
        payloads = [{ name = "hello" }]
        platforms = ["8.*"]
        component = { name = "hello", ui-string = "Hello" }
        bulletin = { kb-url = "https://acme.example/kb", contact = "https://acme.example" }

        [[contents]]
        source = "hello"
        destination = "opt/hello/hello"
        mode = "0755"
        "#,
    )
    .unwrap();
    let sources = BTreeMap::from([("hello".to_owned(), SCRIPT.to_vec())]);
    let epoch = manifest.release_date;
    let package = Package::new(manifest, &sources, epoch).unwrap();
    let (mut spool, mut bytes) = (Cursor::new(Vec::new()), Vec::new());
    Vib::write(&package, &sources, &mut spool, &mut bytes).unwrap();
    bytes
}

//! Builds a VIB and the offline bundle around it, without touching a file.
//!
//! Run it with `cargo run -p packaging --example build_in_memory`.

use std::{
    collections::BTreeMap,
    error::Error,
    io::{self, Cursor, Write as _},
};

use packaging::{Bundle, Manifest, Package, Vib};

const DESCRIPTION: &str = r#"
    name = "hello"
    vendor = "acme"
    vendor-code = "acm"
    version = "1.2.0"
    release = "1"
    release-date = 2026-01-15T00:00:00Z
    summary = "Greets whoever logs in"
    description = "A script that says hello"
    payloads = [{ name = "hello" }]
    platforms = ["7.*", "8.*"]
    component = { name = "hello", ui-string = "Hello" }
    bulletin = { kb-url = "https://acme.example/hello", contact = "https://acme.example" }

    [[contents]]
    source = "hello.sh"
    destination = "opt/hello/bin/hello"
    mode = "0755"
"#;

/// The bytes of the VIB and of the bundle.
///
/// # Errors
/// If the description breaks a rule: the error names all of them.
pub(crate) fn build() -> Result<(Vec<u8>, Vec<u8>), Box<dyn Error>> {
    let manifest = Manifest::parse(DESCRIPTION)?;
    // A map serves as the place where sources are; so does anything else that implements `Sources`.
    let sources = BTreeMap::from([("hello.sh".to_owned(), b"#!/bin/sh\necho hello\n".to_vec())]);
    // The only time that a package knows. The same input gives the same bytes.
    let epoch = manifest.release_date;
    let package = Package::new(manifest, &sources, epoch)?;
    for warning in package.warnings() {
        writeln!(io::stdout(), "warning: {warning}")?;
    }
    // Payloads are written to the spool first: the descriptor before them holds their digests.
    let (mut spool, mut bytes) = (Cursor::new(Vec::new()), Vec::new());
    let vib = Vib::write(&package, &sources, &mut spool, &mut bytes)?;
    let (id, size, sha256) = (vib.id(), vib.size(), vib.sha256());
    writeln!(io::stdout(), "{id}: {size} bytes, SHA-256 {sha256}")?;

    let mut zip = Cursor::new(Vec::new());
    let bundle = Bundle::write(&[vib], |_| Ok(bytes.as_slice()), &mut zip)?;
    writeln!(
        io::stdout(),
        "{}:\n{}",
        bundle.file_name(),
        bundle.entries()
    )?;
    Ok((bytes, zip.into_inner()))
}

fn main() -> Result<(), Box<dyn Error>> {
    build().map(drop)
}

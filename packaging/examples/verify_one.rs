//! Verifies a VIB, a bundle or an archive, and prints what was found.
//!
//! Run it with `cargo run -p packaging --example verify_one -- FILE`.
#![expect(
    clippy::disallowed_types,
    reason = "the library opens no files; programs do"
)]

use std::{
    env,
    error::Error,
    fs::File,
    io::{self, BufReader, Read, Seek, Write as _},
};

use packaging::{
    inspect::{Limits, inspect},
    verify::{Diagnosis, Severity, unreadable, verify},
};

/// Every finding; a file that cannot be understood is one, too.
///
/// # Errors
/// If the medium fails.
pub(crate) fn findings(input: impl Read + Seek) -> Result<Vec<Diagnosis>, Box<dyn Error>> {
    match inspect(input, &Limits::default()) {
        Ok(inspection) => Ok(verify(&inspection)),
        Err(error) if error.is_of_the_system() => Err(error.into()),
        Err(error) => Ok(vec![unreadable(&error)]),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args_os().nth(1).ok_or("give the path of a file")?;
    let findings = findings(BufReader::new(File::open(path)?))?;
    for finding in &findings {
        writeln!(io::stdout(), "{finding}")?;
    }
    let errors = findings
        .iter()
        .filter(|one| one.severity == Severity::Error);
    writeln!(
        io::stdout(),
        "{} findings, {} errors",
        findings.len(),
        errors.count()
    )?;
    Ok(())
}

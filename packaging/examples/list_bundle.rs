//! Lists the VIBs of an offline bundle and what they bring.
//!
//! Run it with `cargo run -p packaging --example list_bundle -- BUNDLE.zip`.
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

use packaging::inspect::{Contents, Limits, inspect};

/// A line for each VIB, and below it one for each file and directory of its payloads.
///
/// # Errors
/// If it is no offline bundle, or cannot be read.
pub(crate) fn list(input: impl Read + Seek) -> Result<Vec<String>, Box<dyn Error>> {
    let inspection = inspect(input, &Limits::default())?;
    let Contents::Bundle(bundle) = inspection.contents else {
        return Err("this is no offline bundle".into());
    };
    let mut lines = Vec::new();
    for file in &bundle.vibs {
        lines.push(file.id.clone());
        let payloads = file.vib.iter().flat_map(|vib| &vib.payloads);
        let archives = payloads.filter_map(|payload| payload.archive.as_ref());
        for entry in archives.flat_map(|archive| &archive.entries) {
            lines.push(format!(
                "  {:04o} {:>10} {}",
                entry.mode, entry.size, entry.path
            ));
        }
    }
    Ok(lines)
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args_os().nth(1).ok_or("give the path of a bundle")?;
    for line in list(BufReader::new(File::open(path)?))? {
        writeln!(io::stdout(), "{line}")?;
    }
    Ok(())
}

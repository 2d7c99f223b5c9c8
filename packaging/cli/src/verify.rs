//! `vib verify`: checks a finished file against the rules of the format.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, ensure};
#[cfg(feature = "signatures")]
use packaging::{Epoch, inspect::inspect_trusting, sign::Trust};
use packaging::{
    inspect::{Limits, inspect},
    rules::{self, Releases},
    verify::{self, Diagnosis, Severity},
};

use crate::{
    input::open,
    print,
    style::{self, stdout_is_coloured},
};

/// Nobody: this program was built without signatures.
#[cfg(not(feature = "signatures"))]
#[derive(Debug, Clone)]
enum Trust {}

/// What to check, and how.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The files
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// CA certificates (PEM); every package must be signed by a certificate that chains to one of
    /// them
    #[cfg(feature = "signatures")]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The time at which the certificates must be valid, as 2026-01-15T00:00:00Z [default: now]
    #[cfg(feature = "signatures")]
    #[arg(long, value_name = "TIME", requires = "ca")]
    at: Option<String>,
    /// Judge for this release of the host, such as 6.7, or line of releases, such as 8; may be
    /// given several times [default: those that a package or its bundle names, else 6.5 to 9.0]
    #[arg(long, value_name = "RELEASE")]
    release: Vec<Releases>,
    /// Print JSON, for programs: an object, or a list of them for several files
    #[arg(long)]
    json: bool,
}

impl Options {
    /// Prints every finding about every file and a count, and tells errors from warnings by the
    /// exit status.
    ///
    /// # Errors
    /// If the CA cannot be read, or a file cannot be opened or read; the others are judged
    /// nevertheless. A file that cannot be understood is a finding.
    pub fn run(&self) -> Result<ExitCode> {
        #[cfg(feature = "signatures")]
        let trust = trust(self.ca.as_deref(), self.at.as_deref())?;
        #[cfg(not(feature = "signatures"))]
        let trust = None;
        run(&self.files, trust.as_ref(), &self.release, self.json)
    }
}

/// Exit status when there are warnings and no errors. 2 is taken by the parser of the command line.
const WARNINGS: u8 = 3;
/// Number of the JSON layout.
const LAYOUT: u32 = 1;
/// How `--at` is written.
#[cfg(feature = "signatures")]
const AT: &str = "write a date, a time and an offset, like 2026-01-15T00:00:00Z, from 1970 to 2107";

/// Prints every finding about every file and a count, and tells errors from warnings by the exit
/// status. `releases` are those that were asked for; none means that each package says it itself.
///
/// # Errors
/// If a file cannot be opened or read; the others are judged nevertheless. One that cannot be
/// understood is a finding.
fn run(
    files: &[PathBuf],
    trust: Option<&Trust>,
    releases: &[Releases],
    json: bool,
) -> Result<ExitCode> {
    let (mut verdicts, mut unread) = (Vec::new(), Vec::new());
    for file in files {
        match judge(file, trust.cloned(), releases) {
            Ok(findings) => {
                let verdict = Verdict { file, findings };
                if !json {
                    print_verdict(&verdict)?;
                }
                verdicts.push(verdict);
            }
            Err(error) => unread.push(format!("{error:#}")),
        }
    }
    if json {
        let objects: Vec<_> = verdicts.iter().map(Verdict::json).collect();
        match (files, objects.as_slice()) {
            // As it was when there was one at a time.
            ([_], [one]) => print(&format!("{one:#}\n"))?,
            ([_], _) => {}
            _ => print(&format!("{:#}\n", serde_json::Value::from(objects)))?,
        }
    }
    ensure!(unread.is_empty(), "{}", unread.join("\n"));
    let most = verdicts.iter().filter_map(Verdict::worst).max();
    Ok(match most {
        None | Some(Severity::Note) => ExitCode::SUCCESS,
        Some(Severity::Warning) => WARNINGS.into(),
        Some(Severity::Error) => ExitCode::FAILURE,
    })
}

/// What was found about a file.
struct Verdict<'f> {
    file: &'f Path,
    findings: Vec<Diagnosis>,
}

impl Verdict<'_> {
    fn count(&self, severity: Severity) -> usize {
        let of = |one: &&Diagnosis| one.severity == severity;
        self.findings.iter().filter(of).count()
    }

    fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|one| one.severity).max()
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "format": LAYOUT,
            "file": self.file.display().to_string(),
            "errors": self.count(Severity::Error),
            "warnings": self.count(Severity::Warning),
            "notes": self.count(Severity::Note),
            "findings": self.findings,
        })
    }
}

/// Every finding, and a line with the file and the count.
fn print_verdict(verdict: &Verdict<'_>) -> Result<()> {
    let coloured = stdout_is_coloured();
    let mut text = String::new();
    for diagnosis in &verdict.findings {
        let plain = diagnosis.to_string();
        let line = if coloured {
            style::weighed(diagnosis.severity, &plain)
        } else {
            plain
        };
        text.extend([line.as_str(), "\n"]);
    }
    let count = |severity| verdict.count(severity);
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let file = verdict.file.display();
    write!(text, "{file}: {errors} errors, {warnings} warnings")?;
    match count(Severity::Note) {
        0 => writeln!(text)?,
        notes => writeln!(text, ", {notes} notes")?,
    }
    print(&text)
}

fn judge(file: &Path, trust: Option<Trust>, releases: &[Releases]) -> Result<Vec<Diagnosis>> {
    let (input, limits) = (open(file)?, Limits::default());
    let inspected = match trust {
        #[cfg(not(feature = "signatures"))]
        Some(nobody) => match nobody {},
        #[cfg(feature = "signatures")]
        Some(trust) => inspect_trusting(input, &limits, trust),
        None => inspect(input, &limits),
    };
    Ok(match inspected {
        Ok(inspection) => match releases.iter().copied().reduce(Releases::or) {
            Some(releases) => verify::verify_on(&inspection, releases),
            None => verify::verify(&inspection),
        },
        Err(error) if error.is_of_the_system() => {
            return Err(error).with_context(|| file.display().to_string());
        }
        Err(error) => vec![verify::unreadable(&error)],
    })
}

/// Judges a file that was made here and is not yet where its user looks for it.
///
/// A signature may still be missing: a package is made first and then signed.
///
/// # Errors
/// With every error that [`run`] would find, and if the file cannot be read.
pub(crate) fn ensure_sound(file: &Path) -> Result<()> {
    let name = file.file_name().unwrap_or_default().display();
    refuse_errors(
        &judge(file, None, &[])?,
        |one| one.finding.rule != rules::SIGNATURE,
        &format!("{name} would be refused by hosts, and was not written"),
    )
}

/// Goes on if none of the findings is an error that counts.
///
/// # Errors
/// With all of them, behind `consequence`.
pub(crate) fn refuse_errors(
    findings: &[Diagnosis],
    counts: impl Fn(&Diagnosis) -> bool,
    consequence: &str,
) -> Result<()> {
    let errors: Vec<_> = findings
        .iter()
        .filter(|one| one.severity == Severity::Error && counts(one))
        .map(ToString::to_string)
        .collect();
    ensure!(errors.is_empty(), "{consequence}:\n{}", errors.join("\n"));
    Ok(())
}

/// The CAs of a PEM file, asked about a time, or about now.
///
/// # Errors
/// If the file holds no certificate, or the time is none.
#[cfg(feature = "signatures")]
fn trust(ca: Option<&Path>, at: Option<&str>) -> Result<Option<Trust>> {
    let Some(ca) = ca else {
        return Ok(None);
    };
    let at = match at {
        Some(text) => {
            Epoch::from_rfc3339(text).map_err(|_| anyhow::anyhow!("--at {text:?}: {AT}"))?
        }
        None => crate::clock::now().context("set it, or use --at")?,
    };
    Trust::from_pem(&crate::input::read(ca)?, at)
        .map(Some)
        .with_context(|| ca.display().to_string())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::samples;

    /// The exit status for a package after an edit of its descriptor that keeps its length.
    fn status(from: &str, to: &str) -> ExitCode {
        assert_eq!(from.len(), to.len());
        let mut bytes = samples::vib();
        let place = bytes
            .windows(from.len())
            .position(|window| window == from.as_bytes())
            .unwrap();
        bytes[place..place + to.len()].copy_from_slice(to.as_bytes());
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), bytes).unwrap();
        run(&[file.path().to_owned()], None, &[], false).unwrap()
    }

    #[test]
    fn the_exit_status_tells_errors_from_warnings() {
        assert_eq!(status("<name>hello<", "<name>hello<"), ExitCode::SUCCESS);
        assert_eq!(
            status("<vib version=\"5.0\"", "<vib version=\"5.1\""),
            ExitCode::from(WARNINGS)
        );
        assert_eq!(
            status("<overlay>false<", "<overlay> true<"),
            ExitCode::FAILURE
        );
        assert_eq!(status("!<arch>", "!<ARCH>"), ExitCode::FAILURE);
    }
}

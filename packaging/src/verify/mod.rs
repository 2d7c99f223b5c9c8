//! The verifier: what is wrong with a finished file, by which rule, what a host would say to it,
//! and what to do.
//!
//! It judges the facts of an [`Inspection`]; all checksums were computed when that was made. Single
//! values are judged by the same [`rules`](crate::rules) that the writer obeys. A rule is applied
//! where it holds: on the releases of the host that are asked for and that a package is for, and to
//! packages of the acceptance levels that it is about.
//!
//! An *error* is what some release of the host is known to refuse, what breaks there, or a
//! contradiction inside the file. A *warning* is what hosts take and a careful packager would not
//! write, or what could not be checked. A *note* is worth knowing and needs no mending; so is all
//! that only releases before 6.5 object to, if neither the package nor its bundle says which ones it
//! is for.

mod bulletins;
mod bundle;
mod checksums;
mod descriptor;
mod entries;
mod leftovers;
mod programs;
mod releases;
mod report;
mod scripts;
mod signature;
mod vib;

use crate::Elf;
use crate::inspect::{Contents, Inspection, ReadError};
use crate::rules::{Finding, LEGACY, Levels, Releases, WRAPPER};

pub use self::report::{Diagnosis, Severity};

use self::Severity::Error;
use self::report::Report;

/// Everything that is wrong with a file, in the order of its parts. Each package is judged for the
/// releases that it and its bundle say it is for, or else for 6.5 to 9.0 (FORMAT.md R10).
pub fn verify(inspection: &Inspection) -> Vec<Diagnosis> {
    judge(inspection, Report::new(None))
}

/// As [`verify`](fn@verify), for these releases of the host. That a package is not for one of them
/// is a finding, too.
pub fn verify_on(inspection: &Inspection, releases: Releases) -> Vec<Diagnosis> {
    judge(inspection, Report::new(Some(releases)))
}

fn judge(inspection: &Inspection, mut report: Report) -> Vec<Diagnosis> {
    match &inspection.contents {
        Contents::Vib(vib) => vib::check(vib, &mut report),
        Contents::Bundle(bundle) => bundle::check(bundle, &mut report),
        Contents::WrappedBundle { inner, bundle } => {
            report
                .add(
                    Error,
                    WRAPPER,
                    format!("zip entry {inner:?}"),
                    "is the offline bundle, and this file only wraps it",
                    "unpack this zip and give hosts the inner one",
                )
                .says("[MetadataDownloadError] Could not download from depot at zip:..index.xml");
            report.inside(inner, |report| bundle::check(bundle, report));
        }
        Contents::LegacyVib(vib) => {
            report
                .add(
                    Error,
                    LEGACY,
                    format!("VIB {:?}", vib.id),
                    format!(
                        "is of the kind {:?}, which only ESX 4.x reads",
                        vib.vib_type
                    ),
                    "look for a package for 5.0 or later",
                )
                .says("This VIB is a ESX 4.x VIB");
        }
        Contents::Archive(archive) => entries::check(None, Elf::X86_64, archive, &mut report),
    }
    report.finish()
}

/// The diagnosis of a file that cannot even be read.
pub fn unreadable(error: &ReadError) -> Diagnosis {
    let (place, problem) = match error {
        ReadError::Within { part, error } => (part.clone(), error.problem()),
        other => ("file".to_owned(), other.problem()),
    };
    Diagnosis {
        severity: Error,
        finding: Finding::new(error.rule(), place, problem, error.remedy()),
        offset: error.offset(),
        host_message: error.host_message(),
        releases: error.rule().releases(),
        levels: Levels::All,
    }
}

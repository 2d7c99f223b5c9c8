//! Checksums of a payload: right, complete, and in the order that old hosts need (FORMAT.md C1,
//! C2).

use super::Severity::{Error, Warning};
use super::report::Report;
use crate::inspect::{Checksum, ChecksumState, Payload};
use crate::rules::{self, Releases, value};

const DIGEST: &str = "[InstallationError] Calculated digest at EOF does not match expected result";
const NO_SHA256_GUNZIP: &str =
    "[ProfileValidationError] payload(s) in VIB .. does not have sha-256 gunzip checksum";
const NO_GUNZIP: &str = "[LiveInstallationError] Tardisk checksum is not found for payload";

pub(super) fn check(payload: &Payload, report: &mut Report) {
    let swapped = swapped(payload);
    for (place, checksum) in payload.checksums.iter().enumerate() {
        match swapped {
            Some((one, two)) if one == place => report_swapped(payload, one, two, report),
            Some((_, two)) if two == place => {}
            _ => check_one(checksum, payload, report),
        }
    }
    check_set(payload, report);
}

/// The places of two checksums each of which is right for the bytes of the other.
fn swapped(payload: &Payload) -> Option<(usize, usize)> {
    let is_of = |one: &Checksum, other: &Checksum| match &other.state {
        ChecksumState::Differs { actual } => {
            one.declared.kind == other.declared.kind && one.declared.value == *actual
        }
        _ => false,
    };
    let checksums = || payload.checksums.iter().enumerate();
    checksums().find_map(|(one, first)| {
        let mut behind = checksums().skip(one + 1);
        let (two, _) = behind.find(|(_, other)| is_of(first, other) && is_of(other, first))?;
        Some((one, two))
    })
}

fn report_swapped(payload: &Payload, one: usize, two: usize, report: &mut Report) {
    let label = |place: usize| {
        let checksum = payload.checksums.get(place);
        checksum.map_or_else(String::new, |checksum| checksum.declared.label())
    };
    report
        .add(
            Error,
            rules::CHECKSUMS,
            format!("checksums {} and {}", label(one), label(two)),
            "these two are swapped: each is that of the other's bytes",
            "swap their values",
        )
        .says(DIGEST);
}

/// Which other bytes of the payload hash to the value of a checksum, and which it is to be of.
fn other_bytes(checksum: &Checksum, payload: &Payload) -> Option<(&'static str, &'static str)> {
    let (kind, process) = (&checksum.declared.kind, &checksum.declared.process);
    let (other, names) = if process.is_none() && !kind.ends_with("-gunzip1") {
        (&payload.unpacked_sums, ("unpacked", "stored"))
    } else {
        (&payload.stored_sums, ("stored", "unpacked"))
    };
    let kind = kind.strip_suffix("-gunzip1").unwrap_or(kind);
    let sum = other.as_ref()?.of(kind)?;
    (sum == checksum.declared.value).then_some(names)
}

fn check_one(checksum: &Checksum, payload: &Payload, report: &mut Report) {
    let declared = &checksum.declared;
    let place = format!("checksum {}", declared.label());
    match &checksum.state {
        ChecksumState::Verified => {}
        ChecksumState::Differs { .. } if !value::is_digest(&declared.kind, &declared.value) => {
            report
                .add(
                    Error,
                    rules::CHECKSUMS,
                    place,
                    format!("is {:?}, which is no digest of its type", declared.value),
                    "write it as hexadecimal digits",
                )
                .says(DIGEST);
        }
        ChecksumState::Differs { actual } => {
            let value = &declared.value;
            let (problem, remedy) = match other_bytes(checksum, payload) {
                Some((found, wanted)) => (
                    format!("is {value}, which is the sum of the {found} bytes"),
                    format!("write that of the {wanted} ones, {actual}"),
                ),
                None => (
                    format!("is {value}, but the bytes hash to {actual}"),
                    "fetch the file again; if that does not help, build it again".to_owned(),
                ),
            };
            report
                .add(Error, rules::CHECKSUMS, place, problem, remedy)
                .says(DIGEST);
        }
        ChecksumState::Unverified { .. } if payload.size.is_none() => {}
        ChecksumState::Unverified { reason } => {
            report.add(
                Warning,
                rules::CHECKSUMS,
                place,
                format!("could not be compared: {reason}"),
                "compare it by other means",
            );
        }
    }
}

fn check_set(payload: &Payload, report: &mut Report) {
    let has = |kind: &str, process: Option<&str>| {
        let mut sums = payload.checksums.iter().map(|sum| &sum.declared);
        sums.any(|sum| sum.kind == kind && sum.process.as_deref() == process)
    };
    let stored = has("sha-256", None);
    if !stored {
        report.add(
            Error,
            rules::CHECKSUMS,
            "checksum sha-256",
            "is missing, by which all releases check the download",
            "add the SHA-256 of the stored bytes",
        );
    }
    // Other types are not mounted, and need not be gzipped.
    if !matches!(payload.kind.as_str(), "tgz" | "vgz" | "vzstd") {
        return;
    }
    let sha256 = has("sha-256", Some("gunzip"));
    let sha1 = has("sha-1", Some("gunzip"));
    if !sha256 {
        report
            .add(
                Error,
                rules::CHECKSUMS.on(Releases::from(8, 0)),
                "checksum sha-256 gunzip",
                "is missing, which 8.0 and later demand",
                "add the SHA-256 of the unpacked archive, as the first checksum",
            )
            .says(NO_SHA256_GUNZIP);
    }
    if !sha1 {
        report.add(
            Warning,
            rules::CHECKSUMS.on(Releases::from(6, 0).and(Releases::up_to(6, 7))),
            "checksum sha-1 gunzip",
            "is missing, by which 6.x checks payloads",
            "add the SHA-1 of the unpacked archive, as the last checksum",
        );
    }
    if !sha256 && !sha1 {
        report
            .add(
                Error,
                rules::CHECKSUMS.on(Releases::from(6, 7).and(Releases::up_to(7, 0))),
                "checksums",
                "have none of the unpacked archive, without which nothing is installed live",
                "add the SHA-256 of the unpacked archive, as the first checksum",
            )
            .says(NO_GUNZIP);
    }
    let is_sha256 = |sum: &&Checksum| sum.declared.kind == "sha-256";
    let last = payload.checksums.iter().rfind(is_sha256);
    if stored && last.is_some_and(|sum| sum.declared.process.is_some()) {
        report
            .add(
                Error,
                rules::CHECKSUM_ORDER.on(Releases::up_to(6, 5)),
                "checksums",
                "end, among those of SHA-256, with one of the unpacked archive, and releases up to 6.5 take the last for that of the stored bytes",
                "put the SHA-256 of the stored bytes behind it",
            )
            .says(DIGEST);
    }
}

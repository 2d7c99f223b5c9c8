//! Checksums of a payload: right, complete, and in the order that old hosts need (FORMAT.md C1,
//! C2).

use super::Report;
use crate::inspect::{Checksum, ChecksumState, Payload};
use crate::rules;

const DIGEST: &str = "[InstallationError] Calculated digest at EOF does not match expected result";
const NO_SHA256_GUNZIP: &str =
    "[ProfileValidationError] payload(s) in VIB .. does not have sha-256 gunzip checksum";
const NO_GUNZIP: &str = "[LiveInstallationError] Tardisk checksum is not found for payload";

pub(super) fn check(payload: &Payload, report: &mut Report) {
    for checksum in &payload.checksums {
        let place = format!("checksum {}", checksum.label());
        match &checksum.state {
            ChecksumState::Verified => {}
            ChecksumState::Differs { actual } => {
                let problem = format!("is {}, but the bytes hash to {actual}", checksum.value);
                report
                    .error(
                        rules::CHECKSUMS,
                        place,
                        problem,
                        "fetch the file again; if that does not help, build it again",
                    )
                    .host_message = Some(DIGEST);
            }
            ChecksumState::Unverified { .. } if payload.size.is_none() => {}
            ChecksumState::Unverified { reason } => {
                let problem = format!("could not be compared: {reason}");
                report.warning(
                    rules::CHECKSUMS,
                    place,
                    problem,
                    "compare it by other means",
                );
            }
        }
    }
    check_set(payload, report);
}

fn check_set(payload: &Payload, report: &mut Report) {
    let has = |kind: &str, process: Option<&str>| {
        let mut sums = payload.checksums.iter();
        sums.any(|sum| sum.kind == kind && sum.process.as_deref() == process)
    };
    let stored = has("sha-256", None);
    let sha256 = has("sha-256", Some("gunzip"));
    let sha1 = has("sha-1", Some("gunzip"));
    if !stored {
        report.error(
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
    if !sha256 {
        report
            .error(
                rules::CHECKSUMS,
                "checksum sha-256 gunzip",
                "is missing, which 8.0 and later demand",
                "add the SHA-256 of the unpacked archive, as the first checksum",
            )
            .host_message = Some(if sha1 { NO_SHA256_GUNZIP } else { NO_GUNZIP });
    }
    if !sha1 {
        report.warning(
            rules::CHECKSUMS,
            "checksum sha-1 gunzip",
            "is missing, by which 6.x checks payloads",
            "add the SHA-1 of the unpacked archive, as the last checksum",
        );
    }
    let is_sha256 = |sum: &&Checksum| sum.kind == "sha-256";
    let last = payload.checksums.iter().rfind(is_sha256);
    if stored && last.is_some_and(|sum| sum.process.is_some()) {
        report
            .error(
                rules::CHECKSUM_ORDER,
                "checksums",
                "end, among those of SHA-256, with one of the unpacked archive, and releases up to 6.5 take the last for that of the stored bytes",
                "put the SHA-256 of the stored bytes behind it",
            )
            .host_message = Some(DIGEST);
    }
}

//! Signatures: what an acceptance level demands, and whether the one that is there holds (FORMAT.md
//! S1 to S4).

use super::Severity::{Error, Note, Warning};
use super::report::Report;
use crate::inspect::Vib;
use crate::rules::{self, Finding};
use crate::sign::Fault;

/// A signature that is there must hold: above community, and wherever signers are looked for, at the
/// price of an error. Else hosts never look at it. `level` is one that is known.
pub(super) fn check(vib: &Vib, level: &str, report: &mut Report) {
    let demanded = level != "community";
    let place = format!("acceptance-level {level:?}");
    let Some(check) = &vib.signature_check else {
        if demanded {
            report
                .add(
                    Error,
                    rules::SIGNATURE,
                    place,
                    "is above community, but the package is not signed",
                    "sign it, or set the level to community",
                )
                .says("does not contain a signature");
        } else if vib.wants_signature {
            report.add(
                Error,
                rules::SIGNATURE,
                "sig.pkcs7",
                "is empty, but a signature is asked for",
                "sign the package, or ask without --ca",
            );
        }
        return;
    };
    for fault in &check.faults {
        let severity = if fault.is_harmless() {
            Note
        } else if *fault == Fault::Unchecked {
            Warning
        } else if (demanded || check.trust_checked) && !fault.is_minor() {
            Error
        } else {
            Warning
        };
        let finding = Finding::new(fault.rule(), "sig.pkcs7", fault.to_string(), fault.remedy());
        let reported = report.found(severity, finding);
        if let Some(message) = fault.host_message().filter(|_| demanded) {
            reported.says(message);
        }
    }
    if demanded && check.holds() && !check.trust_checked {
        report.add(
            Warning,
            rules::TRUST,
            place,
            "needs a trusted signer, and whether this one is trusted was not checked",
            "give the vendor's CA with --ca",
        );
    }
}

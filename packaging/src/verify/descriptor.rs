//! The descriptor by itself: its elements and their values (FORMAT.md D1 to D8, I1 to I10).

use super::Severity::{Error, Note, Warning};
use super::report::Report;
use crate::Version;
use crate::inspect::{BeyondAscii, Descriptor, Misspelt};
use crate::rules::{self, Level, constraint, name, value};

const PARSE_VERSION: &str = "Could not parse VIB XML data: .. invalid version";
const PARSE_DECLARATION: &str =
    "Could not parse VIB XML data: Unicode strings with encoding declaration";
const MODE: &str = "maintenance-mode";
const KINDS: [&str; 3] = ["bootbank", "locker", "meta"];

/// The acceptance level, if it is one.
pub(super) fn level(descriptor: &Descriptor) -> Option<Level> {
    descriptor.acceptance_level.as_deref()?.parse().ok()
}

pub(super) fn check(descriptor: &Descriptor, report: &mut Report) {
    check_elements(descriptor, report);
    check_identity(descriptor, report);
    check_values(descriptor, report);
    check_relationships(descriptor, report);
}

/// Hosts save descriptors in a database, as ASCII.
pub(super) fn check_ascii(file: &str, found: Option<&BeyondAscii>, report: &mut Report) {
    let Some(found) = found else {
        return;
    };
    let (problem, remedy) = if found.word.is_empty() {
        (
            "begins with a byte order mark".to_owned(),
            "save it without",
        )
    } else {
        let word = &found.word;
        let problem = format!("holds characters beyond ASCII, in \"{word}\"");
        (
            problem,
            "write it in ASCII, for instance with ae for \u{e4}",
        )
    };
    let place = format!("{file} at byte {}", found.offset);
    report
        .add(Warning, rules::ASCII, place, problem, remedy)
        .says("UnicodeEncodeError: 'ascii' codec can't encode character ..")
        .at(found.offset);
}

/// Hosts ignore what they do not know, also where it is clear what is meant.
pub(super) fn check_spelling(misspelt: &[Misspelt], report: &mut Report) {
    for one in misspelt {
        let Misspelt {
            within,
            name,
            meant,
            ..
        } = one;
        let place = match within {
            Some(within) => format!("{within}, {name:?}"),
            None => format!("element {name:?}"),
        };
        let (rule, effect) = match (*within, *meant) {
            (_, MODE) => (
                rules::SYSTEM_REQUIRES,
                " and assume that maintenance mode is needed",
            ),
            (Some("system-requires"), _) => (rules::SYSTEM_REQUIRES, ""),
            _ => (rules::ELEMENTS, ""),
        };
        let problem = format!("is not known to hosts, which ignore it{effect}");
        report.add(Note, rule, place, problem, format!("write it as {meant:?}"));
    }
}

fn check_elements(descriptor: &Descriptor, report: &mut Report) {
    check_spelling(&descriptor.misspelt, report);
    let said = &descriptor.maintenance_mode_install;
    if said.is_none() && !descriptor.misspelt.iter().any(|one| one.meant == MODE) {
        report.add(
            Note,
            rules::SYSTEM_REQUIRES,
            MODE,
            "is missing, which hosts take for true",
            "write it out",
        );
    }
    check_ascii("descriptor.xml", descriptor.beyond_ascii.as_ref(), report);
    if descriptor.names_encoding {
        report
            .add(
                Error,
                rules::NO_DECLARATION,
                "descriptor.xml",
                "has an XML declaration that names an encoding",
                "remove the declaration",
            )
            .says(PARSE_DECLARATION);
    }
    if descriptor.format_version.as_deref() != Some("5.0") {
        report.add(
            Warning,
            rules::DESCRIPTOR_ROOT,
            "descriptor.xml",
            "is not of version 5.0",
            "write <vib version=\"5.0\">",
        );
    }
    for element in &descriptor.repeated {
        report.add(
            Error,
            rules::ELEMENTS,
            format!("element {element:?}"),
            "stands there more than once, and readers differ in which one they take",
            "keep one",
        );
    }
    for element in &descriptor.absent {
        // Packages of the kind meta hold nothing.
        if !(descriptor.kind == "meta" && matches!(*element, "payloads" | "file-list")) {
            report.add(
                Warning,
                rules::ELEMENTS,
                format!("element {element:?}"),
                "is missing",
                "add it; it may be empty where it is a list",
            );
        }
    }
}

fn check_identity(descriptor: &Descriptor, report: &mut Report) {
    for (element, value) in [
        ("type", &descriptor.kind),
        ("name", &descriptor.name),
        ("vendor", &descriptor.vendor),
    ] {
        if value.is_empty() {
            report.add(
                Error,
                rules::IDENTITY,
                element,
                "is empty or missing",
                "fill it in",
            );
        }
    }
    if !descriptor.kind.is_empty() && !KINDS.contains(&descriptor.kind.as_str()) {
        report.add(
            Error,
            rules::ELEMENTS,
            format!("type {:?}", descriptor.kind),
            "is unknown",
            format!("use {}, or another of {}", KINDS[0], KINDS.join(", ")),
        );
    }
    if let Err(finding) = Version::parse(&descriptor.version) {
        // Only the schema insists on the dash.
        if descriptor.version.contains('-') {
            report.found(Error, finding).says(PARSE_VERSION);
        } else {
            report.found(Warning, finding);
        }
    }
    // These are rules of the vendor's build tool. Hosts take more.
    let mut findings = Vec::new();
    for (key, value) in [("name", &descriptor.name), ("vendor", &descriptor.vendor)] {
        findings.extend(
            (!value.is_empty())
                .then(|| name::name(key, value))
                .flatten(),
        );
    }
    let summary = descriptor.summary.as_deref();
    findings.extend(summary.and_then(|text| name::summary("summary", text)));
    for url in &descriptor.urls {
        findings.extend(name::url("urls", &url.key, &url.url));
    }
    for finding in findings {
        report.found(Warning, finding);
    }
}

fn check_values(descriptor: &Descriptor, report: &mut Report) {
    if let Some(date) = &descriptor.release_date
        && !value::is_time(date)
    {
        report.add(
            Error,
            rules::DESCRIPTOR_ROOT,
            format!("release-date {date:?}"),
            "is no time",
            "write it like 2026-01-15T00:00:00.000000+00:00",
        );
    }
    let (install, remove) = (
        &descriptor.maintenance_mode_install,
        &descriptor.maintenance_mode_remove,
    );
    // One word may stand for both.
    let remove = remove.as_ref().filter(|_| install != remove).cloned();
    for (element, text) in [
        ("maintenance-mode", install),
        ("maintenance-mode", &remove),
        ("live-install-allowed", &descriptor.live_install_allowed),
        ("live-remove-allowed", &descriptor.live_remove_allowed),
        ("cimom-restart", &descriptor.cimom_restart),
        ("stateless-ready", &descriptor.stateless_ready),
        ("overlay", &descriptor.overlay),
    ] {
        if let Some(text) = text
            && value::truth(text).is_none()
        {
            report.add(
                Error,
                rules::TRUTH,
                format!("{element} {text:?}"),
                "is neither true nor false",
                "write true or false",
            );
        }
    }
    if descriptor
        .overlay
        .as_deref()
        .is_some_and(|overlay| overlay != "false")
    {
        report
            .add(
                Error,
                rules::OVERLAY,
                "overlay",
                "is not false in a community package",
                "set it to false",
            )
            .says(super::vib::PATH_LIST);
    }
}

fn check_relationships(descriptor: &Descriptor, report: &mut Report) {
    for (list, relations) in descriptor.relationships.in_order() {
        for relation in relations {
            let finding = constraint::parts(
                &format!("relationships.{list}"),
                &relation.name,
                relation.relation.as_deref(),
                relation.version.as_deref(),
            );
            if let Some(finding) = finding {
                // Names that we would not use, and relations in `provides`, are seen in the field.
                let known = relation.relation.is_none() || list == "provides";
                let severity = if known || finding.rule == rules::NAME {
                    Warning
                } else {
                    Error
                };
                report.found(severity, finding);
            }
        }
    }
}

//! Names and texts: who may be called what, and how long it may be.
//!
//! Each function returns what is wrong with one value. `key` is the key of `package.toml` that
//! holds it.

use super::{
    ASCII, BOOT_BANK_NAME, BULLETIN, Finding, NAME, PAYLOAD_NAME, PLATFORM, Rule, SUMMARY, TEXT,
    URL_KEY, VENDOR_CODE,
};
use crate::manifest::PayloadType;

/// Most characters of a package's or vendor's name.
pub const NAME_LIMIT: usize = 35;
/// Most characters of a summary.
pub const SUMMARY_LIMIT: usize = 80;
/// Most characters of the key of an address.
pub const URL_KEY_LIMIT: usize = 20;
/// Most characters of a payload's name; hosts refuse a longer one.
pub const PAYLOAD_NAME_LIMIT: usize = 15;
/// Payload names must not begin with these: the boot loader gives such modules a meaning of their
/// own.
const RESERVED_PAYLOAD_NAMES: [&str; 3] = ["useropts", "features", "jumpstrt"];
/// Members that every VIB has in front of its payloads.
const OTHER_MEMBERS: [&str; 2] = ["descriptor.xml", "sig.pkcs7"];
/// Files of the boot bank that are the host's own.
const RESERVED_BOOT_BANK_NAMES: [&str; 3] = ["boot.cfg", "imgdb.tgz", "state.tgz"];
/// Most characters of a file name in the boot bank, in front of the dot and behind it.
const VFAT_NAME_LIMITS: (usize, usize) = (8, 3);

/// Name of a package, a vendor or a component.
pub fn name(key: &str, value: &str) -> Option<Finding> {
    identifier(NAME, key, value, NAME_LIMIT)
}

/// Name of a payload. It becomes an ar member and, cut down, a file name of the boot bank.
pub fn payload_name(key: &str, value: &str) -> Option<Finding> {
    identifier(PAYLOAD_NAME, key, value, PAYLOAD_NAME_LIMIT).or_else(|| {
        if OTHER_MEMBERS.contains(&value) {
            return Some(Finding::new(
                PAYLOAD_NAME,
                format!("{key} {value:?}"),
                "is the name of a member that every VIB has",
                "choose another name",
            ));
        }
        let reserved = RESERVED_PAYLOAD_NAMES
            .into_iter()
            .find(|prefix| value.starts_with(prefix))?;
        Some(Finding::new(
            PAYLOAD_NAME,
            format!("{key} {value:?}"),
            format!("begins with {reserved:?}, which the host keeps for itself"),
            "choose another name",
        ))
    })
}

/// A file name that was chosen for the boot bank: 8.3, and not one of the host's own.
pub fn vfat_name(key: &str, value: &str) -> Option<Finding> {
    let found = |problem: &str, remedy: &str| {
        let place = format!("{key} {value:?}");
        Some(Finding::new(BOOT_BANK_NAME, place, problem, remedy))
    };
    let sound = |part: &str, limit: usize| {
        let mut bytes = part.bytes();
        (1..=limit).contains(&part.len())
            && bytes.all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'_'))
    };
    let (stem, end) = value.split_once('.').unwrap_or_default();
    if !sound(stem, VFAT_NAME_LIMITS.0) || !sound(end, VFAT_NAME_LIMITS.1) {
        return found(
            "is not of the form 8.3",
            "write 1 to 8 and 1 to 3 of 0-9, a-z and '_' around a dot",
        );
    }
    if RESERVED_BOOT_BANK_NAMES.contains(&value) {
        return found("is a file of the host itself", "choose another name");
    }
    None
}

/// Whether a file name of the boot bank would lead elsewhere, or to a file of the host itself.
pub fn leaves_boot_bank(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    value.contains(['/', '\\'])
        || matches!(value, "" | "." | "..")
        || RESERVED_BOOT_BANK_NAMES.contains(&lower.as_str())
}

/// The file name that a payload has in the boot bank if nothing else is called so (FORMAT.md H2).
pub fn boot_bank_name(payload: &str, kind: PayloadType, vfat_name: Option<&str>) -> String {
    let generated = || {
        let cut: String = payload.chars().take(VFAT_NAME_LIMITS.0).collect();
        let stem = cut.replace('-', "_").to_ascii_lowercase();
        let letter: String = kind.to_string().chars().take(1).collect();
        format!("{stem}.{letter}00")
    };
    vfat_name.map_or_else(generated, str::to_owned)
}

/// The vendor code of a bundle's index.
pub fn vendor_code(key: &str, value: &str) -> Option<Finding> {
    let sound = value.len() == 3 && value.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (!sound).then(|| {
        Finding::new(
            VENDOR_CODE,
            format!("{key} {value:?}"),
            "is not made of exactly three ASCII letters or digits",
            "choose three that no other vendor uses",
        )
    })
}

/// One line that introduces the package.
pub fn summary(key: &str, value: &str) -> Option<Finding> {
    let length = value.chars().count();
    if length > SUMMARY_LIMIT {
        return Some(Finding::new(
            SUMMARY,
            key,
            format!("has {length} characters, {SUMMARY_LIMIT} are allowed"),
            "shorten it and tell the rest in description",
        ));
    }
    text(key, value)
}

/// Any other text that reaches an XML file: not empty, and only characters that XML has.
pub fn text(key: &str, value: &str) -> Option<Finding> {
    if value.trim().is_empty() {
        return Some(Finding::new(
            BULLETIN,
            key,
            "is empty",
            "fill it in: index files without it are refused",
        ));
    }
    let stray = value
        .chars()
        .find(|c| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}'))?;
    Some(Finding::new(
        TEXT,
        key,
        format!("contains the character {stray:?}"),
        "write it as one line of printable text",
    ))
}

/// A text of the descriptor that hosts have to save in a database (FORMAT.md D11).
pub fn ascii(key: &str, value: &str) -> Option<Finding> {
    let stray = value.chars().find(|c| !c.is_ascii())?;
    Some(Finding::new(
        ASCII,
        key,
        format!("contains {stray:?}, and a host may fail to save what is beyond ASCII"),
        "write it in ASCII, for instance with ae for \u{e4}",
    ))
}

/// An address of the descriptor, as key and value.
pub fn url(key: &str, url_key: &str, value: &str) -> Option<Finding> {
    let place = format!("{key}.{url_key}");
    identifier(URL_KEY, &place, url_key, URL_KEY_LIMIT).or_else(|| text(&place, value))
}

/// A release of the host, with `*` for any last part: `6.*`, `7.0`, `8.0.3-24449057`.
pub fn platform(key: &str, value: &str) -> Option<Finding> {
    let sound = value.starts_with(|first: char| first.is_ascii_digit())
        && value
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'*'));
    (!sound).then(|| {
        Finding::new(
            PLATFORM,
            format!("{key} {value:?}"),
            "is not a release of the host",
            r#"write it like "6.*" or "7.0.3""#,
        )
    })
}

fn identifier(rule: Rule, key: &str, value: &str, limit: usize) -> Option<Finding> {
    let place = || format!("{key} {value:?}");
    if value.is_empty() {
        return Some(Finding::new(
            rule,
            place(),
            "is empty",
            format!("give it 1 to {limit} characters"),
        ));
    }
    if let Some(stray) = value
        .chars()
        .find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '.' | '-'))
    {
        return Some(Finding::new(
            rule,
            place(),
            format!("contains {stray:?}"),
            "use ASCII letters, digits, '_', '.' and '-' only",
        ));
    }
    (value.len() > limit).then(|| {
        Finding::new(
            rule,
            place(),
            format!("has {} characters, {limit} are allowed", value.len()),
            "choose a shorter name",
        )
    })
}

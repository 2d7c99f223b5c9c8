//! Names and texts: who may be called what, and how long it may be.
//!
//! Each function returns what is wrong with one value. `key` is the key of `package.toml` that
//! holds it.

use super::{
    BULLETIN, Finding, NAME, PAYLOAD_NAME, PLATFORM, Rule, SUMMARY, TEXT, URL_KEY, VENDOR_CODE,
};

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

/// Name of a package, a vendor or a component.
pub fn name(key: &str, value: &str) -> Option<Finding> {
    identifier(NAME, key, value, NAME_LIMIT)
}

/// Name of a payload. It becomes an ar member and, cut down, a file name of the boot bank.
pub fn payload_name(key: &str, value: &str) -> Option<Finding> {
    identifier(PAYLOAD_NAME, key, value, PAYLOAD_NAME_LIMIT).or_else(|| {
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

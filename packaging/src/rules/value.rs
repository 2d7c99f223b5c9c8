//! Values of XML files that are more than text: truth values, times, sizes, digests.

/// Whether a text is one of the two truth values, in the spellings that XML's schema knows.
pub fn truth(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// Whether a text is a size in bytes.
pub fn is_size(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && text.parse::<u64>().is_ok()
}

/// Hexadecimal digits of a digest of this `checksum-type`; `None` for types that are not known.
pub fn digest_length(kind: &str) -> Option<usize> {
    match kind.strip_suffix("-gunzip1").unwrap_or(kind) {
        "sha-256" => Some(64),
        "sha-1" => Some(40),
        _ => None,
    }
}

/// Whether a text can be a digest of this type: as many hexadecimal digits as it has.
pub fn is_digest(kind: &str, text: &str) -> bool {
    digest_length(kind).is_none_or(|length| text.len() == length)
        && !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a text is a time as descriptors have it (FORMAT.md D2):
/// `YYYY-MM-DDThh:mm:ss[.ffffff][Z or +hh:mm]`.
pub fn is_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    let Some((stamp, rest)) = bytes.split_at_checked(19) else {
        return false;
    };
    let number = |from: usize, to: usize| -> Option<u32> {
        let digits = stamp.get(from..to)?;
        let digits = digits.iter().all(u8::is_ascii_digit).then_some(digits)?;
        std::str::from_utf8(digits).ok()?.parse().ok()
    };
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    let separated = separators
        .iter()
        .all(|(place, byte)| stamp.get(*place) == Some(byte));
    let date = || {
        let year = i32::try_from(number(0, 4)?).ok()?;
        chrono::NaiveDate::from_ymd_opt(year, number(5, 7)?, number(8, 10)?)?.and_hms_opt(
            number(11, 13)?,
            number(14, 16)?,
            number(17, 19)?,
        )
    };
    separated && date().is_some() && is_rest_of_time(rest)
}

/// The point in time that a text stands for, in nanoseconds since 1970 (FORMAT.md D2); without a
/// zone it is one of UTC. `None` for what is no time.
pub fn instant(text: &str) -> Option<i128> {
    if !is_time(text) {
        return None;
    }
    let (stamp, rest) = text.split_at_checked(19)?;
    let stamp = chrono::NaiveDateTime::parse_from_str(stamp, "%Y-%m-%dT%H:%M:%S").ok()?;
    let digits = rest.strip_prefix('.').unwrap_or_default();
    let digits: String = digits.chars().take_while(char::is_ascii_digit).collect();
    let fraction = if digits.is_empty() {
        0
    } else {
        digits.len() + 1
    };
    let nanoseconds: i128 = digits
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect::<String>()
        .parse()
        .ok()?;
    let zone = rest.get(fraction..)?;
    let ahead = match zone.split_once(':') {
        None => 0,
        Some((hours, minutes)) => {
            let (sign, hours) = hours.split_at_checked(1)?;
            let minutes = hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?;
            if sign == "-" { -minutes } else { minutes }
        }
    };
    let seconds = stamp.and_utc().timestamp() - ahead * 60;
    Some(i128::from(seconds) * 1_000_000_000 + nanoseconds)
}

/// Fraction of a second and zone, both optional.
fn is_rest_of_time(rest: &[u8]) -> bool {
    let zone = match rest.strip_prefix(b".") {
        None => rest,
        Some(fraction) => {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit());
            let count = digits.count();
            if count == 0 {
                return false;
            }
            fraction.get(count..).unwrap_or_default()
        }
    };
    match zone {
        [] | b"Z" => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => {
            [h1, h2, m1, m2].iter().all(|byte| byte.is_ascii_digit())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_descriptors() {
        for text in [
            "2026-01-15T00:00:00",
            "2026-01-15T23:59:59.000000+00:00",
            "2026-02-28T00:00:00Z",
            "2026-01-15T00:00:00.1-08:00",
        ] {
            assert!(is_time(text), "{text}");
        }
        for text in [
            "",
            "2026-01-15",
            "2026-02-30T00:00:00",
            "2026-01-15 00:00:00",
            "2026-01-15T24:00:00",
            "2026-01-15T00:00:00.",
            "2026-01-15T00:00:00+0000",
            "2026-01-15T00:00:00Zulu",
            "+026-01-15T00:00:00",
            "2026-01-15T00:00:0\u{e9}",
        ] {
            assert!(!is_time(text), "{text}");
        }
    }

    #[test]
    fn a_digest_has_the_length_of_its_type() {
        assert!(is_digest("sha-1", &"aF".repeat(20)));
        assert!(is_digest("sha-256-gunzip1", &"0".repeat(64)));
        assert!(!is_digest("sha-256", &"0".repeat(40)));
        assert!(!is_digest("sha-1", &"g".repeat(40)));
        assert!(is_digest("md5", "00"));
        assert!(!is_digest("md5", ""));
    }

    #[test]
    fn sizes_are_plain_numbers() {
        assert!(is_size("0") && is_size("10737418240"));
        for text in ["", "-1", "+1", "1.0", "1e3", "99999999999999999999"] {
            assert!(!is_size(text), "{text}");
        }
    }
}

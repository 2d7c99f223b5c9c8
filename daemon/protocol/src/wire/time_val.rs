//! Points in time as FTP writes them (`time-val` of RFC 3659, section 2.3).

use chrono::{DateTime, Datelike as _, NaiveDate, Timelike as _};

use super::line_buffer::LineBuffer;
use crate::request::Timestamp;

/// `YYYYMMDDHHMMSS` in UTC. Absent for years that do not have four digits. Fractions of a second
/// are left out: no other server sends them, and many programs parse 14 digits.
pub fn format(time: Timestamp) -> Option<String> {
    let mut text = LineBuffer::default();
    write(&mut text, time)?;
    String::from_utf8(text.as_bytes().to_vec()).ok()
}

/// Appends what [`format()`] gives, or nothing. Listings write many.
pub fn write(text: &mut LineBuffer, time: Timestamp) -> Option<()> {
    let date = DateTime::from_timestamp(time.seconds, time.nanoseconds)?;
    let year = u64::try_from(date.year())
        .ok()
        .filter(|year| *year <= 9999)?;
    // All in one number: 14 digits.
    let rest = [
        date.month(),
        date.day(),
        date.hour(),
        date.minute(),
        date.second(),
    ];
    let digits = rest
        .into_iter()
        .fold(year, |digits, two| digits * 100 + u64::from(two));
    text.number::<10>(digits, 14, b'0');
    Some(())
}

/// The time that a client sent: 14 digits, or 12 without the seconds, and perhaps a fraction.
pub fn parse(text: &[u8]) -> Option<Timestamp> {
    let text = str::from_utf8(text).ok()?;
    let (digits, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !matches!(digits.len(), 12 | 14) || !all_digits(digits) {
        return None;
    }
    if fraction.is_empty() || fraction.len() > 9 || !all_digits(fraction) {
        return None;
    }
    let number = |from: usize, to: usize| digits.get(from..to)?.parse::<u32>().ok();
    let year = i32::try_from(number(0, 4)?).ok()?;
    // A leap second, which RFC 3659 allows, becomes the second before it.
    let seconds = number(12, 14).unwrap_or(0);
    if seconds > 60 {
        return None;
    }
    let time = NaiveDate::from_ymd_opt(year, number(4, 6)?, number(6, 8)?)?.and_hms_opt(
        number(8, 10)?,
        number(10, 12)?,
        seconds.min(59),
    )?;
    Some(Timestamp {
        seconds: time.and_utc().timestamp(),
        nanoseconds: format!("{fraction:0<9}").parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64, nanoseconds: u32) -> Timestamp {
        Timestamp {
            seconds,
            nanoseconds,
        }
    }

    #[test]
    fn times_have_14_digits_and_no_fraction() {
        assert_eq!(format(at(0, 0)).unwrap(), "19700101000000");
        for nanoseconds in [999, 7_000_000, 999_999_999] {
            let time = at(951_782_400, nanoseconds);
            assert_eq!(format(time).unwrap(), "20000229000000");
        }
        assert_eq!(format(at(-1, 999_999_999)).unwrap(), "19691231235959");
    }

    #[test]
    fn years_without_four_digits_have_no_form() {
        assert_eq!(format(at(i64::MAX, 0)), None);
        assert_eq!(format(at(253_402_300_800, 0)), None);
        assert_eq!(format(at(253_402_300_799, 0)).unwrap(), "99991231235959");
    }

    #[test]
    fn what_clients_send_is_understood() {
        assert_eq!(parse(b"20000229000000"), Some(at(951_782_400, 0)));
        assert_eq!(parse(b"200002290000"), Some(at(951_782_400, 0)));
        assert_eq!(
            parse(b"20000229000000.5"),
            Some(at(951_782_400, 500_000_000))
        );
        assert_eq!(parse(b"20001231235960"), parse(b"20001231235959"));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2000022900000",
            "20010229000000",
            "20000229240000",
            "20000229000061",
            "20000229000000.",
            "20000229000000.1234567890",
            "2000022900000x",
            "+0000229000000",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn times_are_as_the_library_writes_them(
            seconds in -62_200_000_000i64..253_500_000_000,
            nanoseconds in 0u32..1_000_000_000,
        ) {
            let date = DateTime::from_timestamp(seconds, nanoseconds).unwrap();
            let expected = date.format("%Y%m%d%H%M%S").to_string();
            let expected = (0..=9999).contains(&date.year()).then_some(expected);
            prop_assert_eq!(format(at(seconds, nanoseconds)), expected);
        }

        #[test]
        fn times_come_back(seconds in -62_135_596_800i64..253_402_300_800) {
            let time = at(seconds, 0);
            prop_assert_eq!(parse(format(time).unwrap().as_bytes()), Some(time));
        }

        #[test]
        fn nothing_panics(text: Vec<u8>, seconds: i64, nanoseconds: u32) {
            parse(&text);
            format(at(seconds, nanoseconds));
        }
    }
}

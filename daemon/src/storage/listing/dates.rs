//! Dates as `ls -l` writes them.

use chrono::{DateTime, Datelike as _, Timelike as _};
use protocol::wire::line_buffer::LineBuffer;

/// Half a year as GNU ls counts it, in seconds: half of 365.2425 days.
const HALF_YEAR: i64 = 31_556_952 / 2;

const MONTHS: [[u8; 3]; 12] = [
    *b"Jan", *b"Feb", *b"Mar", *b"Apr", *b"May", *b"Jun", *b"Jul", *b"Aug", *b"Sep", *b"Oct",
    *b"Nov", *b"Dec",
];

/// Appends twelve characters: month, day, and the time for the last six months, else the year.
/// Times are in seconds since 1970, `offset` is what the local time is ahead of UTC.
pub(super) fn write_date(line: &mut LineBuffer, modified: i64, now: i64, offset: i32) {
    let recent = modified <= now && modified > now.saturating_sub(HALF_YEAR);
    let date = DateTime::from_timestamp(modified.saturating_add(offset.into()), 0);
    // A year that does not have four digits is a fault of the file system.
    let date = date.filter(|date| (0..=9999).contains(&date.year()));
    let date = date.unwrap_or(DateTime::UNIX_EPOCH);
    let month = MONTHS.get(date.month0() as usize).copied();
    line.push(month.unwrap_or(*b"Jan"));
    line.number::<10>(date.day().into(), 3, b' ');
    if recent {
        line.push(*b" ");
        line.number::<10>(date.hour().into(), 2, b'0');
        line.push(*b":");
        line.number::<10>(date.minute().into(), 2, b'0');
    } else {
        line.number::<10>(u64::try_from(date.year()).unwrap_or(0), 6, b' ');
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 2026-11-21 08:17:05 UTC.
    const NOW: i64 = 1_795_249_025;

    fn date(modified: i64, offset: i32) -> String {
        let mut line = LineBuffer::default();
        write_date(&mut line, modified, NOW, offset);
        String::from_utf8(line.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn the_last_six_months_have_a_time_and_others_a_year() {
        assert_eq!(date(NOW, 0), "Nov 21 08:17");
        assert_eq!(date(NOW - HALF_YEAR + 1, 0).len(), 12);
        assert_eq!(date(NOW - HALF_YEAR + 1, 0).get(6..9), Some(" 17"));
        assert_eq!(date(NOW - HALF_YEAR, 0), "May 22  2026");
        assert_eq!(date(NOW + 1, 0), "Nov 21  2026");
        assert_eq!(date(951_782_400, 0), "Feb 29  2000");
    }

    #[test]
    fn the_offset_moves_the_clock() {
        assert_eq!(date(NOW, 2 * 3600), "Nov 21 10:17");
        assert_eq!(date(NOW, -9 * 3600), "Nov 20 23:17");
    }

    #[test]
    fn absurd_times_are_dates_all_the_same() {
        for time in [i64::MIN, i64::MAX, -62_167_219_201, 253_402_300_800] {
            assert_eq!(date(time, 0), "Jan  1  1970", "{time}");
        }
        assert_eq!(date(-1, 0), "Dec 31  1969");
    }

    proptest! {
        #[test]
        fn dates_are_as_the_library_writes_them(
            modified in -62_200_000_000i64..253_500_000_000,
            age in 0..3 * HALF_YEAR,
            recent: bool,
            offset in -50_400..50_400i32,
        ) {
            let modified = if recent { NOW - age } else { modified };
            let local = DateTime::from_timestamp(modified + i64::from(offset), 0).unwrap();
            let form = if modified <= NOW && modified > NOW - HALF_YEAR {
                "%b %e %H:%M"
            } else {
                "%b %e  %Y"
            };
            let expected = if (0..=9999).contains(&local.year()) {
                local.format(form).to_string()
            } else {
                "Jan  1  1970".to_owned()
            };
            // The library pads no years below 1000 with blanks.
            let year = local.year();
            prop_assume!(!(0..1000).contains(&year));
            prop_assert_eq!(date(modified, offset), expected);
        }
    }
}

//! Dates as `ls -l` writes them.

use chrono::{DateTime, Datelike as _, Timelike as _};

use super::long::write_number;

/// Half a year as GNU ls counts it, in seconds: half of 365.2425 days.
const HALF_YEAR: i64 = 31_556_952 / 2;

const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// Appends twelve characters: month, day, and the time for the last six months, else the year.
/// Times are in seconds since 1970, `offset` is what the local time is ahead of UTC.
pub(super) fn write_date(line: &mut Vec<u8>, modified: i64, now: i64, offset: i32) {
    let recent = modified <= now && modified > now.saturating_sub(HALF_YEAR);
    let date = DateTime::from_timestamp(modified.saturating_add(offset.into()), 0);
    // A year that does not have four digits is a fault of the file system.
    let date = date.filter(|date| (0..=9999).contains(&date.year()));
    let date = date.unwrap_or(DateTime::UNIX_EPOCH);
    let month = MONTHS.get(date.month0() as usize).copied();
    line.extend_from_slice(month.unwrap_or(b"Jan"));
    write_number(line, date.day().into(), 3);
    if recent {
        line.push(b' ');
        write_two(line, date.hour());
        line.push(b':');
        write_two(line, date.minute());
    } else {
        write_number(line, u64::try_from(date.year()).unwrap_or(0), 6);
    }
}

fn write_two(line: &mut Vec<u8>, number: u32) {
    if number < 10 {
        line.push(b'0');
    }
    write_number(line, number.into(), 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-21 08:17:05 UTC.
    const NOW: i64 = 1_795_249_025;

    fn date(modified: i64, offset: i32) -> String {
        let mut line = Vec::new();
        write_date(&mut line, modified, NOW, offset);
        String::from_utf8(line).unwrap()
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
}

//! Lines in the manner of `ls -l`.

use super::{dates::write_date, owners::Owners};
use crate::{
    storage::{Stat, What},
    wire_name,
};

/// Writes lines in the manner of `ls -l`, fields padded as most servers do.
#[derive(Debug)]
pub(super) struct LongLines {
    now: i64,
    offset: i32,
    owners: Option<Owners>,
}

impl LongLines {
    /// Dates are relative to `now`, in seconds since 1970, and `offset` seconds ahead of UTC.
    pub(super) fn new(now: i64, offset: i32) -> Self {
        Self {
            now,
            offset,
            owners: None,
        }
    }

    /// Takes these names of owners instead of the host's.
    #[cfg(test)]
    pub(super) fn with_owners(self, owners: Owners) -> Self {
        Self {
            owners: Some(owners),
            ..self
        }
    }

    /// Appends the line of an entry, without a line end.
    pub(super) fn write(&mut self, line: &mut Vec<u8>, name: &[u8], stat: &Stat) {
        line.extend_from_slice(&mode_letters(stat));
        line.push(b' ');
        write_number(line, stat.links, 3);
        line.push(b' ');
        let owners = self.owners.get_or_insert_with(Owners::of_host);
        pad(line, 8, |line| owners.write_user(line, stat.owner));
        line.push(b' ');
        pad(line, 8, |line| owners.write_group(line, stat.group));
        line.push(b' ');
        write_number(line, stat.size, 12);
        line.push(b' ');
        write_date(line, stat.modified.seconds, self.now, self.offset);
        line.push(b' ');
        line.extend_from_slice(wire_name::encode(name).as_bytes());
    }
}

/// The ten characters that tell type and permissions.
fn mode_letters(stat: &Stat) -> [u8; 10] {
    let mode = stat.mode;
    let bit = |mask: u32, letter: u8| if mode & mask != 0 { letter } else { b'-' };
    // The third letter of a class also tells set-id and sticky.
    let execute =
        |mask: u32, special: u32, letter: u8| match (mode & mask != 0, mode & special != 0) {
            (true, true) => letter,
            (false, true) => letter.to_ascii_uppercase(),
            (true, false) => b'x',
            (false, false) => b'-',
        };
    let kind = match stat.what {
        What::File => b'-',
        What::Directory => b'd',
        What::Link => b'l',
        // Which device, FIFO or socket it is does not matter: it cannot be transferred.
        What::Special => b'p',
    };
    [
        kind,
        bit(0o400, b'r'),
        bit(0o200, b'w'),
        execute(0o100, 0o4000, b's'),
        bit(0o040, b'r'),
        bit(0o020, b'w'),
        execute(0o010, 0o2000, b's'),
        bit(0o004, b'r'),
        bit(0o002, b'w'),
        execute(0o001, 0o1000, b't'),
    ]
}

/// Appends a number, with blanks before it if it is narrower than `width`.
pub(super) fn write_number(line: &mut Vec<u8>, number: u64, width: usize) {
    let mut digits = [0; 20];
    let mut rest = number;
    let mut count = 0;
    for digit in digits.iter_mut().rev() {
        // Below 10.
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        count += 1;
        if rest == 0 {
            break;
        }
    }
    line.resize(line.len() + width.saturating_sub(count), b' ');
    line.extend_from_slice(digits.get(digits.len() - count..).unwrap_or_default());
}

/// Appends what `write` writes, and blanks behind it if it is narrower than `width`.
fn pad(line: &mut Vec<u8>, width: usize, write: impl FnOnce(&mut Vec<u8>)) {
    let end = line.len() + width;
    write(line);
    if line.len() < end {
        line.resize(end, b' ');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_padded_and_never_cut() {
        for (number, width, expected) in [
            (0, 3, "  0"),
            (12345, 3, "12345"),
            (u64::MAX, 1, "18446744073709551615"),
        ] {
            let mut line = Vec::new();
            write_number(&mut line, number, width);
            assert_eq!(String::from_utf8(line).unwrap(), expected);
        }
    }
}

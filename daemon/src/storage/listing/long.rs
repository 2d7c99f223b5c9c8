//! Lines in the manner of `ls -l`.

use protocol::wire::{line_buffer::LineBuffer, name};

use super::{dates::write_date, owners::Owners};
use crate::storage::root::{Stat, What};

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
    pub(super) fn write(&mut self, line: &mut LineBuffer, name: &[u8], stat: &Stat) {
        line.push(mode_letters(stat));
        line.push(*b" ");
        line.number::<10>(stat.links, 3, b' ');
        line.push(*b" ");
        let owners = self.owners.get_or_insert_with(Owners::of_host);
        owners.write_user(line, stat.owner);
        line.push(*b" ");
        owners.write_group(line, stat.group);
        line.push(*b" ");
        line.number::<10>(stat.size, 12, b' ');
        line.push(*b" ");
        write_date(line, stat.modified.seconds, self.now, self.offset);
        line.push(*b" ");
        line.append(name::encode(name).as_bytes());
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

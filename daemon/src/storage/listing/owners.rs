//! Names of users and groups, read from the host's files.
//!
//! The functions of libc are not used: they may ask services that a static program cannot reach.

use std::{
    collections::HashMap,
    fs::OpenOptions,
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use nix::libc::O_NONBLOCK;
use protocol::wire::line_buffer::{LineBuffer, Short};

/// More of a file is not read.
const MOST_BYTES: u64 = 1024 * 1024;

/// The width of their columns. Longer names move those behind.
const WIDTH: usize = 8;

/// Names of users and groups by number.
#[derive(Debug, Default)]
pub(super) struct Owners {
    users: HashMap<u32, Short>,
    groups: HashMap<u32, Short>,
}

impl Owners {
    /// The names that the host knows. Without its files, there are none.
    pub(super) fn of_host() -> Self {
        let read = |path| read(Path::new(path)).unwrap_or_default();
        Self::parse(&read("/etc/passwd"), &read("/etc/group"))
    }

    /// The names in the text of a passwd and a group file. Lines that are not well formed are
    /// skipped.
    pub(super) fn parse(passwd: &[u8], group: &[u8]) -> Self {
        Self {
            users: names(passwd),
            groups: names(group),
        }
    }

    /// Appends a user's name, or the number of one without, and blanks as far as the column goes.
    pub(super) fn write_user(&self, line: &mut LineBuffer, user: u32) {
        write(line, &self.users, user);
    }

    /// Appends a group's name, or the number of one without, and blanks as far as the column goes.
    pub(super) fn write_group(&self, line: &mut LineBuffer, group: u32) {
        write(line, &self.groups, group);
    }
}

fn write(line: &mut LineBuffer, names: &HashMap<u32, Short>, number: u32) {
    if let Some(name) = names.get(&number) {
        line.put(name);
        return;
    }
    let end = line.len() + WIDTH;
    line.number::<10>(number.into(), 1, b' ');
    while line.len() < end {
        line.push(*b" ");
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(O_NONBLOCK)
        .open(path)?;
    let mut text = Vec::new();
    file.take(MOST_BYTES).read_to_end(&mut text)?;
    Ok(text)
}

/// The names in `name:password:number:...` lines; the first of a number counts, as for libc.
fn names(text: &[u8]) -> HashMap<u32, Short> {
    let mut names = HashMap::new();
    for line in text.split(|byte| *byte == b'\n') {
        let mut fields = line.split(|byte| *byte == b':');
        let (name, number) = (fields.next(), fields.nth(1));
        let number = number.and_then(|number| str::from_utf8(number).ok()?.parse().ok());
        if let (Some(name), Some(number)) = (name, number)
            && !name.is_empty()
            && name.iter().all(u8::is_ascii_graphic)
            && let Some(name) = Short::padded(name, WIDTH)
        {
            names.entry(number).or_insert(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_not_well_formed_are_skipped() {
        let passwd = b"root:x:0:0:Administrator:/:/bin/sh\n\nbroken\n:x:1:\nbad name:x:2:\n\
            toor:x:0:0::/:\nvpxuser:x:500:100:x:/:/sbin/nologin\nno:x:number:\n\xff:x:3:";
        let owners = Owners::parse(passwd, b"wheel:x:10:root\n");
        let user = |number| {
            let mut name = LineBuffer::default();
            owners.write_user(&mut name, number);
            String::from_utf8(name.as_bytes().to_vec()).unwrap()
        };
        for (number, name) in [
            (0, "root    "),
            (500, "vpxuser "),
            (1, "1       "),
            (2, "2       "),
            (3, "3       "),
            (u32::MAX, "4294967295"),
        ] {
            assert_eq!(user(number), name);
        }
        let mut group = LineBuffer::default();
        owners.write_group(&mut group, 10);
        assert_eq!(group.as_bytes(), b"wheel   ");
    }
}

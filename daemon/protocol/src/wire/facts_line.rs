//! The line that tells the facts of one entry (MLST and MLSD; RFC 3659, section 7).

use super::{
    line_buffer::{LineBuffer, Short},
    name, time_val,
};
use crate::request::{Fact, FactSet, Facts, Kind, Permissions};

/// What an entry is to the directory that is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Something in it, or what MLST was asked for.
    Entry,
    /// The directory itself.
    Itself,
    /// The directory above.
    Parent,
}

/// The names of the facts, each with what follows it.
const NAMES: [Short; Fact::ALL.len()] = {
    let mut names = [short(""); Fact::ALL.len()];
    let mut number = 0;
    while number < names.len() {
        names[number] = short(Fact::ALL[number].name());
        number += 1;
    }
    names
};

const fn short(text: &str) -> Short {
    Short::of(text.as_bytes()).expect("names on the wire are short")
}

/// The facts that are wanted and known, a space and the name, without a line end.
pub fn facts_line(facts: &Facts, wanted: FactSet, place: Place, name: &[u8]) -> String {
    let mut line = LineBuffer::default();
    write_facts(&mut line, facts, wanted, place, name);
    // It is UTF-8: names are encoded, and all else is ASCII.
    String::from_utf8_lossy(line.as_bytes()).into_owned()
}

/// Appends what [`facts_line`] gives. Listings write many lines, so nothing is allocated.
pub fn write_facts(
    line: &mut LineBuffer,
    facts: &Facts,
    wanted: FactSet,
    place: Place,
    name: &[u8],
) {
    for (fact, fact_name) in Fact::ALL.into_iter().zip(&NAMES) {
        if !wanted.contains(fact) {
            continue;
        }
        let start = line.len();
        line.put(fact_name);
        line.push(*b"=");
        if write_value(line, facts, fact, place).is_some() {
            line.push(*b";");
        } else {
            line.truncate(start);
        }
    }
    line.push(*b" ");
    line.append(name::encode(name).as_bytes());
}

/// Appends the value of a fact, if it is known.
fn write_value(line: &mut LineBuffer, facts: &Facts, fact: Fact, place: Place) -> Option<()> {
    match fact {
        Fact::Type => line.put(type_name(facts.kind, place)),
        Fact::Size => line.number::<10>(facts.size?, 0, b'0'),
        Fact::Modify => time_val::write(line, facts.modified?)?,
        Fact::Create => time_val::write(line, facts.created?)?,
        Fact::Perm => write_letters(line, facts.permissions),
        Fact::Unique => {
            line.number::<16>(facts.unique.0, 0, b'0');
            line.push(*b"-");
            line.number::<16>(facts.unique.1, 0, b'0');
        }
        Fact::Mode => {
            line.push(*b"0");
            line.number::<8>((facts.mode & 0o7777).into(), 0, b'0');
        }
        Fact::Owner => line.number::<10>(facts.owner.into(), 0, b'0'),
        Fact::Group => line.number::<10>(facts.group.into(), 0, b'0'),
    }
    Some(())
}

/// Section 7.5.1; what is neither file nor directory has a type of the operating system's.
fn type_name(kind: Kind, place: Place) -> &'static Short {
    match (kind, place) {
        (_, Place::Itself) => const { &short("cdir") },
        (_, Place::Parent) => const { &short("pdir") },
        (Kind::File, Place::Entry) => const { &short("file") },
        (Kind::Directory, Place::Entry) => const { &short("dir") },
        (Kind::Link, Place::Entry) => const { &short("OS.unix=slink") },
        (Kind::Special, Place::Entry) => const { &short("OS.unix=special") },
    }
}

fn write_letters(line: &mut LineBuffer, permissions: Permissions) {
    let Permissions {
        append,
        create,
        delete,
        enter,
        rename,
        list,
        make,
        purge,
        retrieve,
        write,
    } = permissions;
    let letters = [
        (append, b'a'),
        (create, b'c'),
        (delete, b'd'),
        (enter, b'e'),
        (rename, b'f'),
        (list, b'l'),
        (make, b'm'),
        (purge, b'p'),
        (retrieve, b'r'),
        (write, b'w'),
    ];
    for (held, letter) in letters {
        if held {
            line.push([letter]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Timestamp;

    fn facts() -> Facts {
        Facts {
            kind: Kind::File,
            size: Some(1024),
            modified: Some(Timestamp {
                seconds: 951_782_400,
                nanoseconds: 0,
            }),
            created: None,
            mode: 0o100_644,
            owner: 0,
            group: 5,
            links: 1,
            unique: (0x12, 0xabc),
            permissions: Permissions {
                delete: true,
                rename: true,
                retrieve: true,
                ..Permissions::default()
            },
        }
    }

    #[test]
    fn facts_are_in_their_order_and_unknown_ones_absent() {
        assert_eq!(
            facts_line(&facts(), FactSet::ALL, Place::Entry, b"a b"),
            "type=file;size=1024;modify=20000229000000;perm=dfr;unique=12-abc;\
             UNIX.mode=0644;UNIX.owner=0;UNIX.group=5; a b"
        );
    }

    #[test]
    fn without_facts_the_space_stays() {
        let line = facts_line(&facts(), FactSet::NONE, Place::Entry, b"a");
        assert_eq!(line, " a");
    }

    #[test]
    fn a_name_cannot_forge_a_line() {
        let line = facts_line(&facts(), FactSet::NONE, Place::Entry, b"a\r\nb");
        assert_eq!(line, " a\u{f70d}\u{f70a}b");
    }

    #[test]
    fn directories_tell_their_place() {
        let wanted = FactSet::NONE.with(Fact::Type);
        let directory = Facts {
            kind: Kind::Directory,
            ..facts()
        };
        let line = |place| facts_line(&directory, wanted, place, b".");
        assert_eq!(line(Place::Entry), "type=dir; .");
        assert_eq!(line(Place::Itself), "type=cdir; .");
        assert_eq!(line(Place::Parent), "type=pdir; .");
    }
}

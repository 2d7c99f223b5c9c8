//! Two files side by side: their bytes, and what is known of each.

use std::{
    fmt,
    io::{self, Read, Seek},
};

use packaging::inspect::{Contents, Limits, ReadError, inspect};
use serde::Serialize;

use super::facts::{Difference, Facts};

/// Bytes that are compared at a time.
const BLOCK: usize = 64 << 10;

/// What was found.
#[derive(Debug)]
#[non_exhaustive]
pub struct Comparison {
    /// The first byte that differs; `None` if the files are the same.
    pub first: Option<First>,
    /// Fields, members and files that differ, in this order.
    pub differences: Vec<Difference>,
    /// What else there is to know, such as a file that could not be unpacked.
    pub notes: Vec<String>,
}

/// The first byte that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct First {
    /// Bytes before it.
    pub offset: u64,
    /// The member of the first file that it is in or behind, if the file has members.
    pub member: Option<String>,
}

impl Comparison {
    /// Whether the files are the same, byte for byte.
    pub fn is_same(&self) -> bool {
        self.first.is_none()
    }
}

impl fmt::Display for First {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "first at byte {}", self.offset)?;
        match &self.member {
            Some(name) => write!(out, ", in the member {name:?}"),
            None => Ok(()),
        }
    }
}

/// Compares two packages, bundles or archives.
///
/// # Errors
/// If one of them cannot be read, or is of no known kind.
pub fn compare<R: Read + Seek>(a: &mut R, b: &mut R) -> Result<Comparison, ReadError> {
    let Some(offset) = first_difference(a, b).map_err(reading)? else {
        return Ok(Comparison {
            first: None,
            differences: Vec::new(),
            notes: Vec::new(),
        });
    };
    let (first, one) = facts(a, offset)?;
    let (_, two) = facts(b, offset)?;
    let mut notes = Vec::new();
    for (name, facts) in [("the first file", &one), ("the second file", &two)] {
        if let Some(reason) = &facts.not_unpacked {
            notes.push(format!("{name} cannot be unpacked: {reason}"));
        }
    }
    let differences = one.differences(&two);
    if differences.is_empty() {
        notes.push("what they hold is the same; the way that it is packed differs".to_owned());
    }
    Ok(Comparison {
        first: Some(First {
            offset,
            member: first,
        }),
        differences,
        notes,
    })
}

/// The facts of a file, and its member at an offset.
fn facts<R: Read + Seek>(input: &mut R, offset: u64) -> Result<(Option<String>, Facts), ReadError> {
    input.rewind().map_err(reading)?;
    let inspection = inspect(&mut *input, &Limits::default())?;
    let member = member_at(&inspection.contents, offset);
    input.rewind().map_err(reading)?;
    Ok((member, Facts::new(inspection, input).map_err(reading)?))
}

fn reading(cause: io::Error) -> ReadError {
    ReadError::Sink {
        path: "the file".to_owned(),
        cause,
    }
}

fn member_at(contents: &Contents, offset: u64) -> Option<String> {
    match contents {
        Contents::Vib(vib) => vib
            .members
            .iter()
            .rfind(|member| member.offset <= offset)
            .map(|member| member.name.clone()),
        Contents::Bundle(bundle) => bundle
            .entries
            .iter()
            .filter(|entry| entry.offset <= offset)
            .max_by_key(|entry| entry.offset)
            .map(|entry| entry.path.clone()),
        _ => None,
    }
}

/// How many bytes two streams have in common, if they are not the same to their ends.
fn first_difference(a: &mut impl Read, b: &mut impl Read) -> io::Result<Option<u64>> {
    let (mut one, mut two) = (vec![0; BLOCK], vec![0; BLOCK]);
    let mut offset = 0;
    loop {
        let (one, two) = (fill(a, &mut one)?, fill(b, &mut two)?);
        let common = one.iter().zip(two).take_while(|(a, b)| a == b).count();
        offset += common as u64;
        if common < one.len() || common < two.len() {
            return Ok(Some(offset));
        }
        if one.is_empty() {
            return Ok(None);
        }
    }
}

/// Reads until the buffer is full or the stream ends.
fn fill<'b>(input: &mut impl Read, buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
    let mut filled = 0;
    while let Some(free @ [_, ..]) = buffer.get_mut(filled..) {
        match input.read(free)? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(buffer.get(..filled).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::samples;

    #[test]
    fn a_change_of_any_byte_is_found_where_it_is() {
        let vib = samples::vib();
        for place in 0..vib.len() {
            let mut other = vib.clone();
            other[place] ^= 1;
            let (mut a, mut b) = (Cursor::new(vib.clone()), Cursor::new(other));
            let result = if place % 2 == 0 {
                compare(&mut a, &mut b)
            } else {
                compare(&mut b, &mut a)
            };
            // Some changes make it unreadable, which is an answer, too.
            let Ok(found) = result else { continue };
            assert_eq!(found.first.map(|first| first.offset), Some(place as u64));
            assert!(!found.differences.is_empty() || !found.notes.is_empty());
        }
    }

    #[test]
    fn the_shorter_of_two_differs_where_it_ends() {
        let common = |a: &[u8], b: &[u8]| first_difference(&mut &*a, &mut &*b).unwrap();
        let long = vec![7; BLOCK * 2 + 1];
        assert_eq!(common(&long, &long), None);
        assert_eq!(common(b"", b""), None);
        for end in [0, 1, BLOCK, BLOCK * 2] {
            assert_eq!(common(&long, &long[..end]), Some(end as u64));
            assert_eq!(common(&long[..end], &long), Some(end as u64));
        }
    }
}

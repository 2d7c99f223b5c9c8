//! The names in one directory, or in a part of it, and their order.

use std::ffi::CStr;

use protocol::request::Failure;

use super::budget::{Budget, Charged};

/// Bytes of names that [`super::budget::BASE_BYTES`] has room for.
const PART_TEXT: usize = 48 * 1024;

/// The same for where they stand.
const PART_PLACES: usize = 16 * 1024;

/// Names, in one piece.
#[derive(Debug)]
pub(super) struct Names {
    /// Each with a NUL behind it, as the kernel wants them.
    text: Charged<u8>,
    places: Charged<Name>,
}

/// Where a name stands among the names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name {
    start: u32,
    length: u16,
}

impl Names {
    /// No names, of a directory that is listed as a whole.
    pub(super) fn new(budget: Budget) -> Self {
        Self {
            text: Charged::new(budget, PART_TEXT),
            places: Charged::new(budget, PART_PLACES),
        }
    }

    /// No names, of a directory that is listed in parts.
    pub(super) fn part(budget: Budget) -> Self {
        Self {
            text: Charged::covered(budget, PART_TEXT),
            places: Charged::covered(budget, PART_PLACES),
        }
    }

    /// Keeps a name, and returns whether there was room.
    ///
    /// # Errors
    /// If it is too long.
    pub(super) fn keep(&mut self, name: &CStr) -> Result<bool, Failure> {
        let length = u16::try_from(name.count_bytes()).map_err(|_long| Failure::InvalidName)?;
        let Ok(start) = u32::try_from(self.text.len()) else {
            return Ok(false);
        };
        let has_room = self.places.make_room(1) && self.text.append(name.to_bytes_with_nul());
        Ok(has_room && self.places.push(Name { start, length }))
    }

    /// Sorts by the bytes of the names.
    pub(super) fn sort(&mut self, reversed: bool) {
        let text = &self.text;
        let places = self.places.as_mut_slice();
        places.sort_unstable_by(|one, other| bytes_in(text, *one).cmp(bytes_in(text, *other)));
        if reversed {
            places.reverse();
        }
    }

    /// Where they stand, in their order.
    pub(super) fn places(&self) -> &[Name] {
        &self.places
    }

    /// The bytes of one.
    pub(super) fn bytes(&self, name: Name) -> &[u8] {
        bytes_in(&self.text, name)
    }

    /// One as the kernel wants it.
    pub(super) fn for_kernel(&self, Name { start, length }: Name) -> &CStr {
        let start = start as usize;
        let text = self.text.get(start..=start + usize::from(length));
        let name = text.and_then(|text| CStr::from_bytes_with_nul(text).ok());
        name.unwrap_or_default()
    }

    /// Whether one stats like the UUID of a datastore.
    pub(super) fn have_uuid(&self) -> bool {
        self.places.iter().any(|name| is_uuid(self.bytes(*name)))
    }
}

fn bytes_in(text: &[u8], Name { start, length }: Name) -> &[u8] {
    let start = start as usize;
    text.get(start..start + usize::from(length))
        .unwrap_or_default()
}

/// Whether a name stats like what ESXi calls the directory of a datastore: groups of hexadecimal
/// digits, `5f0c2a1e-8d4b7c3a-1f2e-000c29ab34cd` on VMFS, `a1b2c3d4-e5f6a7b8` on NFS,
/// `vsan:5f0c2a1e8d4b7c3a-1f2e000c29ab34cd` on vSAN.
pub(in crate::storage) fn is_uuid(name: &[u8]) -> bool {
    let vsan = name.strip_prefix(b"vsan:");
    let name = vsan.unwrap_or(name);
    if !matches!(name.len(), 17 | 33 | 35) {
        return false;
    }
    let groups = name.split(|byte| *byte == b'-');
    let lengths = groups.map(|group| {
        let hexadecimal = group.iter().all(u8::is_ascii_hexdigit);
        hexadecimal.then_some(group.len())
    });
    let lengths: Option<Vec<_>> = lengths.take(5).collect();
    match lengths.as_deref() {
        Some([8, 8, 4, 12] | [8, 8]) => vsan.is_none(),
        Some([16, 16]) => vsan.is_some(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::storage::listing::names::is_uuid;

    #[test]
    fn names_of_datastores_are_known() {
        for (name, expected) in [
            ("5f0c2a1e-8d4b7c3a-1f2e-000c29ab34cd", true),
            ("a1b2c3d4-e5f6a7b8", true),
            ("vsan:5f0c2a1e8d4b7c3a-1f2e000c29ab34cd", true),
            ("5f0c2a1e8d4b7c3a-1f2e000c29ab34cd", false),
            ("vsan:a1b2c3d4-e5f6a7b8", false),
            ("datastore1", false),
            ("", false),
            ("5f0c2a1e", false),
            ("5f0c2a1e-8d4b7c3a-1f2e-000c29ab34cg", false),
            ("5f0c2a1e-8d4b7c3a-1f2e-000c29ab34cd-", false),
        ] {
            assert_eq!(is_uuid(name.as_bytes()), expected, "{name}");
        }
    }
}

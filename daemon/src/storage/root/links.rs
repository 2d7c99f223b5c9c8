//! What a link says, in a form that clients may see, and what it leads to.

use protocol::{request::Failure, virtual_path::VirtualPath};

use super::{Root, Stat, walk::Last};

/// A symbolic link in a directory.
#[derive(Debug)]
pub(crate) struct Link {
    /// The target for clients: as the link has it, or from the account's root on if the link is
    /// absolute. Of a target outside the root only the last part.
    pub(crate) text: Vec<u8>,
    /// Whether the link has an absolute path.
    pub(crate) is_absolute: bool,
    /// The target's path without links and what it is, if it exists. Nothing if it is outside the
    /// root or cannot be looked at, or the directory that it would be in does not exist.
    pub(crate) target: Option<(VirtualPath, Option<Stat>)>,
}

impl Root {
    /// Looks at the link of this name in a directory whose path has no links.
    ///
    /// # Errors
    /// If it is not a link any more, or the host does not tell.
    pub(crate) fn link(&self, directory: &VirtualPath, name: &[u8]) -> Result<Link, Failure> {
        let path = directory
            .join(name)
            .map_err(|_invalid| Failure::InvalidName)?;
        let _looking = self.looking()?;
        let link = self.walk(&path, Last::Kept)?;
        let target = link.parent.read_link(&link.name).map_err(super::failure)?;
        let is_absolute = target.starts_with(b"/");
        let text = if is_absolute {
            let inside = self.inside(&target).ok();
            let inside = inside.filter(|below| stays(0, below));
            inside.map(|below| [b"/", below.as_slice()].concat())
        } else {
            stays(directory.names().count(), &target).then(|| target.clone())
        };
        let followed = self.walk(&path, Last::Followed).ok();
        Ok(Link {
            text: text.unwrap_or_else(|| last_part(&target, name)),
            is_absolute,
            target: followed.map(|end| (end.path, end.stat)),
        })
    }
}

/// Whether a relative path does not climb above the root from a directory of this depth.
fn stays(depth: usize, target: &[u8]) -> bool {
    let mut depth = Some(depth);
    for name in target.split(|byte| *byte == b'/') {
        depth = match name {
            b"" | b"." => depth,
            b".." => depth.and_then(|depth| depth.checked_sub(1)),
            _ => depth.map(|depth| depth + 1),
        };
    }
    // Once above, it stays nothing.
    depth.is_some()
}

/// The last name of a target; the link's own if it has none, so that there is always a text.
fn last_part(target: &[u8], own: &[u8]) -> Vec<u8> {
    let mut names = target.rsplit(|byte| *byte == b'/');
    let name = names.find(|name| !matches!(*name, b"" | b"." | b".."));
    name.unwrap_or(own).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_above_the_root_are_known_by_their_text() {
        for (depth, target, expected) in [
            (0, "a", true),
            (0, "a/..", true),
            (0, "..", false),
            (1, "..", true),
            (1, "../..", false),
            (0, "../a/b/c", false),
            (0, "./a//../b", true),
        ] {
            assert_eq!(stays(depth, target.as_bytes()), expected, "{target}");
        }
        assert_eq!(last_part(b"/etc/passwd", b"l"), b"passwd");
        assert_eq!(last_part(b"../../", b"l"), b"l");
        assert_eq!(last_part(b"/", b"l"), b"l");
    }
}

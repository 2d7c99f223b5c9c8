//! Paths as an account sees them.

use std::fmt;

/// The most bytes of a path, which is what Linux and the VMkernel take (`PATH_MAX`).
pub const PATH_BYTES: usize = 4096;

/// The most bytes of one name (`NAME_MAX`).
pub const NAME_BYTES: usize = 255;

/// An absolute path below the root of an account, in normal form: names joined by single slashes,
/// none of them empty, `.` or `..`, and none with a NUL. Names are bytes, because file systems have
/// names that are not UTF-8.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VirtualPath(Vec<u8>);

/// Why a client's argument is no path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPath {
    /// A NUL ends a name for the kernel.
    #[error("a path cannot contain a NUL character")]
    Nul,
    /// Longer than [`PATH_BYTES`].
    #[error("the path is longer than {PATH_BYTES} bytes")]
    PathTooLong,
    /// A name longer than [`NAME_BYTES`].
    #[error("a name is longer than {NAME_BYTES} bytes")]
    NameTooLong,
}

impl VirtualPath {
    /// The root of the account, `/`.
    pub fn root() -> Self {
        Self(b"/".to_vec())
    }

    /// The path that `argument` means in this directory. `..` is resolved by name and stops at the
    /// root (RFC 3659, section 6, and TVFS).
    ///
    /// # Errors
    /// If no file can have this path.
    pub fn join(&self, argument: &[u8]) -> Result<Self, InvalidPath> {
        let mut path = if argument.first() == Some(&b'/') {
            Self::root()
        } else {
            self.clone()
        };
        for name in argument.split(|&byte| byte == b'/') {
            match name {
                b"" | b"." => {}
                b".." => path = path.parent().unwrap_or_else(Self::root),
                name if name.contains(&0) => return Err(InvalidPath::Nul),
                name if name.len() > NAME_BYTES => return Err(InvalidPath::NameTooLong),
                name => {
                    if !path.is_root() {
                        path.0.push(b'/');
                    }
                    path.0.extend_from_slice(name);
                    if path.0.len() > PATH_BYTES {
                        return Err(InvalidPath::PathTooLong);
                    }
                }
            }
        }
        Ok(path)
    }

    /// The path as bytes, beginning with a slash.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether this is `/`.
    pub fn is_root(&self) -> bool {
        self.0 == b"/"
    }

    /// The names from the root on.
    pub fn names(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0
            .split(|&byte| byte == b'/')
            .filter(|name| !name.is_empty())
    }

    /// The last name; the root has none.
    pub fn file_name(&self) -> Option<&[u8]> {
        self.names().next_back()
    }

    /// The directory that holds this; the root has none.
    pub fn parent(&self) -> Option<Self> {
        let name = self.file_name()?;
        let end = (self.0.len() - name.len() - 1).max(1);
        self.0.get(..end).map(|parent| Self(parent.to_vec()))
    }
}

/// Clients choose paths: this form cannot forge a line of a log.
impl fmt::Debug for VirtualPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn join(directory: &str, argument: &str) -> String {
        let directory = VirtualPath::root().join(directory.as_bytes()).unwrap();
        let joined = directory.join(argument.as_bytes()).unwrap();
        String::from_utf8(joined.0).unwrap()
    }

    #[test]
    fn arguments_are_taken_in_the_directory() {
        assert_eq!(join("/a", "b"), "/a/b");
        assert_eq!(join("/a", "/b"), "/b");
        assert_eq!(join("/", "b//c/"), "/b/c");
        assert_eq!(join("/a/b", "../c/./d"), "/a/c/d");
        assert_eq!(join("/a", ""), "/a");
    }

    #[test]
    fn nothing_is_above_the_root() {
        assert_eq!(join("/a", "../../../etc"), "/etc");
        assert_eq!(join("/", ".."), "/");
    }

    #[test]
    fn impossible_paths_are_named() {
        let root = VirtualPath::root();
        assert_eq!(root.join(b"a\0b"), Err(InvalidPath::Nul));
        assert_eq!(root.join(&[b'a'; 256]), Err(InvalidPath::NameTooLong));
        assert_eq!(
            root.join(&b"abc/".repeat(1200)),
            Err(InvalidPath::PathTooLong)
        );
    }

    proptest! {
        #[test]
        fn every_path_is_normal(directory: Vec<u8>, argument: Vec<u8>) {
            let path = VirtualPath::root().join(&directory).and_then(|path| path.join(&argument));
            let Ok(path) = path else { return Ok(()) };
            prop_assert!(path.as_bytes().starts_with(b"/"));
            prop_assert!(path.is_root() || !path.as_bytes().ends_with(b"/"));
            for name in path.names() {
                prop_assert!(!matches!(name, b"." | b"..") && !name.contains(&0));
            }
            prop_assert_eq!(&VirtualPath::root().join(path.as_bytes()).unwrap(), &path);
            if let (Some(parent), Some(name)) = (path.parent(), path.file_name()) {
                prop_assert_eq!(parent.join(name).unwrap(), path.clone());
            }
        }
    }
}

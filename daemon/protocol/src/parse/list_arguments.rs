//! What LIST, NLST and STAT are given: options in the manner of `ls`, a path, a glob.

use crate::request::{ListForm, Order, OrderBy};

/// Options; unknown ones mean nothing, because clients send whatever their `ls` has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ListOptions {
    all: bool,
    recursive: bool,
    itself: bool,
    order: Order,
}

impl ListOptions {
    /// The form of LIST and STAT.
    pub(crate) fn long(self) -> ListForm {
        ListForm::Long {
            all: self.all,
            recursive: self.recursive,
            order: self.order,
            itself: self.itself,
        }
    }

    /// The form of NLST.
    pub(crate) fn names(self) -> ListForm {
        ListForm::Names {
            all: self.all,
            recursive: self.recursive,
            order: self.order,
        }
    }

    fn set(&mut self, letter: u8) {
        match letter {
            b'a' | b'A' => self.all = true,
            b'd' => self.itself = true,
            b'R' => self.recursive = true,
            b'r' => self.order.reversed = true,
            b't' => self.order.by = OrderBy::Modified,
            b'S' => self.order.by = OrderBy::Size,
            _ => {}
        }
    }
}

/// Splits options from the path, which is empty if there is none. `--` ends the options, so that a
/// path may begin with a hyphen.
pub(crate) fn parse(argument: &[u8]) -> (ListOptions, &[u8]) {
    let mut options = ListOptions::default();
    let mut rest = argument;
    while let Some(letters) = rest.trim_ascii_start().strip_prefix(b"-") {
        let end = letters.iter().position(|&byte| byte == b' ');
        let end = end.unwrap_or(letters.len());
        let (letters, behind) = letters.split_at_checked(end).unwrap_or((letters, b""));
        rest = behind.strip_prefix(b" ").unwrap_or(behind);
        if letters == b"-" {
            break;
        }
        for letter in letters {
            options.set(*letter);
        }
    }
    (options, rest)
}

/// Whether the last name of a path may be a glob.
pub(crate) fn has_glob(path: &[u8]) -> bool {
    let name = path.rsplit(|&byte| byte == b'/').next();
    name.is_some_and(|name| name.iter().any(|byte| matches!(byte, b'*' | b'?' | b'[')))
}

/// The directory that a path with a glob looks in, and the glob.
pub(crate) fn split_glob(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(slash) => path.split_at_checked(slash + 1).unwrap_or((path, b"")),
        None => (b"", path),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(argument: &str) -> &[u8] {
        parse(argument.as_bytes()).1
    }

    #[test]
    fn options_come_before_the_path() {
        let (options, rest) = parse(b"-la -tr some dir");
        assert_eq!(rest, b"some dir");
        let order = Order {
            by: OrderBy::Modified,
            reversed: true,
        };
        let names = ListForm::Names {
            all: true,
            recursive: false,
            order,
        };
        assert_eq!(options.names(), names);
        assert_eq!(path("a -l"), b"a -l");
        assert_eq!(path("-l"), b"");
        assert_eq!(path("-- -l"), b"-l");
        assert_eq!(path(" a"), b" a");
        assert_eq!(path("./-l"), b"./-l");
    }

    #[test]
    fn globs_are_in_the_last_name_only() {
        assert!(has_glob(b"a/*.vmdk"));
        assert!(!has_glob(b"a*/b"));
        assert_eq!(split_glob(b"a/b*"), (&b"a/"[..], &b"b*"[..]));
        assert_eq!(split_glob(b"/b*"), (&b"/"[..], &b"b*"[..]));
        assert_eq!(split_glob(b"b*"), (&b""[..], &b"b*"[..]));
    }

    proptest! {
        #[test]
        fn the_path_is_the_end_of_the_argument(argument: Vec<u8>) {
            let (_, rest) = parse(&argument);
            prop_assert!(argument.ends_with(rest));
        }
    }
}

//! Patterns for names, as bytes: `*`, `?`, `[a-z]`, `[!a-z]` and `\` before a literal.
//!
//! The crates for globs want UTF-8, and names need not be that.

/// Whether a name matches a pattern. What is not well formed, such as an open bracket, stands for
/// itself. Takes at most time in proportion to the product of both lengths.
pub fn matches(pattern: &[u8], name: &[u8]) -> bool {
    Pattern::new(pattern).matches(name)
}

struct Pattern<'p> {
    bytes: &'p [u8],
    /// The last closing bracket. No class begins after it, so an open bracket there costs no search
    /// for its end.
    last_close: usize,
    /// Bytes of the pattern that were looked at.
    #[cfg(test)]
    looks: usize,
}

impl<'p> Pattern<'p> {
    fn new(bytes: &'p [u8]) -> Self {
        let last_close = bytes.iter().rposition(|&byte| byte == b']');
        Self {
            bytes,
            last_close: last_close.unwrap_or(0),
            #[cfg(test)]
            looks: 0,
        }
    }

    fn matches(&mut self, name: &[u8]) -> bool {
        let (mut at, mut position) = (0, 0);
        // Where to go on if what follows the last star does not match: the star is then one byte
        // longer. Earlier stars need not be tried again.
        let mut star: Option<(usize, usize)> = None;
        loop {
            if self.bytes.get(at) == Some(&b'*') {
                star = Some((at + 1, position));
                at += 1;
                continue;
            }
            let Some(byte) = name.get(position) else {
                return at == self.bytes.len();
            };
            match self.one(at, *byte) {
                Some(length) => {
                    at += length;
                    position += 1;
                }
                None => match &mut star {
                    Some((after, taken)) => {
                        *taken += 1;
                        (at, position) = (*after, *taken);
                    }
                    None => return false,
                },
            }
        }
    }

    /// The length of the element at this place of the pattern, if it matches this byte.
    fn one(&mut self, at: usize, byte: u8) -> Option<usize> {
        self.look();
        match *self.bytes.get(at..)? {
            [] => None,
            [b'?', ..] => Some(1),
            [b'[', ..] => match self.bracket(at + 1, byte) {
                Some((end, inside)) => inside.then_some(end - at),
                None => (byte == b'[').then_some(1),
            },
            [b'\\', literal, ..] => (literal == byte).then_some(2),
            [literal, ..] => (literal == byte).then_some(1),
        }
    }

    /// Where the class ends that begins at `class`, after its opening bracket, and whether the byte
    /// is in it. Nothing if the class has no end.
    fn bracket(&mut self, class: usize, byte: u8) -> Option<(usize, bool)> {
        let negated = matches!(self.bytes.get(class), Some(b'!' | b'^'));
        let start = class + usize::from(negated);
        // A bracket in the first place is a member.
        if self.last_close <= start {
            return None;
        }
        let mut at = start;
        let mut inside = false;
        loop {
            self.look();
            let first = *self.bytes.get(at)?;
            if first == b']' && at > start {
                return Some((at + 1, inside != negated));
            }
            match self.bytes.get(at + 1..at + 3) {
                Some(&[b'-', last]) if last != b']' => {
                    inside |= (first..=last).contains(&byte);
                    at += 3;
                }
                _ => {
                    inside |= first == byte;
                    at += 1;
                }
            }
        }
    }

    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "tests count"))]
    fn look(&mut self) {
        #[cfg(test)]
        {
            self.looks += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_match_as_in_a_shell() {
        for (pattern, name, expected) in [
            ("*.vmdk", "disk.vmdk", true),
            ("*.vmdk", "disk.vmx", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*-flat.*", "vm-flat-flat.vmdk", true),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[^a-c]x", "dx", true),
            ("[]]", "]", true),
            ("[a-]", "-", true),
            ("[abc", "[abc", true),
            ("[abc", "a", false),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("a\\", "a\\", true),
            ("[]", "[]", true),
            ("[!]", "[!]", true),
            ("[]a]b", "]b", true),
            ("[!]]", "a", true),
            ("[a]]", "a]", true),
            ("[a][", "a[", true),
            ("*[[", "a[[", true),
        ] {
            let matched = matches(pattern.as_bytes(), name.as_bytes());
            assert_eq!(matched, expected, "{pattern} {name}");
        }
        assert!(matches(b"caf?", b"caf\xe9"));
    }

    #[test]
    fn many_stars_end_soon() {
        let pattern = b"a*".repeat(120);
        let name = [b'a'; 255];
        assert!(!matches(&[pattern, b"b".to_vec()].concat(), &name));
    }

    /// What a match costs, in bytes of the pattern.
    fn looks(pattern: &[u8], name: &[u8]) -> usize {
        let mut pattern = Pattern::new(pattern);
        pattern.matches(name);
        pattern.looks
    }

    #[test]
    fn open_brackets_are_not_searched_for_their_end_again_and_again() {
        let name = [b'['; 255];
        for pattern in [
            b"[".repeat(100),
            [b"*", b"[".repeat(100).as_slice(), b"x"].concat(),
            [b"[a]*", b"[".repeat(100).as_slice(), b"x"].concat(),
            b"*[".repeat(100),
            b"[!".repeat(100),
            b"[]".repeat(100),
        ] {
            let looks = looks(&pattern, &name);
            let most = (pattern.len() + 1) * (name.len() + 1);
            assert!(looks <= most, "{}: {looks}", pattern.escape_ascii());
        }
    }

    /// The plainest definition, for patterns without brackets and backslashes.
    fn oracle(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern, name) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => {
                oracle(rest, name) || matches!(name, [_, tail @ ..] if oracle(pattern, tail))
            }
            ([b'?', rest @ ..], [_, tail @ ..]) => oracle(rest, tail),
            ([first, rest @ ..], [byte, tail @ ..]) => first == byte && oracle(rest, tail),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_the_definition(pattern in "[ab*?]{0,8}", name in "[ab]{0,10}") {
            let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
            prop_assert_eq!(matches(pattern, name), oracle(pattern, name));
        }

        #[test]
        fn the_cost_is_linear_in_pattern_times_name(
            pattern in "[ab*?\\[\\]!\\-]{0,60}",
            name in "[ab\\[]{0,60}",
        ) {
            let most = (pattern.len() + 1) * (name.len() + 1);
            prop_assert!(looks(pattern.as_bytes(), name.as_bytes()) <= most);
        }

        #[test]
        fn no_pattern_is_too_much(pattern: Vec<u8>, name: Vec<u8>) {
            let most = (pattern.len() + 1) * (name.len() + 1);
            prop_assert!(looks(&pattern, &name) <= most);
        }

        #[test]
        fn every_name_matches_itself_in_backslashes(name: Vec<u8>) {
            let pattern: Vec<u8> = name.iter().flat_map(|byte| [b'\\', *byte]).collect();
            prop_assert!(matches(&pattern, &name));
        }
    }
}

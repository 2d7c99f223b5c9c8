//! Patterns for names, as bytes: `*`, `?`, `[a-z]`, `[!a-z]` and `\` before a literal.
//!
//! The crates for globs want UTF-8, and names need not be that.

/// Whether a name matches a pattern. What is not well formed, such as an open bracket, stands for
/// itself. Takes at most time in proportion to the product of both lengths.
pub fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut position) = (0, 0);
    // Where to go on if what follows the last star does not match: the star is then one byte
    // longer. Earlier stars need not be tried again.
    let mut star: Option<(usize, usize)> = None;
    loop {
        let rest = pattern.get(at..).unwrap_or_default();
        if rest.first() == Some(&b'*') {
            star = Some((at + 1, position));
            at += 1;
            continue;
        }
        let Some(byte) = name.get(position) else {
            return rest.is_empty();
        };
        match one(rest, *byte) {
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

/// The length of the pattern's first element, if it matches this byte.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match *pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'[', ref class @ ..] => match bracket(class, byte) {
            Some((length, inside)) => inside.then_some(1 + length),
            None => (byte == b'[').then_some(1),
        },
        [b'\\', literal, ..] => (literal == byte).then_some(2),
        [literal, ..] => (literal == byte).then_some(1),
    }
}

/// The length of a class behind its opening bracket, and whether the byte is in it. Nothing if the
/// class has no end.
fn bracket(class: &[u8], byte: u8) -> Option<(usize, bool)> {
    let negated = matches!(class.first(), Some(b'!' | b'^'));
    let start = usize::from(negated);
    let mut at = start;
    let mut inside = false;
    loop {
        let first = *class.get(at)?;
        // A bracket in the first place is a member.
        if first == b']' && at > start {
            return Some((at + 1, inside != negated));
        }
        match class.get(at + 1..at + 3) {
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
        fn no_pattern_is_too_much(pattern: Vec<u8>, name: Vec<u8>) {
            let _matched = matches(&pattern, &name);
        }

        #[test]
        fn every_name_matches_itself_in_backslashes(name: Vec<u8>) {
            let pattern: Vec<u8> = name.iter().flat_map(|byte| [b'\\', *byte]).collect();
            prop_assert!(matches(&pattern, &name));
        }
    }
}

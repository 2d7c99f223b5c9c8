//! Symbolic modes of SITE CHMOD (POSIX.1-2017, chmod): `u+x`, `go-w`, `a=rX`, several with commas.

/// Read, write and execute, for the user, the group and others.
const READ: u32 = 0o444;
const WRITE: u32 = 0o222;
const EXECUTE: u32 = 0o111;

/// Changes of the permission bits, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SymbolicMode(Vec<Change>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Change {
    operator: Operator,
    /// The bits of those whom it is for.
    whom: u32,
    bits: u32,
    /// `X`: execute, if it is a directory or somebody may execute it.
    execute_if_any: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Add,
    Remove,
    Set,
}

impl SymbolicMode {
    /// Set-user-id and its like (`s`, `t`) are refused, as they are in octal.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let clauses = text.split(|&byte| byte == b',');
        clauses.map(Change::parse).collect::<Option<_>>().map(Self)
    }

    /// The bits that come of these, the lowest nine.
    pub(crate) fn apply(&self, mode: u32, is_directory: bool) -> u32 {
        let change = |mode, change: &Change| change.apply(mode, is_directory);
        self.0.iter().fold(mode & 0o777, change)
    }
}

impl Change {
    fn parse(clause: &[u8]) -> Option<Self> {
        let at = clause
            .iter()
            .position(|byte| matches!(byte, b'+' | b'-' | b'='))?;
        let (whom, rest) = clause.split_at_checked(at)?;
        let (operator, letters) = rest.split_first()?;
        let operator = match operator {
            b'+' => Operator::Add,
            b'-' => Operator::Remove,
            _ => Operator::Set,
        };
        let mut change = Self {
            operator,
            whom: 0,
            bits: 0,
            execute_if_any: false,
        };
        for letter in whom {
            change.whom |= match letter {
                b'u' => 0o700,
                b'g' => 0o070,
                b'o' => 0o007,
                b'a' => 0o777,
                _ => return None,
            };
        }
        for letter in letters {
            match letter {
                b'r' => change.bits |= READ,
                b'w' => change.bits |= WRITE,
                b'x' => change.bits |= EXECUTE,
                b'X' => change.execute_if_any = true,
                _ => return None,
            }
        }
        if whom.is_empty() {
            // For all, but with the usual mask: nobody wants `+w` to let everybody write.
            change.whom = match operator {
                Operator::Remove => 0o777,
                Operator::Add | Operator::Set => 0o777 & !0o022,
            };
        }
        // Only `=` says something without a permission.
        let says_nothing = letters.is_empty() && operator != Operator::Set;
        (!says_nothing).then_some(change)
    }

    fn apply(&self, mode: u32, is_directory: bool) -> u32 {
        let execute = self.execute_if_any && (is_directory || mode & EXECUTE != 0);
        let bits = self.bits | if execute { EXECUTE } else { 0 };
        match self.operator {
            Operator::Add => mode | (bits & self.whom),
            Operator::Remove => mode & !(bits & self.whom),
            Operator::Set => {
                // Those whom it is for lose what is not set, masked or not.
                let classes = [0o700, 0o070, 0o007];
                let whole = classes
                    .iter()
                    .filter(|class| self.whom & **class != 0)
                    .sum::<u32>();
                (mode & !whole) | (bits & self.whom)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn symbolic_modes_are_applied_as_in_a_shell() {
        for (text, before, after) in [
            ("u+x", 0o644, 0o744),
            ("+x", 0o644, 0o755),
            ("a+x", 0o600, 0o711),
            ("go-w", 0o666, 0o644),
            ("-w", 0o666, 0o444),
            ("+w", 0o444, 0o644),
            ("a+w", 0o444, 0o666),
            ("u=rwx,go=rx", 0o600, 0o755),
            ("o=", 0o755, 0o750),
            ("=r", 0o777, 0o444),
            ("a+X", 0o644, 0o644),
            ("a+X", 0o744, 0o755),
            ("ug+rw", 0o4000, 0o660),
        ] {
            let mode = SymbolicMode::parse(text.as_bytes()).unwrap();
            assert_eq!(mode.apply(before, false), after, "{text} {before:o}");
        }
        let mode = SymbolicMode::parse(b"a+X").unwrap();
        assert_eq!(mode.apply(0o644, true), 0o755);
    }

    #[test]
    fn what_is_no_symbolic_mode_is_refused() {
        for text in [
            "", "x", "u", "u+", "u+s", "+t", "z+x", "u+x,", "u+q", "u+x-w", "nonsense",
        ] {
            assert_eq!(SymbolicMode::parse(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn only_the_nine_bits_come_out(text: Vec<u8>, mode: u32, is_directory: bool) {
            if let Some(change) = SymbolicMode::parse(&text) {
                prop_assert!(change.apply(mode, is_directory) <= 0o777);
            }
        }
    }
}

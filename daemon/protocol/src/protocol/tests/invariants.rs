//! Whatever happens, in whatever order: one last reply for each command, no path above the root,
//! nothing after the end.

use proptest::prelude::*;

use crate::fuzzing::{command, lines, play};

fn program() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_command_has_one_last_reply(mode: u8, program in program()) {
        play(&[&[mode & !1], program.as_slice()].concat());
    }

    #[test]
    fn nothing_breaks_the_protocol(mode: u8, program in program()) {
        play(&[&[mode | 1], program.as_slice()].concat());
    }

    #[test]
    fn lines_are_what_they_are(bytes in program()) {
        lines(&bytes);
    }

    #[test]
    fn any_line_is_a_command_or_has_a_reply(line in program()) {
        command(&line);
    }
}

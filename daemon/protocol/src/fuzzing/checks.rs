//! What has to hold for any bytes of a client. Property tests and fuzzing share it.

use crate::parse::{
    command::{Command, split},
    line::{LINE_BYTES, Line, LineReader},
    verb,
};

/// Bytes to lines: in pieces as in one, within bounds, without what is forbidden.
///
/// # Panics
/// If something does not hold.
pub fn lines(bytes: &[u8]) {
    let (&size, bytes) = bytes.split_first().unwrap_or((&0, &[]));
    let mut whole = LineReader::default();
    whole.push(bytes);
    let mut expected = std::iter::from_fn(|| whole.next());
    let mut reader = LineReader::default();
    for piece in bytes.chunks(usize::from(size).max(1)) {
        reader.push(piece);
        while let Some(line) = reader.next() {
            if let Line::Text(text) = &line {
                assert!(text.len() + 2 <= LINE_BYTES);
                assert!(!text.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')));
            }
            assert_eq!(Some(&line), expected.next().as_ref());
            if line == Line::Flood {
                return;
            }
        }
    }
    assert_eq!(expected.next(), None);
}

/// A line to a command, or a reply to it that is one.
///
/// # Panics
/// If something does not hold.
pub fn command(line: &[u8]) {
    let Some((known, argument)) = split(line) else {
        return;
    };
    assert_eq!(verb::find(known.name.as_bytes()), Some(known));
    assert!(line.ends_with(argument));
    if let Err(reply) = Command::parse(known, argument) {
        let bytes = reply.into_bytes();
        assert!(bytes.starts_with(b"501 ") && bytes.ends_with(b"\r\n"));
        let controls = bytes.iter().filter(|byte| byte.is_ascii_control());
        assert_eq!(controls.count(), 2);
    }
}

//! Line ends of text: CRLF on the wire (RFC 959, section 3.1.1.1), LF in files.

/// Bytes that are converted at a time, so that a conversion of large blocks takes little memory.
pub(crate) const CONVERTED_BYTES: usize = 64 * 1024;

/// Converts a file to the wire, piece by piece.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ToWire {
    after_cr: bool,
}

/// Converts what comes from the wire to a file, piece by piece.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct FromWire {
    /// Whether a CR is held back until it is known what follows.
    after_cr: bool,
}

impl ToWire {
    /// Appends a piece to `wire`. A CRLF in the file stays one.
    pub(crate) fn convert(&mut self, piece: &[u8], wire: &mut Vec<u8>) {
        for &byte in piece {
            if byte == b'\n' && !self.after_cr {
                wire.push(b'\r');
            }
            wire.push(byte);
            self.after_cr = byte == b'\r';
        }
    }
}

impl FromWire {
    /// Appends a piece to `file`. A CR without LF stays.
    pub(crate) fn convert(&mut self, piece: &[u8], file: &mut Vec<u8>) {
        for &byte in piece {
            if self.after_cr && byte != b'\n' {
                file.push(b'\r');
            }
            self.after_cr = byte == b'\r';
            if !self.after_cr {
                file.push(byte);
            }
        }
    }

    /// Appends what was held back.
    pub(crate) fn finish(&mut self, file: &mut Vec<u8>) {
        if std::mem::take(&mut self.after_cr) {
            file.push(b'\r');
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn to_wire(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut text, mut wire) = (ToWire::default(), Vec::new());
        for piece in pieces {
            text.convert(piece, &mut wire);
        }
        wire
    }

    fn from_wire(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut text, mut file) = (FromWire::default(), Vec::new());
        for piece in pieces {
            text.convert(piece, &mut file);
        }
        text.finish(&mut file);
        file
    }

    #[test]
    fn line_ends_are_converted_across_pieces() {
        assert_eq!(to_wire(&[b"a\nb\r", b"\n", b"\n"]), b"a\r\nb\r\n\r\n");
        assert_eq!(from_wire(&[b"a\r", b"\nb\rc\r\r\n\r"]), b"a\nb\rc\r\n\r");
    }

    proptest! {
        #[test]
        fn text_survives_both_ways(text in "[ab\n]{0,40}", cut in 0_usize..40) {
            let text = text.as_bytes();
            let (one, two) = text.split_at(cut.min(text.len()));
            let wire = to_wire(&[one, two]);
            let (one, two) = wire.split_at(cut.min(wire.len()));
            prop_assert_eq!(from_wire(&[one, two]), text);
        }
    }
}

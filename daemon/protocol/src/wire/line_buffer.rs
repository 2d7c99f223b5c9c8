//! Lines while they are written.
//!
//! A listing is made of many short pieces, and to call memcpy for each costs more than its bytes
//! do. So pieces known beforehand have one size, and numbers are written in place.

/// Bytes that are free behind the end, for what is written in place.
const ROOM: usize = 32;

/// Text that grows.
#[derive(Debug, Default)]
pub struct LineBuffer {
    /// What is written, and behind it room for more.
    bytes: Vec<u8>,
    length: usize,
}

/// A text of at most 32 bytes.
#[derive(Debug, Clone, Copy)]
pub struct Short {
    bytes: [u8; ROOM],
    length: usize,
}

impl Short {
    /// This text, if it is short.
    pub const fn of(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; ROOM];
        match bytes.split_at_mut_checked(text.len()) {
            Some((front, _)) => front.copy_from_slice(text),
            None => return None,
        }
        Some(Self {
            bytes,
            length: text.len(),
        })
    }

    /// This text, with blanks behind it if it is narrower than `width`.
    pub fn padded(text: &[u8], width: usize) -> Option<Self> {
        let mut short = Self::of(text)?;
        short.bytes.get_mut(text.len()..)?.fill(b' ');
        short.length = text.len().max(width.min(ROOM));
        Some(short)
    }
}

impl LineBuffer {
    /// Empty, and with memory for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self {
            bytes: vec![0; bytes],
            length: 0,
        }
    }

    /// What is written.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// Bytes that are written.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether nothing is written.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Takes back what was written after the first `length` bytes.
    pub fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    /// Appends a text of any length.
    pub fn append(&mut self, text: &[u8]) {
        let end = self.length + text.len();
        if let Some(room) = self.reserve(text.len()).get_mut(..text.len()) {
            room.copy_from_slice(text);
            self.length = end;
        }
    }

    /// Appends a short text.
    pub fn put(&mut self, text: &Short) {
        if let Some(room) = self.reserve(ROOM).first_chunk_mut() {
            *room = text.bytes;
            self.length += text.length;
        }
    }

    /// Appends a few bytes.
    #[inline]
    pub fn push<const BYTES: usize>(&mut self, bytes: [u8; BYTES]) {
        if let Some(room) = self.reserve(BYTES).first_chunk_mut() {
            *room = bytes;
            self.length += BYTES;
        }
    }

    /// Appends a number in the base `BASE`, at least 8 and at most 16, with `fill` before it if it
    /// is narrower than `width`, at most 32.
    pub fn number<const BASE: u64>(&mut self, number: u64, width: usize, fill: u8) {
        let mut rest = number;
        let mut written = 0;
        // The last digit first.
        for place in self.reserve(ROOM).iter_mut().take(ROOM) {
            if rest > 0 || written == 0 {
                let digit = u8::try_from(rest % BASE).unwrap_or(0);
                *place = digit + if digit < 10 { b'0' } else { b'a' - 10 };
                rest /= BASE;
            } else if written < width {
                *place = fill;
            } else {
                break;
            }
            written += 1;
        }
        let end = self.length + written;
        if let Some(number) = self.bytes.get_mut(self.length..end) {
            number.reverse();
            self.length = end;
        }
    }

    /// The room behind the end, so many bytes or more.
    #[inline]
    fn reserve(&mut self, bytes: usize) -> &mut [u8] {
        if self.bytes.len() - self.length < bytes {
            self.grow(bytes);
        }
        self.bytes.get_mut(self.length..).unwrap_or_default()
    }

    #[cold]
    fn grow(&mut self, bytes: usize) {
        let length = (self.length + bytes).max(self.bytes.len() * 2);
        self.bytes.resize(length, 0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut LineBuffer)) -> String {
        let mut lines = LineBuffer::default();
        lines.append(b"<");
        write(&mut lines);
        lines.push(*b">");
        String::from_utf8(lines.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn only_short_texts_are_short() {
        assert!(Short::of(&[b'x'; 33]).is_none());
        for (text, width, expected) in [("", 0, ""), ("ab", 4, "ab  "), ("ab", 1, "ab")] {
            let short = Short::padded(text.as_bytes(), width).unwrap();
            assert_eq!(written(|lines| lines.put(&short)), format!("<{expected}>"));
        }
    }

    #[test]
    fn what_is_taken_back_is_gone() {
        let text = written(|lines| {
            lines.append(&[b'x'; 1000]);
            lines.truncate(2);
            lines.truncate(1000);
        });
        assert_eq!(text, "<x>");
    }

    proptest! {
        #[test]
        fn numbers_are_as_the_library_writes_them(
            number: u64,
            shift in 0_u32..64,
            width in 0_usize..23,
        ) {
            let number = number >> shift;
            let text = written(|lines| {
                lines.number::<10>(number, width, b' ');
                lines.push(*b"|");
                lines.number::<10>(number, width, b'0');
                lines.push(*b"|");
                lines.number::<16>(number, width, b'0');
                lines.push(*b"|");
                lines.number::<8>(number, width, b' ');
            });
            let decimal = format!("<{number:width$}|{number:0width$}");
            let others = format!("|{number:0width$x}|{number:width$o}>");
            prop_assert_eq!(text, decimal + &others);
        }

        #[test]
        fn texts_follow_each_other(texts: Vec<Vec<u8>>) {
            let mut lines = LineBuffer::default();
            for text in &texts {
                match Short::of(text) {
                    Some(short) if text.len() % 2 == 0 => lines.put(&short),
                    _ => lines.append(text),
                }
            }
            prop_assert_eq!(lines.as_bytes(), texts.concat());
        }
    }
}

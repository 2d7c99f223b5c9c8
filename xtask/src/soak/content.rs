//! What files contain: bytes that follow from a number, so that no copy has to be kept.

use anyhow::{Result, ensure};

/// Bytes that repeat after a prime number of them: a block of the daemon that is missing, double or
/// in another place is noticed.
const PERIOD: usize = 1_048_573;
/// In thin files, every other run of so many bytes is zeros.
const RUN: u64 = 192 << 10;

/// The bytes that all contents are made of.
pub(super) struct Source {
    noise: Vec<u8>,
    zeros: Vec<u8>,
}

/// The content of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Content {
    /// Of the noise.
    start: u64,
    pub(super) bytes: u64,
    thin: bool,
}

impl Source {
    pub(super) fn new() -> Self {
        let mut noise = Vec::with_capacity(PERIOD + 8);
        let mut random = Random::new(0);
        while noise.len() < PERIOD {
            noise.extend_from_slice(&random.next().to_le_bytes());
        }
        noise.truncate(PERIOD);
        let zeros = vec![0; PERIOD];
        Self { noise, zeros }
    }

    /// Neighbouring bytes of a content from an offset on, none at its end.
    fn at(&self, content: Content, offset: u64) -> &[u8] {
        let Some(left) = content.bytes.checked_sub(offset) else {
            return &[];
        };
        let period = PERIOD as u64;
        let place = (content.start + offset) % period;
        let mut most = left.min(period - place);
        let mut bytes = &self.noise;
        if content.thin {
            most = most.min(RUN - offset % RUN);
            if offset / RUN % 2 == 1 {
                bytes = &self.zeros;
            }
        }
        let [from, to] = [place, place + most].map(|at| usize::try_from(at).unwrap_or(PERIOD));
        bytes.get(from..to).unwrap_or_default()
    }

    /// All bytes of a content, in pieces.
    pub(super) fn pieces(&self, content: Content) -> impl Iterator<Item = &[u8]> {
        let mut offset = 0;
        std::iter::from_fn(move || {
            let piece = self.at(content, offset);
            offset += piece.len() as u64;
            (!piece.is_empty()).then_some(piece)
        })
    }
}

impl Content {
    pub(super) fn new(start: u64, bytes: u64, thin: bool) -> Self {
        let start = start % PERIOD as u64;
        Self { start, bytes, thin }
    }

    /// Begins to compare what comes with the content from an offset on.
    pub(super) fn compare(self, source: &Source, offset: u64) -> Comparison<'_> {
        Comparison {
            source,
            content: self,
            offset,
        }
    }
}

/// Compares bytes as they come.
pub(super) struct Comparison<'s> {
    source: &'s Source,
    content: Content,
    offset: u64,
}

impl Comparison<'_> {
    /// # Errors
    /// With the offset of the first difference.
    pub(super) fn came(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let expected = self.source.at(self.content, self.offset);
            let count = expected.len().min(bytes.len());
            ensure!(
                count > 0,
                "{} bytes came after the end at {}",
                bytes.len(),
                self.offset
            );
            let (now, later) = bytes.split_at(count);
            if let Some(at) = first_difference(now, expected) {
                let offset = self.offset + at as u64;
                anyhow::bail!("the byte at {offset} of {:?} is another one", self.content);
            }
            self.offset += count as u64;
            bytes = later;
        }
        Ok(())
    }

    /// # Errors
    /// If bytes are missing.
    pub(super) fn ended(&self) -> Result<()> {
        let (offset, bytes) = (self.offset, self.content.bytes);
        ensure!(offset == bytes, "{offset} of {bytes} bytes came");
        Ok(())
    }
}

fn first_difference(bytes: &[u8], expected: &[u8]) -> Option<usize> {
    if expected.get(..bytes.len()) == Some(bytes) {
        return None;
    }
    let mut pairs = bytes.iter().zip(expected);
    Some(pairs.position(|(one, other)| one != other).unwrap_or(0))
}

/// Numbers that follow from a first one (splitmix64), so that a run can be repeated.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number below `limit`, which is not 0.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(source: &Source, content: Content) -> Vec<u8> {
        source.pieces(content).flatten().copied().collect()
    }

    #[test]
    fn pieces_have_all_bytes_and_thin_ones_have_zeros() {
        let source = Source::new();
        for len in [0, 1, RUN, RUN + 1, 3 * PERIOD as u64 + 7] {
            let full = bytes(&source, Content::new(5, len, false));
            assert_eq!(full.len() as u64, len);
            let thin = bytes(&source, Content::new(5, len, true));
            for (offset, (one, other)) in thin.iter().zip(&full).enumerate() {
                let zero = offset as u64 / RUN % 2 == 1;
                assert_eq!(*one, if zero { 0 } else { *other }, "{offset}");
            }
        }
    }

    #[test]
    fn differences_are_found_wherever_they_are() {
        let source = Source::new();
        let content = Content::new(9, 2 * RUN + 100, true);
        let same = bytes(&source, content);
        let compare = |bytes: &[u8], offset: usize| {
            let mut comparison = content.compare(&source, offset as u64);
            for piece in bytes[offset..].chunks(10_007) {
                comparison.came(piece)?;
            }
            comparison.ended()
        };
        compare(&same, 0).unwrap();
        compare(&same, 12_345).unwrap();
        for at in [0, 10_007, same.len() - 1] {
            let mut other = same.clone();
            other[at] ^= 1;
            let error = compare(&other, 0).unwrap_err().to_string();
            assert!(error.contains(&format!("at {at} ")), "{error}");
        }
        assert!(compare(&same[..same.len() - 1], 0).is_err());
        assert!(compare(&[&same[..], b"x"].concat(), 0).is_err());
        // A block of the daemon that came twice.
        let source_bytes = bytes(&source, Content::new(0, 4 << 20, false));
        assert!(source_bytes[..1 << 20] != source_bytes[1 << 20..2 << 20]);
    }
}

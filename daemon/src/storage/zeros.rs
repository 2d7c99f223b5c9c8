//! Runs of zeros, which need no space on a file system that has holes.

use std::{ops::Range, sync::LazyLock};

/// What can become a hole: aligned pieces of a file of this size, and the parts of such pieces with
/// which a block begins and ends, because leaving them out takes no further write. Smaller holes
/// within a block would cut it into writes that cost more than the space is worth.
pub const HOLE_BYTES: usize = 64 * 1024;

/// Zeros to be sent for holes. Not a constant, which would take its place in the program's file.
pub(crate) static ZEROS: LazyLock<Vec<u8>> = LazyLock::new(|| vec![0; HOLE_BYTES]);

/// Whether all bytes are zero.
pub fn is_zero(bytes: &[u8]) -> bool {
    // By words and without a branch for each: the daemon is compiled for size, and then loops over
    // bytes stay loops over bytes.
    let (chunks, rest) = bytes.as_chunks::<64>();
    let chunk_is_zero = |chunk: &[u8; 64]| {
        let (words, _none) = chunk.as_chunks::<8>();
        let mut all = 0;
        for word in words {
            all |= u64::from_ne_bytes(*word);
        }
        all == 0
    };
    chunks.iter().all(chunk_is_zero) && rest.iter().all(|byte| *byte == 0)
}

/// Cuts bytes that belong at `position` of a file into pieces to be written; what is between them
/// can become holes.
pub fn data_in(position: u64, bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let mut data: Option<Range<usize>> = None;
        while next < bytes.len() {
            let unit = HOLE_BYTES as u64;
            let to_boundary = unit - (position.wrapping_add(next as u64)) % unit;
            let length = usize::try_from(to_boundary).unwrap_or(HOLE_BYTES);
            let end = next.saturating_add(length).min(bytes.len());
            let piece = next..end;
            next = end;
            if bytes.get(piece.clone()).is_some_and(is_zero) {
                if data.is_some() {
                    return data;
                }
            } else {
                data = Some(data.map_or(piece.start, |data| data.start)..piece.end);
            }
        }
        data
    })
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn one_byte_makes_a_difference() {
        for length in [0, 1, 63, 64, 65, 200] {
            let mut bytes = vec![0; length];
            assert!(is_zero(&bytes));
            for place in 0..length {
                bytes[place] = 1;
                assert!(!is_zero(&bytes), "{place} of {length}");
                bytes[place] = 0;
            }
        }
    }

    #[test]
    fn zeros_in_one_piece_between_data_are_left_out() {
        let mut bytes = vec![0; 5 * HOLE_BYTES];
        bytes[0] = 1;
        bytes[4 * HOLE_BYTES + 7] = 1;
        let pieces: Vec<_> = data_in(0, &bytes).collect();
        assert_eq!(pieces, [0..HOLE_BYTES, 4 * HOLE_BYTES..5 * HOLE_BYTES]);
        // What the block begins and ends with need not be whole.
        assert_eq!(data_in(1, &vec![0; 2 * HOLE_BYTES]).count(), 0);
        bytes.truncate(4 * HOLE_BYTES + 100);
        let pieces: Vec<_> = data_in(10, bytes.get(10..).unwrap()).collect();
        let last = 4 * HOLE_BYTES - 10..bytes.len() - 10;
        assert_eq!(pieces, [last]);
    }

    proptest! {
        #[test]
        fn what_is_left_out_is_zero(
            position in 0_u64..200_000,
            length in 0_usize..400_000,
            dots in vec(0_usize..400_000, 0..4),
        ) {
            let mut bytes = vec![0; length];
            for dot in dots {
                if let Some(byte) = bytes.get_mut(dot) {
                    *byte = 1;
                }
            }
            let mut rebuilt = vec![0; length];
            let mut last = 0;
            for piece in data_in(position, &bytes) {
                prop_assert!(piece.start >= last && !piece.is_empty());
                last = piece.end;
                rebuilt[piece.clone()].copy_from_slice(&bytes[piece]);
            }
            prop_assert!(rebuilt == bytes);
        }
    }
}

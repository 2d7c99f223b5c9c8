//! The PEM blocks of a signature: hosts take the first (FORMAT.md S3).

use super::Fault;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
/// Most signers that are named of blocks that do not count.
const MOST_NAMED: usize = 4;

/// The first block with all that stands before it, and what stands behind it.
pub(super) fn first(text: &[u8]) -> (&[u8], &[u8]) {
    let Some(place) = find(text, END) else {
        return (text, &[]);
    };
    let (_, from_end) = text.split_at(place);
    let line = from_end.iter().position(|byte| *byte == b'\n');
    let end = line.map_or(text.len(), |line| place + line + 1);
    text.split_at(end)
}

/// What to say of the bytes behind the first block, if they say anything. `signers` reads a block.
pub(super) fn behind(rest: &[u8], signers: impl Fn(&[u8]) -> Vec<String>) -> Option<Fault> {
    let rest = rest.trim_ascii();
    if rest.is_empty() {
        return None;
    }
    let mut blocks = 0_usize;
    let mut names = Vec::new();
    let mut left = rest;
    while let Some(place) = find(left, BEGIN) {
        let (_, from_begin) = left.split_at(place);
        let (block, behind) = first(from_begin);
        blocks += 1;
        if blocks <= MOST_NAMED {
            names.extend(signers(block));
        }
        left = behind;
    }
    let by = if names.is_empty() {
        String::new()
    } else {
        names.truncate(MOST_NAMED);
        format!(" (by {})", names.join("; "))
    };
    Some(Fault::Behind(match blocks {
        0 => format!("{} bytes that are not PEM", rest.len()),
        1 => format!("another PEM block{by}"),
        more => format!("{more} more PEM blocks{by}"),
    }))
}

fn find(text: &[u8], mark: &[u8]) -> Option<usize> {
    text.windows(mark.len()).position(|window| window == mark)
}

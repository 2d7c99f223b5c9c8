//! Puts a signature into a VIB; all other bytes stay as they are.

use std::io::{self, Read, Seek, SeekFrom, Write};

use super::{SignError, Signer};
use crate::inspect::{self, Limits};
use crate::{Error, ar};

/// What [`sign`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Signed {
    /// Whether there was a signature before, which is gone now.
    pub replaced: bool,
    /// Size of the new signature in bytes.
    pub bytes: usize,
}

/// Copies a VIB to `output` with a signature by `signer`, in one pass.
///
/// The payloads are covered by their checksums in the descriptor, and those are not looked at here;
/// `verify` the copy.
///
/// # Errors
/// [`SignError::NotSignable`] for everything that is no VIB of 5.0 or later, [`SignError::Read`]
/// and [`SignError::Write`] if a file fails. `output` then holds a part of the copy.
pub fn sign<R: Read + Seek, W: Write>(
    mut input: R,
    mut output: W,
    signer: &Signer,
) -> Result<Signed, SignError> {
    let parts = inspect::signable(&mut input, &Limits::default())?;
    let text = signer.sign(&parts.descriptor)?;
    let reading = |part: &'static str| inspect::ReadError::reading(part, 0);
    input.rewind().map_err(reading("ar archive"))?;
    copy(&mut input.by_ref().take(parts.begins), &mut output)?;
    let mut archive = ar::Writer::behind(output);
    archive.member(inspect::SIGNATURE, text.len() as u64, &mut text.as_bytes())?;
    let mut output = archive.finish();
    input
        .seek(SeekFrom::Start(parts.ends))
        .map_err(reading("ar archive"))?;
    copy(&mut input, &mut output)?;
    output.flush().map_err(Error::writing("ar"))?;
    Ok(Signed {
        replaced: parts.signed,
        bytes: text.len(),
    })
}

/// Tells failing inputs from failing outputs.
fn copy(input: &mut impl Read, output: &mut impl Write) -> Result<(), SignError> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = match input.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(inspect::ReadError::reading("ar archive", 0)(error).into()),
        };
        let (bytes, _) = buffer.split_at(count);
        output.write_all(bytes).map_err(Error::writing("ar"))?;
    }
}

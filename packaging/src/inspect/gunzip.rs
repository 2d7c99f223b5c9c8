//! gzip, with what stands behind it.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

use super::payload::GZIP;

/// Unpacks one gzip stream after the other. Zeros behind the last one are padding; anything else
/// there is remembered, and not unpacked.
pub(super) struct Gunzip<R> {
    decoder: Option<GzDecoder<R>>,
    behind: bool,
}

impl<R: BufRead> Gunzip<R> {
    pub(super) fn new(stored: R) -> Self {
        Self {
            decoder: Some(GzDecoder::new(stored)),
            behind: false,
        }
    }

    /// Whether something stands behind the stream, once that has been read to its end.
    pub(super) fn has_more_behind(&self) -> bool {
        self.behind
    }
}

impl<R: BufRead> Read for Gunzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(decoder) = &mut self.decoder {
            let count = decoder.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let Some(mut stored) = self.decoder.take().map(GzDecoder::into_inner) else {
                break;
            };
            let rest = skip_zeros(&mut stored)?;
            // The second byte of the magic may not be in the buffer yet.
            if rest.first() == GZIP.first() {
                self.decoder = Some(GzDecoder::new(stored));
            } else {
                self.behind = !rest.is_empty();
            }
        }
        Ok(0)
    }
}

/// What stands in the reader's buffer behind any zeros; nothing at the end.
fn skip_zeros(stored: &mut impl BufRead) -> io::Result<&[u8]> {
    loop {
        let bytes = stored.fill_buf()?;
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let (at_end, all) = (bytes.is_empty(), zeros == bytes.len());
        stored.consume(zeros);
        if at_end || !all {
            return stored.fill_buf();
        }
    }
}

//! Zip archives: deflate, one time for all entries, no directory entries (FORMAT.md B1).

use std::io::{self, Read, Seek, Write};

use ::zip::CompressionMethod::Deflated;
use ::zip::ZipWriter;
use ::zip::write::SimpleFileOptions;

use crate::digest::{Digesting, Sha256};
use crate::listing::{Item, Listing};
use crate::source::{self, CopyError};
use crate::{Epoch, Error, Vib};

/// Level for XML files.
const BEST: i64 = 9;
/// Level for VIBs, which are compressed inside: effort would take time and save nothing. Level 1
/// would make them bigger, it has no stored blocks.
const FAST: i64 = 2;

/// Writes an archive entry by entry.
pub(super) struct Writer<W: Write + Seek> {
    archive: ZipWriter<W>,
    options: SimpleFileOptions,
    items: Vec<Item>,
}

impl<W: Write + Seek> Writer<W> {
    /// Begins an archive, all of whose entries were last changed at `epoch`.
    pub(super) fn new(out: W, epoch: Epoch) -> Self {
        Self {
            archive: ZipWriter::new(out),
            options: SimpleFileOptions::default()
                .compression_method(Deflated)
                .last_modified_time(epoch.in_zip())
                .unix_permissions(0o644),
            items: Vec::new(),
        }
    }

    /// Appends a small file.
    pub(super) fn file(&mut self, path: &str, data: &[u8]) -> Result<(), Error> {
        self.start(path, data.len() as u64, BEST)?;
        self.archive.write_all(data).map_err(Error::writing("zip"))
    }

    /// Appends a VIB, and makes sure that its bytes are those that were written.
    pub(super) fn vib<R: Read>(
        &mut self,
        vib: &Vib,
        open: &mut impl FnMut(&Vib) -> io::Result<R>,
    ) -> Result<(), Error> {
        let failed = |error| Error::Source {
            name: vib.file_name(),
            source: error,
        };
        self.start(&vib.path_in_depot(), vib.size(), FAST)?;
        let mut data = open(vib).map_err(failed)?;
        let mut hashed = Digesting::<_, Sha256>::new(&mut self.archive);
        source::copy(&mut data, vib.size(), &mut hashed).map_err(|error| match error {
            CopyError::Data(error) => failed(error),
            CopyError::Out(error) => Error::writing("zip")(error),
        })?;
        let (_, sum) = hashed.finish();
        if sum.hex != vib.sha256() {
            let problem = "its bytes are not those that were written; pack it again";
            return Err(failed(io::Error::new(io::ErrorKind::InvalidData, problem)));
        }
        Ok(())
    }

    /// Ends the archive and tells what it holds.
    pub(super) fn finish(self) -> Result<Listing, Error> {
        let mut out = self.archive.finish().map_err(written)?;
        out.flush().map_err(Error::writing("zip"))?;
        Ok(Listing::new(self.items))
    }

    fn start(&mut self, path: &str, size: u64, level: i64) -> Result<(), Error> {
        // Deflate adds some bytes to what it cannot compress.
        let large = size.saturating_add(size / 1000) > u64::from(u32::MAX);
        let options = self
            .options
            .compression_level(Some(level))
            .large_file(large);
        self.items.push(Item {
            path: path.to_owned(),
            mode: None,
            size,
        });
        self.archive.start_file(path, options).map_err(written)
    }
}

fn written(error: ::zip::result::ZipError) -> Error {
    Error::writing("zip")(error.into())
}

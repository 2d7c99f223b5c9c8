//! Zip archives: deflate, one time for all entries, no directory entries (FORMAT.md B1).

use std::io::{Cursor, Write};

use ::zip::CompressionMethod::Deflated;
use ::zip::ZipWriter;
use ::zip::write::SimpleFileOptions;

use crate::{Epoch, Error};

pub(super) fn archive(entries: &[(String, Vec<u8>)], epoch: Epoch) -> Result<Vec<u8>, Error> {
    let options = SimpleFileOptions::default()
        .compression_method(Deflated)
        .compression_level(Some(9))
        .last_modified_time(epoch.in_zip())
        .unix_permissions(0o644);
    let failed = Error::writing("zip");
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, data) in entries {
        archive
            .start_file(path.as_str(), options)
            .map_err(|error| failed(error.into()))?;
        archive.write_all(data).map_err(&failed)?;
    }
    let bytes = archive.finish().map_err(|error| failed(error.into()))?;
    Ok(bytes.into_inner())
}

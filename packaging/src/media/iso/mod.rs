//! ISO 9660, as far as installer media need it (FORMAT.md M13): read, and edited in place.

mod describe;
mod edit;
mod record;
mod scan;

use std::cell::RefCell;
use std::io::{self, Read, Seek, SeekFrom};

use self::scan::{Scan, Tree};
use super::{MediaError, Medium, MediumFile};

pub use self::edit::{Patch, Plan};

/// Size of a sector in bytes.
pub(super) const SECTOR: u64 = 2048;

/// An ISO image.
pub struct Iso<R> {
    input: RefCell<R>,
    scan: Scan,
}

impl<R: Read + Seek> Iso<R> {
    /// Reads the descriptors and directories of an image.
    ///
    /// # Errors
    /// A finding against FORMAT.md M13, for what is damaged or laid out in another way than
    /// installer media are.
    pub fn read(mut input: R) -> Result<Self, MediaError> {
        let scan = Scan::read(&mut input)?;
        Ok(Self {
            input: RefCell::new(input),
            scan,
        })
    }

    /// What becomes of the image when files go, come or change. Contents of new files follow later:
    /// here they are only placed.
    ///
    /// # Errors
    /// A finding against FORMAT.md M14, for what cannot be done in place.
    pub fn plan(&self, remove: &[String], write: &[(String, u64)]) -> Result<Plan, MediaError> {
        edit::plan(&self.scan, remove, write)
    }

    /// The tree that boot loaders see.
    fn tree(&self) -> Option<&Tree> {
        self.scan.trees.first()
    }
}

impl<R: Read + Seek> Medium for Iso<R> {
    fn files(&self) -> io::Result<Vec<MediumFile>> {
        let files = self.tree().into_iter().flat_map(Tree::files);
        Ok(files
            .map(|(path, extent)| MediumFile {
                path,
                size: u64::from(extent.length),
            })
            .collect())
    }

    fn open<'m>(&'m self, path: &str) -> io::Result<Box<dyn Read + 'm>> {
        let tree = self.tree().ok_or(io::ErrorKind::NotFound)?;
        let extent = tree.find(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(Extent {
            input: &self.input,
            position: u64::from(extent.sector) * SECTOR,
            left: u64::from(extent.length),
        }))
    }

    fn boot_entries(&self) -> Vec<String> {
        self.scan.boot_entries.clone()
    }
}

/// The bytes of a file.
struct Extent<'m, R> {
    input: &'m RefCell<R>,
    position: u64,
    left: u64,
}

impl<R: Read + Seek> Read for Extent<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let (buffer, _) = buffer.split_at_mut(most.min(buffer.len()));
        if buffer.is_empty() {
            return Ok(0);
        }
        let mut input = self.input.borrow_mut();
        input.seek(SeekFrom::Start(self.position))?;
        let count = input.read(buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.position += count as u64;
        self.left -= count as u64;
        Ok(count)
    }
}

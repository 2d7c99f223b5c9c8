//! Descriptions on their way to a package: read, checked, with the way to their files.

use std::{
    collections::BTreeMap,
    env::{self, VarError},
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use packaging::{
    Manifest, Package, Source, Sources,
    manifest::{Draft, Machine},
    payload::Payload,
};

use crate::{input, progress::Progress, style};

/// Sources that another program makes, for messages about those that are missing.
#[derive(Debug, Clone, Copy)]
pub struct Elsewhere {
    /// The program, as a user types it.
    pub program: &'static str,
    /// The sources, by the ends of their paths.
    pub sources: &'static [&'static str],
}

/// A description that keeps the rules, with the way to its files.
pub struct Described {
    pub(super) package: Package,
    pub(super) files: Folder,
}

impl Described {
    /// Reads a description and checks it, together with the files that it names.
    ///
    /// `version` and `machine` replace those of the description. `made` holds files that are not read from disk,
    /// by the end of their paths. `elsewhere` names the program that makes sources that are missing.
    ///
    /// # Errors
    /// With everything that is wrong, if it breaks rules.
    pub fn read(
        manifest: &Path,
        version: Option<&str>,
        machine: Option<Machine>,
        made: BTreeMap<&'static str, Vec<u8>>,
        elsewhere: Option<Elsewhere>,
    ) -> Result<Self> {
        let named = || manifest.display().to_string();
        let text = input::read_text(manifest)?;
        let draft = Draft::parse(&text).with_context(named)?;
        let folder = std::path::absolute(manifest)?
            .parent()
            .context("the description is not in a folder")?
            .to_owned();
        let files = Folder { folder, made };
        let mut description = draft.finish_with(version, &files).map_err(|error| {
            let text = error.to_string();
            let break_or_blank = if text.contains('\n') { "\n" } else { " " };
            anyhow!("{}:{break_or_blank}{text}", named())
        })?;
        if let Some(machine) = machine {
            description = description.with_machine(machine);
        }
        let epoch = match env::var("SOURCE_DATE_EPOCH") {
            Ok(text) => text.parse().context("the variable SOURCE_DATE_EPOCH")?,
            Err(VarError::NotPresent) => description.release_date,
            Err(error) => return Err(error).context("the variable SOURCE_DATE_EPOCH"),
        };
        if let Some(elsewhere) = elsewhere {
            files
                .ensure_made(&description, elsewhere)
                .with_context(named)?;
        }
        let hint = match description.version {
            Some(_) => "",
            None => "\n--version gives a version to a description that has none",
        };
        let package = Package::new(description, &files, epoch)
            .map_err(|error| anyhow!("{}:\n{error}{hint}", named()))?;
        for warning in package.warnings() {
            style::warn(&format!("{}: {warning}", named()));
        }
        Ok(Self { package, files })
    }

    /// Size of all its files, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        let payloads: &[Payload] = self.package.payloads();
        let entries = payloads.iter().flat_map(|payload| &payload.entries);
        entries.map(packaging::contents::Entry::size).sum()
    }
}

/// Finds sources below the folder of a description.
pub(super) struct Folder {
    folder: PathBuf,
    made: BTreeMap<&'static str, Vec<u8>>,
}

impl Folder {
    /// # Errors
    /// If files are missing that another program makes.
    fn ensure_made(&self, description: &Manifest, elsewhere: Elsewhere) -> Result<()> {
        let is_made = |path: &Path| elsewhere.sources.iter().any(|end| path.ends_with(end));
        let missing: Vec<_> = description
            .sources()
            .filter(|source| {
                is_made(&self.folder.join(source))
                    && self
                        .open(source)
                        .is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
            })
            .collect();
        ensure!(
            missing.is_empty(),
            "`{}` builds these sources, and has not done so yet: {}\n\
             run it: it packs them, too; for another package of them, run this again after it",
            elsewhere.program,
            missing.join(", ")
        );
        Ok(())
    }
}

impl Sources for Folder {
    fn open(&self, name: &str) -> io::Result<Source<'_>> {
        let path = self.folder.join(name);
        if let Some((_, bytes)) = self.made.iter().find(|(end, _)| path.ends_with(end)) {
            return Ok(Source {
                size: bytes.len() as u64,
                data: Box::new(bytes.as_slice()),
            });
        }
        let file = input::open_regular(&path)?;
        Ok(Source {
            size: file.metadata()?.len(),
            data: Box::new(file),
        })
    }
}

/// Counts what is packed.
pub(super) struct Watched<'a> {
    pub(super) files: &'a Folder,
    pub(super) progress: Progress,
}

impl Sources for Watched<'_> {
    fn open(&self, name: &str) -> io::Result<Source<'_>> {
        let Source { size, data } = self.files.open(name)?;
        Ok(Source {
            size,
            data: Box::new(self.progress.reading(data)),
        })
    }
}

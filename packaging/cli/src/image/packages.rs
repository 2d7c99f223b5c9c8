//! Packages for media: VIBs as they are, and those of bundles.

use std::{
    fs::{self, File},
    io::{self, Read, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use packaging::{
    digest::{Digesting, Sha256},
    inspect::{Limits, Sink, extract},
    media::{Addition, Content},
};

use crate::input::open_regular;

/// Where a build of this repository leaves its package.
const PRODUCT: &str = "dist";

/// VIBs that were read, with the files that hold them.
#[derive(Default)]
pub(super) struct Packages {
    additions: Vec<Addition>,
    files: Vec<File>,
}

impl Packages {
    /// Reads VIBs, and those of bundles that are called for.
    ///
    /// # Errors
    /// If a file cannot be read, or is neither.
    pub(super) fn read(paths: &[PathBuf], wanted: &[String]) -> Result<Self> {
        let mut packages = Self::default();
        let ours;
        let paths = if paths.is_empty() {
            ours = [product()?];
            &ours
        } else {
            paths
        };
        let mut passed_over = Vec::new();
        for path in paths {
            let named = || path.display().to_string();
            let mut file = open_regular(path).with_context(named)?;
            let mut magic = [0; 2];
            let is_zip = file.read(&mut magic).with_context(named)? == 2 && magic == *b"PK";
            file.rewind().with_context(named)?;
            if !is_zip {
                packages.add(file).with_context(named)?;
                continue;
            }
            let mut vibs = Vibs(Vec::new());
            extract(&mut file, &Limits::default(), &mut vibs).with_context(named)?;
            ensure!(!vibs.0.is_empty(), "{} holds no VIB", path.display());
            for file in vibs.0 {
                packages.add(file).with_context(named)?;
                let name = packages.additions.last().map_or("", Addition::name);
                if !wanted.is_empty() && !wanted.iter().any(|wanted| wanted == name) {
                    passed_over.push(name.to_owned());
                    packages.additions.pop();
                    packages.files.pop();
                }
            }
        }
        let has = |name: &&String| packages.additions.iter().any(|one| one.name() == **name);
        if let Some(missing) = wanted.iter().find(|name| !has(name)) {
            bail!(
                "--vib {missing}: no such VIB; the bundle has {}",
                passed_over.join(", ")
            );
        }
        Ok(packages)
    }

    fn add(&mut self, mut file: File) -> Result<()> {
        file.rewind()?;
        let reader = io::BufReader::new(&file);
        self.additions
            .push(Addition::read(reader, &Limits::default())?);
        self.files.push(file);
        Ok(())
    }

    pub(super) fn additions(&self) -> &[Addition] {
        &self.additions
    }

    /// Writes what a file becomes.
    ///
    /// # Errors
    /// If that fails, or if a package has changed since it was read.
    pub(super) fn write(&self, content: &Content, out: &mut File) -> Result<()> {
        match content {
            Content::Bytes(bytes) => out.write_all(bytes)?,
            Content::Payload {
                addition,
                offset,
                size,
                sha256,
            } => {
                let mut file = self.files.get(*addition).context("no such package")?;
                file.seek(SeekFrom::Start(*offset))?;
                let mut out = Digesting::<_, Sha256>::new(out);
                io::copy(&mut file.take(*size), &mut out)?;
                let (_, sum) = out.finish();
                ensure!(
                    sum.hex == *sha256,
                    "the package has changed while it was read"
                );
            }
        }
        Ok(())
    }
}

/// The VIB of that folder.
fn product() -> Result<PathBuf> {
    let is_vib = |path: &PathBuf| path.extension().is_some_and(|end| end == "vib");
    let entries =
        fs::read_dir(Path::new(PRODUCT)).with_context(|| format!("{PRODUCT}: name a package"))?;
    let mut vibs = Vec::new();
    for entry in entries {
        vibs.extend(Some(entry?.path()).filter(is_vib));
    }
    ensure!(
        vibs.len() == 1,
        "{PRODUCT} holds {} VIBs; name the package",
        vibs.len()
    );
    vibs.pop().context("no VIB")
}

/// Keeps the VIBs of a bundle, in files without a name.
struct Vibs(Vec<File>);

impl Sink for Vibs {
    fn directory(&mut self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn file(&mut self, path: &str, _: u32, data: &mut dyn Read) -> io::Result<()> {
        if !path.to_ascii_lowercase().ends_with(".vib") {
            return io::copy(data, &mut io::sink()).map(drop);
        }
        let mut file = tempfile::tempfile()?;
        io::copy(data, &mut file)?;
        self.0.push(file);
        Ok(())
    }
}

//! `cargo xtask package`: from descriptions to VIBs and the offline bundle that holds them.

use std::{
    collections::BTreeMap,
    env::{self, VarError},
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use packaging::{
    Bundle, Manifest, Package, Source, Sources, Vib,
    manifest::{AcceptanceLevel, Draft},
    payload::Payload,
    sign::Signer,
};
use serde_json::json;

use crate::{
    compile, input,
    inspect::print,
    output::{CHECKSUMS, Output},
    progress::Progress,
    supply, verify,
};

/// Sources that are built here, by the ends of their paths.
const BUILT: [&str; 3] = [compile::DAEMON, supply::LICENCES, supply::SBOM];

/// What was made.
#[derive(Debug)]
pub(crate) struct Packed {
    /// The VIBs, in the order of their descriptions.
    pub(crate) vibs: Vec<Made>,
    /// The bundle with all of them.
    pub(crate) bundle: Made,
    /// The list of their checksums.
    pub(crate) checksums: PathBuf,
}

/// A file that was made.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) path: PathBuf,
    /// Identity of a VIB.
    id: Option<String>,
    size: u64,
    sha256: String,
}

impl Packed {
    /// Prints the paths, one on each line, or an object with all facts.
    ///
    /// # Errors
    /// If standard output fails.
    pub(crate) fn print(&self, as_json: bool) -> Result<()> {
        if as_json {
            let vibs: Vec<_> = self.vibs.iter().map(Made::json).collect();
            let object = json!({
                "format": 1,
                "vibs": vibs,
                "bundle": self.bundle.json(),
                "checksums": self.checksums,
            });
            return print(&format!("{object:#}\n"));
        }
        let made = self.vibs.iter().chain([&self.bundle]);
        for path in made.map(|made| &made.path).chain([&self.checksums]) {
            print(&format!("{}\n", path.display()))?;
        }
        Ok(())
    }
}

impl Made {
    fn json(&self) -> serde_json::Value {
        let mut object = json!({ "path": self.path, "size": self.size, "sha256": self.sha256 });
        if let Some(id) = &self.id {
            object["id"] = json!(id);
        }
        object
    }
}

/// A description that keeps the rules, with the way to its files.
pub(crate) struct Described {
    package: Package,
    files: Folder,
}

impl Described {
    /// Reads a description and checks it, together with the files that it names.
    ///
    /// `version` replaces that of the description. `made` holds files that are not read from disk,
    /// by the end of their paths.
    ///
    /// # Errors
    /// With everything that is wrong, if it breaks rules.
    pub(crate) fn read(
        manifest: &Path,
        version: Option<&str>,
        made: BTreeMap<&'static str, Vec<u8>>,
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
        if let Some(version) = version {
            description = description.with_version(version);
        }
        let epoch = match env::var("SOURCE_DATE_EPOCH") {
            Ok(text) => text.parse().context("the variable SOURCE_DATE_EPOCH")?,
            Err(VarError::NotPresent) => description.release_date,
            Err(error) => return Err(error).context("the variable SOURCE_DATE_EPOCH"),
        };
        files.ensure_built(&description).with_context(named)?;
        let hint = match description.version {
            Some(_) => "",
            None => "\n--version gives a version to a description that has none",
        };
        let package = Package::new(description, &files, epoch)
            .map_err(|error| anyhow!("{}:\n{error}{hint}", named()))?;
        for warning in package.warnings() {
            eprintln!("warning: {}: {warning}", named());
        }
        Ok(Self { package, files })
    }

    fn bytes(&self) -> u64 {
        let payloads: &[Payload] = self.package.payloads();
        let entries = payloads.iter().flat_map(|payload| &payload.entries);
        entries.map(packaging::contents::Entry::size).sum()
    }
}

/// Finds sources below the folder of a description.
struct Folder {
    folder: PathBuf,
    made: BTreeMap<&'static str, Vec<u8>>,
}

impl Folder {
    /// # Errors
    /// If files are missing that another command makes.
    fn ensure_built(&self, description: &Manifest) -> Result<()> {
        let is_built = |path: &Path| BUILT.iter().any(|end| path.ends_with(end));
        let missing: Vec<_> = description
            .sources()
            .filter(|source| {
                is_built(&self.folder.join(source))
                    && self
                        .open(source)
                        .is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
            })
            .collect();
        ensure!(
            missing.is_empty(),
            "`cargo xtask dist` builds these sources, and has not done so yet: {}\n\
             run it: it packs them, too; for another package of them, run this again after it",
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
struct Watched<'a> {
    files: &'a Folder,
    progress: Progress,
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

/// Packs what the descriptions say, signed if there is a signer, and replaces the directory `out`
/// with the result.
///
/// # Errors
/// If a package breaks a rule, if they cannot share a bundle, or if the verifier refuses what was
/// made. `out` is then as it was.
pub(crate) fn run(
    manifests: &[PathBuf],
    version: Option<&str>,
    out: &Path,
    signer: Option<&Signer>,
) -> Result<Packed> {
    let described: Vec<_> = manifests
        .iter()
        .map(|manifest| Described::read(manifest, version, BTreeMap::new()))
        .collect::<Result<_>>()?;
    pack(&described, out, signer)
}

/// Packs and replaces the directory `out` with the result.
///
/// # Errors
/// See [`run`].
pub(crate) fn pack(described: &[Described], out: &Path, signer: Option<&Signer>) -> Result<Packed> {
    let mut output = Output::new(out)?;
    let mut vibs = Vec::new();
    for one in described {
        let vib = write_vib(one, &output, signer)?;
        output.list(&vib.file_name(), vib.sha256());
        vibs.push(vib);
    }
    let bundle = write_bundle(&vibs, &output)?;
    output.list(bundle.file_name(), bundle.sha256());
    // The VIBs are in it.
    verify::ensure_sound(&output.path(bundle.file_name()))?;
    output.publish()?;
    Ok(Packed {
        vibs: vibs
            .iter()
            .map(|vib| Made {
                path: out.join(vib.file_name()),
                id: Some(vib.id()),
                size: vib.size(),
                sha256: vib.sha256().to_owned(),
            })
            .collect(),
        bundle: Made {
            path: out.join(bundle.file_name()),
            id: None,
            size: bundle.size(),
            sha256: bundle.sha256().to_owned(),
        },
        checksums: out.join(CHECKSUMS),
    })
}

fn write_vib(described: &Described, output: &Output, signer: Option<&Signer>) -> Result<Vib> {
    let Described { package, files } = described;
    let id = package.id();
    let sources = Watched {
        files,
        progress: Progress::new(format!("packing {id}"), described.bytes()),
    };
    // Its name is known only when it is there.
    let unnamed = "vib";
    let (spool, file) = (output.spool()?, output.create(unnamed)?);
    let vib = match signer {
        Some(signer) => {
            Vib::write_signed(package, &sources, spool, file, signer).with_context(|| id.clone())?
        }
        None => Vib::write(package, &sources, spool, file).with_context(|| id.clone())?,
    };
    fs::rename(output.path(unnamed), output.path(&vib.file_name()))?;
    eprintln!("{}: {id}\n{}", vib.file_name(), vib.members());
    eprintln!("its payloads:\n{}", vib.files());
    let level = package.acceptance_level();
    if level != AcceptanceLevel::Community && signer.is_none() {
        eprintln!("{id} is of the level {level}: no host takes it before it has been signed\n");
    }
    Ok(vib)
}

fn write_bundle(vibs: &[Vib], output: &Output) -> Result<Bundle> {
    let progress = Progress::new("bundling", vibs.iter().map(Vib::size).sum());
    let unnamed = "bundle";
    let open = |vib: &Vib| {
        let file = File::open(output.path(&vib.file_name()))?;
        Ok(progress.reading(file))
    };
    let bundle = Bundle::write(vibs, open, output.create(unnamed)?)?;
    fs::rename(output.path(unnamed), output.path(bundle.file_name()))?;
    eprintln!("{}:\n{}", bundle.file_name(), bundle.entries());
    Ok(bundle)
}

#[cfg(test)]
mod tests {
    use packaging::inspect::{Contents, Limits, inspect};

    use super::*;

    #[test]
    fn a_file_that_was_made_goes_before_the_one_on_disk() {
        const DESCRIPTION: &str = r#"
            name = "hello"
            vendor = "acme"
            vendor-code = "acm"
            release = "1"
            release-date = 2026-01-15T00:00:00Z
            summary = "Greets"
            description = "A program that says hello"
            payloads = [{ name = "hello" }]
            platforms = ["8.*"]
            component = { name = "hello", ui-string = "Hello" }
            bulletin = { kb-url = "https://acme.example/kb", contact = "https://acme.example" }
            contents = [
                { source = "../built/hello", destination = "opt/hello", mode = "0755" },
                { source = "hello", destination = "opt/other", mode = "0755" },
            ]
        "#;
        let folder = tempfile::tempdir().unwrap();
        let manifest = folder.path().join("package.toml");
        fs::write(&manifest, DESCRIPTION).unwrap();
        fs::write(folder.path().join("hello"), "on disk").unwrap();
        let made = BTreeMap::from([("built/hello", b"made".to_vec())]);
        let described = Described::read(&manifest, Some("1.2"), made).unwrap();
        let packed = pack(&[described], &folder.path().join("out"), None).unwrap();

        let vib = File::open(&packed.vibs[0].path).unwrap();
        let Contents::Vib(vib) = inspect(vib, &Limits::default()).unwrap().contents else {
            panic!("no VIB");
        };
        assert_eq!(vib.descriptor.version, "1.2-1");
        let entries = &vib.payloads[0].archive.as_ref().unwrap().entries;
        let sizes: Vec<_> = entries
            .iter()
            .map(|entry| (&*entry.path, entry.size))
            .collect();
        assert_eq!(sizes, [("opt/", 0), ("opt/hello", 4), ("opt/other", 7)]);
    }
}

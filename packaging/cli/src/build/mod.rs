//! `vib build`: from descriptions to VIBs and the offline bundle that holds them.

mod described;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
#[cfg(feature = "signatures")]
use packaging::sign::Signer;
use packaging::{Bundle, Vib, manifest::AcceptanceLevel};
use serde_json::json;

use self::described::Watched;
pub use self::described::{Described, Elsewhere};
#[cfg(feature = "signatures")]
use crate::sign;
use crate::{
    output::{CHECKSUMS, Output},
    print,
    progress::Progress,
    verify,
};

/// Nobody: this program was built without signatures.
#[cfg(not(feature = "signatures"))]
#[derive(Debug)]
pub enum Signer {}

/// What to pack, and where to.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The manifests; `vib init` writes one
    #[arg(value_name = "PACKAGE.TOML", required = true)]
    manifests: Vec<PathBuf>,
    /// The directory for the results; it is replaced
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The version of the packages; overrides that of the manifests
    #[arg(long)]
    version: Option<String>,
    #[cfg(feature = "signatures")]
    #[command(flatten)]
    keys: Option<sign::Keys>,
    /// Print JSON, for programs: paths, sizes, checksums, ids
    #[arg(long)]
    json: bool,
}

impl Options {
    /// Packs, and prints the paths of what was made.
    ///
    /// # Errors
    /// If a key cannot be read, and as [`pack`].
    pub fn run(self, elsewhere: Option<Elsewhere>) -> Result<()> {
        let out = std::path::absolute(self.out)?;
        #[cfg(feature = "signatures")]
        let signer = sign::signer(self.keys)?;
        #[cfg(not(feature = "signatures"))]
        let signer = None;
        let described: Vec<_> = self
            .manifests
            .iter()
            .map(|manifest| {
                let version = self.version.as_deref();
                Described::read(manifest, version, None, BTreeMap::new(), elsewhere)
            })
            .collect::<Result<_>>()?;
        pack(&described, &out, signer.as_ref())?.print(self.json)
    }
}

/// What was made.
#[derive(Debug)]
pub struct Packed {
    /// The VIBs, in the order of their descriptions.
    pub vibs: Vec<Made>,
    /// The bundle with all of them.
    pub bundle: Made,
    /// The list of their checksums.
    pub checksums: PathBuf,
}

/// A file that was made.
#[derive(Debug)]
pub struct Made {
    /// Where it is.
    pub path: PathBuf,
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
    pub fn print(&self, as_json: bool) -> Result<()> {
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

/// Packs what the descriptions say, signed if there is a signer, and replaces the directory `out`
/// with the result.
///
/// # Errors
/// If a package breaks a rule, if they cannot share a bundle, or if the verifier refuses what was
/// made. `out` is then as it was.
pub fn pack(described: &[Described], out: &Path, signer: Option<&Signer>) -> Result<Packed> {
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
        #[cfg(feature = "signatures")]
        Some(signer) => {
            Vib::write_signed(package, &sources, spool, file, signer).with_context(|| id.clone())?
        }
        #[cfg(not(feature = "signatures"))]
        Some(nobody) => match *nobody {},
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
        let described = Described::read(&manifest, Some("1.2"), None, made, None).unwrap();
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

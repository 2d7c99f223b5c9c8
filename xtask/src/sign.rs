//! `cargo xtask sign`: a VIB with a signature.

use std::{
    fs,
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use packaging::inspect::{Contents, Limits, inspect};
use packaging::sign::{Signer, sign};
use packaging::verify::{Severity, verify};

use crate::inspect::{open, print};

/// Where key and certificates are: PEM files.
#[derive(Debug, clap::Args)]
pub(crate) struct Keys {
    /// The private key: RSA, PEM, not encrypted
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Its certificate, PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) cert: PathBuf,
    /// The certificates between it and the CA, PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) chain: Option<PathBuf>,
}

impl Keys {
    /// Reads the files. Messages name them and never show the key.
    pub(crate) fn read(&self) -> Result<Signer> {
        let read = |path: &Path| fs::read(path).with_context(|| path.display().to_string());
        let (key, cert) = (read(&self.key)?, read(&self.cert)?);
        let chain = self.chain.as_deref().map(read).transpose()?;
        Signer::from_pem(&key, &cert, &chain.unwrap_or_default()).with_context(|| {
            let chain = self.chain.as_ref();
            let chain = chain.map_or(String::new(), |chain| format!(", {}", chain.display()));
            format!("{}, {}{chain}", self.key.display(), self.cert.display())
        })
    }
}

/// Writes the signed copy beside its place, checks it, and moves it there; without `out` it takes
/// the place of `file`.
///
/// # Errors
/// If key or certificate cannot be used, if `file` is no VIB, or has errors that a signature would
/// only seal. `out` is then as it was.
pub(crate) fn run(file: &Path, keys: &Keys, out: Option<&Path>) -> Result<()> {
    let signer = keys.read()?;
    let out = std::path::absolute(out.unwrap_or(file))?;
    let named = || out.display().to_string();
    let parent = out
        .parent()
        .with_context(|| format!("{} has no parent", named()))?;
    let mut copy =
        tempfile::NamedTempFile::new_in(parent).with_context(|| parent.display().to_string())?;
    let done = {
        let mut writer = BufWriter::new(copy.as_file_mut());
        let done =
            sign(open(file)?, &mut writer, &signer).with_context(|| file.display().to_string())?;
        writer.flush().with_context(named)?;
        done
    };
    let level = judge(copy.path()).with_context(|| file.display().to_string())?;
    // Temporary files are private; a package is as readable as it was.
    let permissions = fs::metadata(file)?.permissions();
    copy.as_file().set_permissions(permissions)?;
    copy.as_file().sync_all().with_context(named)?;
    copy.persist(&out).with_context(named)?;
    print(&format!(
        "{}: signed by {} ({} bytes{})\n",
        named(),
        signer.subject(),
        done.bytes,
        if done.replaced {
            ", in place of an earlier signature"
        } else {
            ""
        }
    ))?;
    if level == "community" {
        print("hosts do not look at the signature of a community package (FORMAT.md S1)\n")?;
    }
    Ok(())
}

/// The acceptance level of a package without errors.
fn judge(copy: &Path) -> Result<String> {
    let inspection = inspect(open(copy)?, &Limits::default())?;
    let errors: Vec<_> = verify(&inspection)
        .iter()
        .filter(|one| one.severity == Severity::Error)
        .map(ToString::to_string)
        .collect();
    if !errors.is_empty() {
        bail!(
            "it is not signed, because it has errors:\n{}",
            errors.join("\n")
        );
    }
    match inspection.contents {
        Contents::Vib(vib) => Ok(vib.descriptor.acceptance_level.unwrap_or_default()),
        _ => bail!("it is no VIB; sign one of those"),
    }
}

//! `vib sign`: a VIB with a signature.

use std::{
    fs,
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use packaging::inspect::{Contents, Limits, inspect};
use packaging::sign::{Signer, sign};
use packaging::verify::verify;

use crate::{
    input::{self, open},
    print,
    verify::refuse_errors,
};

/// What to sign, and with what.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The VIB
    file: PathBuf,
    #[command(flatten)]
    keys: Option<Keys>,
    /// Where the signed copy goes [default: it takes the place of the VIB]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print JSON, for programs: the file, who signed it, and how
    #[arg(long)]
    json: bool,
}

impl Options {
    /// # Errors
    /// Without keys, and as [`run`].
    pub(crate) fn run(self) -> Result<()> {
        let keys = self.keys.context(NO_KEYS)?;
        run(&self.file, &keys, self.out.as_deref(), self.json)
    }
}

/// What to add to a command line that signs and has no keys.
const NO_KEYS: &str = "signing takes a private key and its certificate: add --key KEY.pem \
    and --cert CERT.pem, and --chain BETWEEN.pem if a CA stands between the certificate and a known one";

/// Where key and certificates are: PEM files.
#[derive(Debug, clap::Args)]
pub struct Keys {
    /// The private key: RSA, PEM, not encrypted
    // Where signing is optional, so is this; `sign` asks for both itself.
    #[arg(long, value_name = "FILE", required = false, requires = "cert")]
    key: PathBuf,
    /// Its certificate, PEM
    #[arg(long, value_name = "FILE", required = false, requires = "key")]
    cert: PathBuf,
    /// The certificates between it and the CA, PEM
    #[arg(long, value_name = "FILE", requires = "key")]
    chain: Option<PathBuf>,
}

impl Keys {
    /// Reads the files. Messages name them and never show the key.
    ///
    /// # Errors
    /// If a file cannot be read, or holds no usable key or certificate.
    fn read(&self) -> Result<Signer> {
        let (key, cert) = (input::read(&self.key)?, input::read(&self.cert)?);
        let chain = self.chain.as_deref().map(input::read).transpose()?;
        Signer::from_pem(&key, &cert, &chain.unwrap_or_default()).with_context(|| {
            let chain = self.chain.as_ref();
            let chain = chain.map_or(String::new(), |chain| format!(", {}", chain.display()));
            format!("{}, {}{chain}", self.key.display(), self.cert.display())
        })
    }
}

/// The signer, if there are keys.
///
/// # Errors
/// If a file cannot be read, or holds no usable key or certificate.
pub fn signer(keys: Option<Keys>) -> Result<Option<Signer>> {
    keys.map(|keys| keys.read()).transpose()
}

/// Writes the signed copy beside its place, checks it, and moves it there; without `out` it takes
/// the place of `file`.
///
/// # Errors
/// If key or certificate cannot be used, if `file` is no VIB, or has errors that a signature would
/// only seal. `out` is then as it was.
pub(crate) fn run(file: &Path, keys: &Keys, out: Option<&Path>, as_json: bool) -> Result<()> {
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
    if as_json {
        let object = serde_json::json!({
            "format": 1,
            "file": out,
            "signer": signer.subject(),
            "bytes": done.bytes,
            "replaced": done.replaced,
        });
        return print(&format!("{object:#}\n"));
    }
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
    refuse_errors(
        &verify(&inspection),
        |_any| true,
        "it is not signed, because it has errors",
    )?;
    match inspection.contents {
        Contents::Vib(vib) => Ok(vib.descriptor.acceptance_level.unwrap_or_default()),
        _ => bail!("it is no VIB; sign one of those"),
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::samples;

    /// A folder with a package `a.vib`, and a key with its certificate.
    #[expect(clippy::disallowed_methods, reason = "openssl makes keys for tests")]
    fn folder() -> (TempDir, Keys) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.vib"), samples::vib()).unwrap();
        let mut openssl = std::process::Command::new("openssl");
        openssl.current_dir(folder.path()).args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            "key",
            "-out",
            "cert",
            "-subj",
            "/CN=tester",
            "-config",
            "/dev/null",
            "-addext",
            "basicConstraints=CA:FALSE",
            "-days",
            "30",
        ]);
        assert!(openssl.output().unwrap().status.success());
        let keys = Keys {
            key: folder.path().join("key"),
            cert: folder.path().join("cert"),
            chain: None,
        };
        (folder, keys)
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn a_copy_is_signed_or_the_package_itself() {
        let (folder, keys) = folder();
        let (vib, copy) = (folder.path().join("a.vib"), folder.path().join("b.vib"));
        run(&vib, &keys, Some(&copy), false).unwrap();
        assert_eq!(fs::read(&vib).unwrap(), samples::vib());
        run(&vib, &keys, None, false).unwrap();
        assert_eq!(fs::read(&vib).unwrap(), fs::read(&copy).unwrap());
        assert_ne!(fs::read(&vib).unwrap(), samples::vib());
        assert_eq!(names(folder.path()), ["a.vib", "b.vib", "cert", "key"]);
    }

    #[test]
    fn what_has_errors_is_not_signed_and_nothing_is_left_behind() {
        let (folder, keys) = folder();
        let vib = folder.path().join("a.vib");
        let mut bytes = samples::vib();
        let last = bytes.len() - 4;
        bytes[last] ^= 1;
        for (bytes, wanted) in [
            (&bytes[..], "payload \"hello\""),
            (&bytes[..200], "in the middle of it"),
            (b"PK\x03\x04", "an offline bundle cannot be signed"),
            (b"", "ar magic"),
        ] {
            fs::write(&vib, bytes).unwrap();
            let error = format!("{:#}", run(&vib, &keys, None, false).unwrap_err());
            assert!(
                error.contains("a.vib: ") && error.contains(wanted),
                "{error}"
            );
            assert_eq!(fs::read(&vib).unwrap(), bytes);
            assert_eq!(names(folder.path()), ["a.vib", "cert", "key"]);
        }
    }

    #[test]
    fn keys_are_named_by_their_files() {
        let (folder, keys) = folder();
        let other = folder.path().join("none");
        let error = |keys: &Keys| format!("{:#}", keys.read().unwrap_err());
        let swapped = Keys {
            key: keys.cert.clone(),
            cert: keys.key.clone(),
            chain: Some(keys.cert.clone()),
        };
        let text = error(&swapped);
        assert!(text.contains("private key: there is none"), "{text}");
        assert_eq!(text.matches("cert").count(), 2, "{text}");
        let text = error(&Keys {
            key: other.clone(),
            ..keys
        });
        assert!(text.starts_with(&other.display().to_string()), "{text}");
    }
}

//! `cargo xtask dist`: from source to a VIB and an offline bundle.

use std::{
    collections::BTreeMap,
    env, fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use packaging::{Bundle, Epoch, Manifest, Package, Vib};
use xshell::Shell;

use crate::compile;

/// The description of our own package, below the root of the workspace.
pub(crate) const MANIFEST: &str = "packaging/package.toml";

/// The file that names what was made, in the form that `sha256sum --check` reads.
const CHECKSUMS: &str = "SHA256SUMS";

/// What was made.
#[derive(Debug)]
pub(crate) struct Dist {
    /// The VIB.
    pub(crate) vib: PathBuf,
}

/// Makes our own package in `dist/`.
///
/// # Errors
/// See [`run`].
pub(crate) fn ours(sh: &Shell, root: &Path) -> Result<Dist> {
    run(sh, root, &root.join(MANIFEST), &root.join("dist"))
}

/// Builds the daemon, packs what `manifest` describes and replaces the directory `out` with the
/// result.
///
/// # Errors
/// If the package breaks a rule, which is found out before anything is built; or if the build
/// fails. `out` is then as it was.
pub(crate) fn run(sh: &Shell, root: &Path, manifest: &Path, out: &Path) -> Result<Dist> {
    // With an empty file in place of the daemon: whatever is wrong with the package is said before
    // the long build.
    package(manifest, &[])?;
    let package = package(manifest, &compile::daemon(sh, root)?)?;

    let vib = Vib::build(&package)?;
    let vib_name = vib.file_name();
    println!("\n{vib_name}: {}\n{}", vib.id(), vib.members());
    println!("its payload:\n{}", vib.files());
    let vib_bytes = vib.bytes().to_vec();
    let vib_sum = vib.sha256().to_owned();
    let bundle = Bundle::build(&[vib])?;
    println!("{}:\n{}", bundle.file_name(), bundle.entries());

    let checksums = format!(
        "{vib_sum}  {vib_name}\n{}  {}\n",
        bundle.sha256(),
        bundle.file_name()
    );
    replace_directory(
        out,
        &[
            (&vib_name, &vib_bytes),
            (bundle.file_name(), bundle.bytes()),
            (CHECKSUMS, checksums.as_bytes()),
        ],
    )?;
    println!("{}:\n{checksums}", out.join(CHECKSUMS).display());
    Ok(Dist {
        vib: out.join(vib_name),
    })
}

/// Reads the description and its sources, and checks them. `program` is taken for the built daemon,
/// whatever is on disk.
fn package(manifest: &Path, program: &[u8]) -> Result<Package> {
    let named = || manifest.display().to_string();
    let text = fs::read_to_string(manifest).with_context(named)?;
    let description = Manifest::parse(&text)
        .with_context(named)?
        .with_version(env!("CARGO_PKG_VERSION"));
    let folder = manifest
        .parent()
        .context("the description is not in a folder")?;
    let mut sources = BTreeMap::new();
    for source in description.sources() {
        let path = folder.join(source);
        if path.ends_with(compile::DAEMON) {
            sources.insert(source.to_owned(), program.to_owned());
            continue;
        }
        match fs::read(&path) {
            Ok(bytes) => drop(sources.insert(source.to_owned(), bytes)),
            // `Package::new` names it, together with everything else that is wrong.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        }
    }
    let epoch = source_date_epoch()?.unwrap_or(description.release_date);
    Package::new(description, &sources, epoch).with_context(named)
}

/// The release date that the environment asks for, as reproducible-builds.org describes it.
fn source_date_epoch() -> Result<Option<Epoch>> {
    let Some(text) = env::var_os("SOURCE_DATE_EPOCH") else {
        return Ok(None);
    };
    let seconds = text.to_str().and_then(|text| text.parse().ok());
    let seconds =
        seconds.context("SOURCE_DATE_EPOCH is not a number of seconds; correct or unset it")?;
    Ok(Some(
        Epoch::from_unix(seconds).context("SOURCE_DATE_EPOCH")?,
    ))
}

/// Replaces `directory` with one that holds `files`, or leaves it as it is.
fn replace_directory(directory: &Path, files: &[(&str, &[u8])]) -> Result<()> {
    let parent = directory
        .parent()
        .context("the output directory has no parent")?;
    let fresh = tempfile::tempdir_in(parent).context("no temporary directory beside the output")?;
    for (name, bytes) in files {
        let path = fresh.path().join(name);
        fs::write(&path, bytes).with_context(|| path.display().to_string())?;
    }
    if directory.exists() {
        fs::remove_dir_all(directory).with_context(|| directory.display().to_string())?;
    }
    make_public(fresh.path())?;
    fs::rename(fresh.keep(), directory).with_context(|| directory.display().to_string())
}

/// Temporary directories are private; what is built is not.
fn make_public(directory: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs::set_permissions(
        directory,
        fs::Permissions::from_mode(0o755),
    )?)
}

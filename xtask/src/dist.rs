//! `cargo xtask dist`: from source to a VIB and an offline bundle.

use std::{
    collections::BTreeMap,
    env::{self, VarError},
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use packaging::{Bundle, Manifest, Package, Vib};
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
    ensure_replaceable(out)?;
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
            Err(error) => {
                let place = path.display();
                return Err(error)
                    .with_context(|| format!("{}: the source {place} cannot be read", named()));
            }
        }
    }
    let epoch = match env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text.parse().context("the variable SOURCE_DATE_EPOCH")?,
        Err(VarError::NotPresent) => description.release_date,
        Err(error) => return Err(error).context("the variable SOURCE_DATE_EPOCH"),
    };
    Package::new(description, &sources, epoch).map_err(|error| anyhow!("{}:\n{error}", named()))
}

/// Replaces `directory`, which must hold nothing but an earlier result, with one that holds
/// `files`; or leaves it as it is.
fn replace_directory(directory: &Path, files: &[(&str, &[u8])]) -> Result<()> {
    ensure_replaceable(directory)?;
    let parent = directory
        .parent()
        .context("the output directory has no parent")?;
    let beside =
        tempfile::tempdir_in(parent).context("no temporary directory beside the output")?;
    let [fresh, old] = ["fresh", "old"].map(|name| beside.path().join(name));
    fs::create_dir(&fresh)?;
    for (name, bytes) in files {
        let path = fresh.join(name);
        fs::write(&path, bytes).with_context(|| path.display().to_string())?;
        // Whatever the umask: what is built is for everybody.
        fs::set_permissions(&path, Permissions::from_mode(0o644))?;
    }
    fs::set_permissions(&fresh, Permissions::from_mode(0o755))?;
    let named = || directory.display().to_string();
    if directory.exists() {
        fs::rename(directory, &old).with_context(named)?;
    }
    if let Err(error) = fs::rename(&fresh, directory) {
        let _back = fs::rename(&old, directory);
        return Err(error).with_context(named);
    }
    Ok(())
}

/// Makes sure that nothing is lost when `directory` is replaced: it is not there, or holds nothing
/// but what its list of checksums names.
fn ensure_replaceable(directory: &Path) -> Result<()> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| directory.display().to_string()),
    };
    let checksums = fs::read_to_string(directory.join(CHECKSUMS)).unwrap_or_default();
    let ours: Vec<_> = checksums
        .lines()
        .filter_map(|line| line.split_once("  "))
        .collect();
    for entry in entries {
        let name = entry?.file_name();
        let known = name == CHECKSUMS || ours.iter().any(|(_, listed)| name == *listed);
        ensure!(
            known,
            "{} holds {}, which is not of an earlier run; choose another directory with --out",
            directory.display(),
            name.display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_with_foreign_files_is_not_replaced() {
        let parent = tempfile::tempdir().unwrap();
        let out = parent.path().join("out");
        replace_directory(&out, &[("a", b"1"), (CHECKSUMS, b"00  a\n")]).unwrap();
        replace_directory(&out, &[("b", b"2"), (CHECKSUMS, b"00  b\n")]).unwrap();
        assert!(!out.join("a").exists());

        fs::write(out.join("thesis"), "").unwrap();
        let error = replace_directory(&out, &[("c", b"3")]).unwrap_err();
        assert!(error.to_string().contains("holds thesis"), "{error}");
        assert_eq!(fs::read(out.join("b")).unwrap(), b"2");
        assert_eq!(
            fs::read_dir(parent.path()).unwrap().count(),
            1,
            "nothing is left beside it"
        );
    }
}

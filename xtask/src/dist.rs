//! `cargo xtask dist`: from source to our own VIB and offline bundle.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use packaging::{manifest::Machine, sign::Signer};
use vib::{
    build::{self, Described, Elsewhere, Packed},
    output,
    sign::{self, Keys},
};
use xshell::Shell;

use crate::{
    compile::{self, Build, Contents},
    supply,
};

/// The description of our own package, below the root of the workspace.
pub(crate) const MANIFEST: &str = "packaging/package.toml";

/// What is built here and packed, for messages about what is missing.
pub(crate) const ELSEWHERE: Elsewhere = Elsewhere {
    program: "cargo xtask dist",
    sources: &[compile::DAEMON, supply::LICENCES, supply::SBOM],
};

/// What to make, of what, and where.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The description of the package [default: packaging/package.toml]
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// The directory that is replaced with the result [default: dist]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Leave the engine libunftp out; hosts take the package for the same as the full one of this
    /// version
    #[arg(long)]
    slim: bool,
    /// For which machine: x86-64, or aarch64 for ESXi on Arm
    #[arg(long, value_name = "ARCH", default_value = "x86-64", value_parser = machine)]
    arch: Machine,
    #[command(flatten)]
    keys: Option<Keys>,
    /// The workspace to build [default: the one that this program was built from]
    #[arg(long, value_name = "DIR", hide = true)]
    root: Option<PathBuf>,
}

/// Makes a package as `options` say, and prints where it is.
///
/// # Errors
/// See [`run`].
pub(crate) fn command(sh: &Shell, root: &Path, options: Options) -> Result<()> {
    let root = &std::path::absolute(options.root.as_deref().unwrap_or(root))?;
    sh.change_dir(root);
    let manifest = options.manifest.unwrap_or_else(|| root.join(MANIFEST));
    let out = std::path::absolute(options.out.unwrap_or_else(|| root.join("dist")))?;
    let build = Build {
        contents: if options.slim {
            Contents::Slim
        } else {
            Contents::Full
        },
        machine: options.arch,
    };
    let signer = sign::signer(options.keys)?;
    run(sh, root, &manifest, build, &out, signer.as_ref())?.print(false)
}

fn machine(name: &str) -> Result<Machine> {
    match name {
        "x86-64" => Ok(Machine::X86_64),
        "aarch64" => Ok(Machine::Aarch64),
        _ => bail!("use x86-64 or aarch64"),
    }
}

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
    let packed = run(
        sh,
        root,
        &root.join(MANIFEST),
        Build::default(),
        &root.join("dist"),
        None,
    )?;
    let vib = packed.vibs.into_iter().next().context("nothing was made")?;
    Ok(Dist { vib: vib.path })
}

/// Builds the daemon, packs what `manifest` describes and replaces the directory `out` with the
/// result.
///
/// # Errors
/// If the package breaks a rule, which is found out before anything is built; or if the build
/// fails. `out` is then as it was.
pub(crate) fn run(
    sh: &Shell,
    root: &Path,
    manifest: &Path,
    build: Build,
    out: &Path,
    signer: Option<&Signer>,
) -> Result<Packed> {
    output::ensure_replaceable(out)?;
    let supply::Documents { licences, sbom } = supply::documents(sh, root, build)?;
    let described = |program| {
        let made = BTreeMap::from([
            (compile::DAEMON, program),
            (supply::LICENCES, licences.clone()),
            (supply::SBOM, sbom.clone()),
        ]);
        Described::read(
            manifest,
            Some(env!("CARGO_PKG_VERSION")),
            Some(build.machine),
            made,
            Some(ELSEWHERE),
        )
    };
    // With an empty file in place of the daemon: whatever is wrong with the package is said before
    // the long build.
    described(Vec::new())?;
    let described = described(compile::daemon(sh, root, build)?)?;
    build::pack(&[described], out, signer)
}

//! Builds the daemon for the host and checks what came out.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use packaging::{
    Elf,
    elf::{Class, Kind},
    manifest::Machine,
};
use xshell::{Shell, cmd};

use crate::{cargo::cargo, process};

/// The daemon's target on x86-64; its flags are in `.cargo/config.toml`.
pub(crate) const TARGET: &str = "x86_64-unknown-linux-musl";

/// The same for ESXi on Arm.
const TARGET_ARM: &str = "aarch64-unknown-linux-musl";

/// The C compiler for that target, and the Debian package that brings it; the crate `ring` needs it.
const COMPILER_ARM: (&str, &str) = ("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu");

/// Which daemon to build.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Build {
    pub(crate) contents: Contents,
    pub(crate) machine: Machine,
}

impl Build {
    /// The target's name for the compiler.
    pub(crate) fn target(self) -> &'static str {
        match self.machine {
            Machine::Aarch64 => TARGET_ARM,
            _ => TARGET,
        }
    }

    /// What to tell cargo, when it builds the daemon and when it lists the crates in it.
    pub(crate) fn features(self) -> &'static [&'static str] {
        self.contents.features()
    }

    /// Where [`daemon`] leaves the program, below the root of the workspace.
    pub(crate) fn program(self) -> String {
        format!("target/{}/release/esxftpd", self.target())
    }

    /// `e_machine` of the program.
    fn elf_machine(self) -> u16 {
        match self.machine {
            Machine::Aarch64 => Elf::AARCH64,
            _ => Elf::X86_64,
        }
    }
}

/// What goes into the daemon.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Contents {
    /// Both engines.
    #[default]
    Full,
    /// The native engine alone.
    Slim,
}

impl Contents {
    fn features(self) -> &'static [&'static str] {
        match self {
            Self::Full => &[],
            Self::Slim => &["--no-default-features"],
        }
    }

    /// Largest daemon in bytes. The boot bank of a host is small, and every package in it costs
    /// boot time.
    fn max_bytes(self) -> usize {
        match self {
            Self::Full => 4_800_000,
            Self::Slim => 3_600_000,
        }
    }
}

/// Where [`daemon`] leaves the program for x86-64, below the root of the workspace.
pub(crate) const DAEMON: &str = "target/x86_64-unknown-linux-musl/release/esxftpd";

/// Builds the release of the daemon and returns its bytes.
///
/// # Errors
/// If something that the build needs is missing, if the build fails, or if the result would not run
/// on a host.
pub(crate) fn daemon(sh: &Shell, root: &Path, build: Build) -> Result<Vec<u8>> {
    let target = build.target();
    ensure_target(sh, target)?;
    if build.machine == Machine::Aarch64 {
        let (compiler, package) = COMPILER_ARM;
        ensure!(
            process::find(compiler).is_some(),
            "the C compiler {compiler} is missing; Debian: apt-get install {package}"
        );
    }
    let private = private_paths(root)?;
    let flags = remap_flags(&private, target);
    let target_dir = root.join("target");
    let target_dir = target_dir
        .to_str()
        .context("the path of the workspace is not UTF-8")?;
    let package = [
        "build",
        "--locked",
        "--release",
        "--package",
        "esxftpd",
        "--target",
        target,
    ];
    let place = ["--target-dir", target_dir, "--config", &flags];
    cargo(sh, &[&package[..], build.features(), &place].concat())
        .run()
        .context("the daemon cannot be built")?;
    let path = root.join(build.program());
    let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
    let faults = faults(&bytes, build, &private);
    ensure!(
        faults.is_empty(),
        "{} cannot be shipped:\n{}",
        path.display(),
        faults.join("\n")
    );
    Ok(bytes)
}

/// Adds the target to the toolchain if it is missing. The C compiler, which the crate `ring` needs,
/// is there: this program was linked with it.
fn ensure_target(sh: &Shell, target: &str) -> Result<()> {
    let libraries = cmd!(sh, "rustc --print target-libdir --target {target}")
        .quiet()
        .read()?;
    if !Path::new(&libraries).is_dir() {
        println!("adding the Rust target {target}");
        cmd!(sh, "rustup target add {target}")
            .run()
            .with_context(|| {
                format!("the Rust target {target} is missing; run: rustup target add {target}")
            })?;
    }
    Ok(())
}

/// Directories of this machine whose names compilers put into programs, and what stands for them,
/// general ones first.
fn private_paths(root: &Path) -> Result<Vec<(PathBuf, &'static str)>> {
    let home = env::home_dir().context("there is no home directory; set HOME")?;
    let cargo = env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
    let rustup = env::var_os("RUSTUP_HOME").map_or_else(|| home.join(".rustup"), PathBuf::from);
    let mut paths = vec![
        (home, "/home"),
        (cargo, "/cargo"),
        (rustup, "/rustup"),
        (root.to_owned(), "/esxftpd"),
    ];
    // As a prefix, `/` would match every path there is.
    paths.retain(|(path, _)| path != Path::new("/"));
    Ok(paths)
}

/// A `--config` value that adds to the target's flags; rustc takes the last matching prefix.
fn remap_flags(private: &[(PathBuf, &str)], target: &str) -> String {
    let flags: Vec<_> = private
        .iter()
        .map(|(path, alias)| {
            format!(
                "{:?}",
                format!("--remap-path-prefix={}={alias}", path.display())
            )
        })
        .collect();
    format!("target.{target}.rustflags=[{}]", flags.join(","))
}

/// What is wrong with the program; each a line that says what was found and where to look.
fn faults(program: &[u8], build: Build, private: &[(PathBuf, &str)]) -> Vec<String> {
    let mut faults = elf_faults(program, build).unwrap_or_else(|error| vec![error.to_string()]);
    let max_bytes = build.contents.max_bytes();
    if program.len() > max_bytes {
        faults.push(format!(
            "it has {} bytes, {max_bytes} are allowed; look at what was added to daemon/Cargo.toml",
            program.len()
        ));
    }
    for (path, _) in private {
        if names_path(program, path) {
            faults.push(format!(
                "it contains the path {} of this machine; see remap_flags",
                path.display()
            ));
        }
    }
    faults
}

/// Whether a path of this machine, or one below it, is in the program. A home called `/root` is also in
/// `src/root.rs` and in the folder `root` of the storage, which are no paths of this machine.
fn names_path(program: &[u8], path: &Path) -> bool {
    let below = path.join("");
    let below = below.as_os_str().as_encoded_bytes();
    let mut found = memchr::memmem::find_iter(program, below);
    found.any(|at| {
        let before = program.get(..at).unwrap_or_default();
        // Without a dot, so that a file's name before it is not taken for a folder.
        let folder = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'/');
        let folders = before.iter().rev().take_while(|byte| folder(byte)).count();
        let folders = before.get(at - folders..).unwrap_or_default();
        memchr::memmem::find(folders, b"src/").is_none()
    })
}

fn elf_faults(program: &[u8], build: Build) -> Result<Vec<String>> {
    let Elf {
        class,
        machine,
        kind,
        interpreter,
        needed,
        ..
    } = match Elf::read(program) {
        Ok(elf) => elf,
        Err(error) => bail!(error),
    };
    let mut faults = Vec::new();
    if class != Class::Elf64 || machine != build.elf_machine() {
        faults.push(format!(
            "it is {class:?} for {}, not a 64-bit program for {}",
            Elf::machine_name(machine),
            Elf::machine_name(build.elf_machine())
        ));
    }
    if kind != Kind::Executable {
        faults.push(format!("it is {kind:?}, not ET_EXEC; see relocation-model in .cargo/config.toml, and unset RUSTFLAGS"));
    }
    if let Some(interpreter) = interpreter {
        faults.push(format!(
            "it needs the interpreter {interpreter}; see crt-static in .cargo/config.toml"
        ));
    }
    if !needed.is_empty() {
        faults.push(format!(
            "it needs the libraries {}; see crt-static in .cargo/config.toml",
            needed.join(", ")
        ));
    }
    Ok(faults)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_called_like_a_directory_of_this_machine_is_no_fault() {
        let private = [(PathBuf::from("/build"), "/home")];
        let named = |program: &[u8]| {
            let faults = faults(program, Build::default(), &private).join("\n");
            faults.contains("/build of this machine")
        };
        assert!(!named(b"event daemon/src/build.rs:409"));
        assert!(!named(b"event daemon/src/storage/build/mod.rs:409"));
        assert!(named(b"daemon/src/main.rs/build/daemon/src/main.rs"));
        assert!(named(b"event /build/daemon/src/main.rs:1"));
    }

    #[test]
    fn a_program_of_the_build_machine_cannot_be_shipped() {
        // The test itself: dynamically linked, position independent, with paths of this machine,
        // and large.
        let program = fs::read(env::current_exe().unwrap()).unwrap();
        let private = [(PathBuf::from(env!("CARGO_MANIFEST_DIR")), "/x")];
        let faults = faults(&program, Build::default(), &private).join("\n");
        for fault in [
            "not ET_EXEC",
            "needs the interpreter",
            "needs the libraries",
            "of this machine",
            "are allowed",
        ] {
            assert!(faults.contains(fault), "{fault}: {faults}");
        }
    }

    #[test]
    fn what_is_no_program_is_named() {
        assert!(
            faults(b"#!/bin/sh\n", Build::default(), &[])
                .join("")
                .contains("not a readable ELF file")
        );
    }
}

//! `cargo xtask fuzz`: hostile input, made by libFuzzer, for every `*/fuzz` folder of the
//! workspace.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use xshell::{Shell, cmd};

use crate::cargo::allowed;

/// More memory than this is a finding. The readers promise far less; the rest is the sanitizer's.
const RSS_LIMIT_MIB: u32 = 2048;
/// One input may take so many seconds.
const TIMEOUT: u32 = 20;

/// A target, and the folder of its crate.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    folder: PathBuf,
    name: String,
}

/// Fuzzes one target, or all one after the other, each for so many seconds. Starts from the
/// committed corpus; what is found on the way is kept below `target/fuzz`.
///
/// # Errors
/// If there is no such target, if nightly or cargo-fuzz is missing, or if an input breaks a target:
/// the file with that input has been named.
pub(crate) fn run(sh: &Shell, root: &Path, target: Option<&str>, seconds: u32) -> Result<()> {
    let all = targets(root)?;
    let chosen = choose(&all, target)?;
    if let Some(missing) = missing_tools(sh) {
        bail!("{missing}");
    }
    let mut broken = Vec::new();
    for one in chosen {
        if let Err(error) = fuzz(sh, root, one, seconds) {
            eprintln!("{}: {error:#}", one.name);
            broken.push(one.name.as_str());
        }
    }
    ensure!(
        broken.is_empty(),
        "broken: {}; shrink the input with `cargo fuzz tmin`, add it to the corpus, and mend what it breaks",
        broken.join(", ")
    );
    Ok(())
}

/// As [`run`] for all targets, but without the tools it only says, where nobody can overlook it,
/// that nothing was fuzzed: they are not part of what a checkout needs.
///
/// # Errors
/// As [`run`].
pub(crate) fn if_possible(sh: &Shell, root: &Path, seconds: u32) -> Result<()> {
    if let Some(missing) = missing_tools(sh) {
        println!("*** NOT FUZZED: {missing}");
        println!("*** Only the committed corpora were replayed, by the tests of each crate.");
        return Ok(());
    }
    run(sh, root, None, seconds)
}

fn choose<'t>(all: &'t [Target], wanted: Option<&str>) -> Result<&'t [Target]> {
    let Some(wanted) = wanted else {
        return Ok(all);
    };
    let found = all.iter().position(|target| target.name == wanted);
    found
        .and_then(|place| all.get(place..=place))
        .with_context(|| {
            let names: Vec<_> = all.iter().map(|target| target.name.as_str()).collect();
            format!(
                "there is no fuzz target {wanted}; there are {}",
                names.join(", ")
            )
        })
}

/// The targets of all `*/fuzz` folders, in the order of folders and of their `Cargo.toml`.
fn targets(root: &Path) -> Result<Vec<Target>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(root).context("the root of the workspace")? {
        let folder = entry?.path().join("fuzz");
        if folder.join("Cargo.toml").is_file() {
            folders.push(folder);
        }
    }
    folders.sort();
    let mut targets: Vec<Target> = Vec::new();
    for folder in folders {
        let path = folder.join("Cargo.toml");
        let shown = || path.display().to_string();
        let manifest: toml::Table = fs::read_to_string(&path)
            .with_context(shown)?
            .parse()
            .with_context(shown)?;
        let names = manifest
            .get("bin")
            .and_then(toml::Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|bin| bin.get("name")?.as_str());
        for name in names {
            if let Some(other) = targets.iter().find(|other| other.name == name) {
                bail!(
                    "{}: {} has a target {name}, too; rename one",
                    shown(),
                    other.folder.display()
                );
            }
            targets.push(Target {
                folder: folder.clone(),
                name: name.to_owned(),
            });
        }
    }
    Ok(targets)
}

/// What is missing, with the command that installs it.
fn missing_tools(sh: &Shell) -> Option<&'static str> {
    let works = |arguments: &[&str]| {
        cmd!(sh, "rustup run nightly cargo {arguments...}")
            .quiet()
            .ignore_stdout()
            .ignore_stderr()
            .run()
            .is_ok()
    };
    if !works(&["--version"]) {
        return Some(
            "fuzzing takes a nightly compiler; run: rustup toolchain install nightly --profile minimal",
        );
    }
    if !works(&["fuzz", "--version"]) {
        return Some("fuzzing takes cargo-fuzz; run: cargo install --locked cargo-fuzz");
    }
    None
}

fn fuzz(sh: &Shell, root: &Path, target: &Target, seconds: u32) -> Result<()> {
    let Target { folder, name } = target;
    let scratch = root.join("target/fuzz");
    let found = scratch.join("corpus").join(name);
    let broken = scratch.join("broken");
    for directory in [&found, &broken] {
        fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    }
    let seeds = folder.join("corpus").join(name);
    // libFuzzer takes the slash for what separates the directory from the name.
    let prefix = format!("{}/{name}-", broken.display());
    let time = seconds.to_string();
    let (memory, timeout) = (RSS_LIMIT_MIB.to_string(), TIMEOUT.to_string());
    println!("fuzzing {name} for {seconds} s");
    cmd!(
        sh,
        "rustup run nightly cargo fuzz run -O --fuzz-dir {folder} --target-dir {scratch} {name} {found} {seeds} -- -max_total_time={time} -rss_limit_mb={memory} -timeout={timeout} -artifact_prefix={prefix} -print_final_stats=1 -verbosity=0"
    )
    .env_clear()
    .envs(allowed())
    .run()
    .with_context(|| format!("an input broke it, or it does not build; inputs are in {}", broken.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_found_in_every_crate() {
        let root = tempfile::tempdir().unwrap();
        for (folder, names) in [("b", &["three"][..]), ("a", &["one", "two"]), ("c", &[])] {
            let folder = root.path().join(folder).join("fuzz");
            fs::create_dir_all(&folder).unwrap();
            let bins: Vec<_> = names
                .iter()
                .map(|name| format!("[[bin]]\nname = \"{name}\"\n"))
                .collect();
            fs::write(folder.join("Cargo.toml"), bins.concat()).unwrap();
        }
        let all = targets(root.path()).unwrap();
        let names: Vec<_> = all.iter().map(|target| target.name.as_str()).collect();
        assert_eq!(names, ["one", "two", "three"]);
        assert_eq!(choose(&all, None).unwrap().len(), 3);
        assert_eq!(choose(&all, Some("two")).unwrap()[0].name, "two");
        assert_eq!(
            choose(&all, Some("four")).unwrap_err().to_string(),
            "there is no fuzz target four; there are one, two, three"
        );
    }

    #[test]
    fn two_targets_of_one_name_are_refused() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["a/fuzz", "b/fuzz"] {
            let folder = root.path().join(folder);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("Cargo.toml"), "[[bin]]\nname = \"one\"\n").unwrap();
        }
        let error = targets(root.path()).unwrap_err().to_string();
        assert!(
            error.contains("has a target one, too; rename one"),
            "{error}"
        );
    }
}

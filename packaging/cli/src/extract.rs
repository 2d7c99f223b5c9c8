//! `vib extract`: unpacks a file into a new directory, all of it or nothing.

use std::{
    fs,
    io::{self, Read},
    path::{Component, Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use packaging::inspect::{Limits, Sink, extract};
use serde_json::json;

use crate::{
    input::open,
    permissions::{make_directory, make_file, publish_directory},
    print,
};

/// What to unpack, and where to.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The file
    file: PathBuf,
    /// The directory to make; it must not exist, or be empty
    dir: PathBuf,
    /// Print JSON, for programs: the number of files, and what was not extracted
    #[arg(long)]
    json: bool,
}

impl Options {
    /// # Errors
    /// As [`run`].
    pub(crate) fn run(&self) -> Result<()> {
        run(&self.file, &self.dir, self.json)
    }
}

/// Unpacks beside `dir` and moves the result there when all went well.
///
/// # Errors
/// If `dir` holds something, if the file is refused, or if writing fails. Nothing is left behind.
fn run(file: &Path, dir: &Path, as_json: bool) -> Result<()> {
    let dir = std::path::absolute(dir)?;
    let shown = dir.display();
    if let Ok(found) = fs::symlink_metadata(&dir) {
        // A link to a directory could not be replaced by the result.
        let is_empty =
            found.is_dir() && fs::read_dir(&dir).is_ok_and(|mut entries| entries.next().is_none());
        ensure!(
            is_empty,
            "{shown} exists and is not an empty directory; name another one"
        );
    }
    let parent = dir
        .parent()
        .with_context(|| format!("{shown} has no parent"))?;
    ensure!(
        parent.is_dir(),
        "{} is no directory; make it first",
        parent.display()
    );
    let input = open(file)?;
    // Its own error would name the temporary directory, which nobody asked for.
    let stage = tempfile::tempdir_in(parent)
        .map_err(|error| io::Error::from(error.kind()))
        .with_context(|| format!("cannot write in {}", parent.display()))?;
    let mut folder = Folder {
        root: stage.path().to_owned(),
    };
    let extracted = extract(input, &Limits::default(), &mut folder)
        .with_context(|| file.display().to_string())?;
    // Temporary directories are private; what was asked for is not.
    publish_directory(stage.path())?;
    // Windows does not replace an empty directory.
    #[cfg(windows)]
    fs::remove_dir(&dir).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })?;
    fs::rename(stage.path(), &dir).with_context(|| shown.to_string())?;
    // It has moved, so that there is nothing to remove.
    let _moved = stage.keep();
    if as_json {
        let object = json!({
            "format": 1,
            "dir": dir,
            "files": extracted.files,
            "undeclared": extracted.undeclared,
            "left-out": extracted.left_out,
        });
        return print(&format!("{object:#}\n"));
    }
    print(&format!("{} files in {shown}\n", extracted.files))?;
    for name in &extracted.undeclared {
        let name = name.escape_debug();
        print(&format!(
            "left out, the descriptor declares no such payload: {name}\n"
        ))?;
    }
    for line in &extracted.left_out {
        let line = line.escape_debug();
        print(&format!(
            "left out, links and devices are never made: {line}\n"
        ))?;
    }
    Ok(())
}

/// Writes below a directory that is its own.
struct Folder {
    root: PathBuf,
}

impl Folder {
    fn make(&self, path: &Path) -> io::Result<()> {
        make_directory(&self.root.join(path))
    }
}

impl Sink for Folder {
    fn directory(&mut self, path: &str) -> io::Result<()> {
        self.make(plain(path)?)
    }

    /// Keeps the permission bits, but neither set-id nor sticky, and lets the owner read and write.
    fn file(&mut self, path: &str, mode: u32, data: &mut dyn Read) -> io::Result<()> {
        let path = plain(path)?;
        if let Some(parent) = path.parent() {
            self.make(parent)?;
        }
        let mut file = make_file(&self.root.join(path), mode & 0o755 | 0o600)?;
        io::copy(data, &mut file)?;
        Ok(())
    }
}

/// The reader hands out plain paths only. Should it ever err, this is the last place to notice.
fn plain(path: &str) -> io::Result<&Path> {
    let path = Path::new(path);
    let is_name = |part| matches!(part, Component::Normal(_));
    if path.components().all(is_name) {
        return Ok(path);
    }
    Err(io::Error::other("its path leads out of the directory"))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::samples;

    #[test]
    fn a_package_is_unpacked_into_a_new_directory() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.vib");
        fs::write(&file, samples::vib()).unwrap();
        run(&file, &folder.path().join("out"), false).unwrap();
        let script = folder.path().join("out/hello/opt/hello/hello");
        assert_eq!(fs::read(&script).unwrap(), samples::SCRIPT);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(&script) & 0o700, 0o700);
        assert_eq!(mode(&folder.path().join("out")), 0o755);
        // Once is enough.
        let error = run(&file, &folder.path().join("out"), false)
            .unwrap_err()
            .to_string();
        assert!(
            error.ends_with("exists and is not an empty directory; name another one"),
            "{error}"
        );
    }

    #[test]
    fn only_plain_paths_are_written() {
        for path in ["/etc/passwd", "../a", "a/../../b", "./a"] {
            assert!(plain(path).is_err(), "{path}");
        }
        assert!(plain("a/b").is_ok());
    }

    fn message(error: &anyhow::Error) -> String {
        format!("{error:#}")
    }

    #[test]
    fn a_link_to_an_empty_directory_is_no_place_to_unpack_to() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.vib");
        fs::write(&file, samples::vib()).unwrap();
        fs::create_dir(folder.path().join("empty")).unwrap();
        std::os::unix::fs::symlink("empty", folder.path().join("link")).unwrap();
        let error = message(&run(&file, &folder.path().join("link"), false).unwrap_err());
        assert!(
            error.ends_with("/link exists and is not an empty directory; name another one"),
            "{error}"
        );
        run(&file, &folder.path().join("empty"), false).unwrap();
    }

    #[test]
    fn a_missing_parent_is_named_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.vib");
        fs::write(&file, samples::vib()).unwrap();
        let parent = folder.path().join("no/such");
        let error = message(&run(&file, &parent.join("out"), false).unwrap_err());
        let wanted = format!("{} is no directory; make it first", parent.display());
        assert_eq!(error, wanted);
    }

    #[test]
    fn a_name_that_the_disk_cannot_hold_is_told_once_and_is_not_the_files_fault() {
        let folder = tempfile::tempdir().unwrap();
        let mut sink = Folder {
            root: folder.path().to_owned(),
        };
        let long = "n".repeat(300);
        let error = sink.file(&long, 0o644, &mut io::empty()).unwrap_err();
        let error = packaging::inspect::ReadError::Sink {
            path: "n".to_owned(),
            cause: error,
        };
        assert!(error.is_of_the_system());
        let text = message(&anyhow::Error::new(error).context("a.vib"));
        assert_eq!(text.matches("too long").count(), 1, "{text}");
    }

    #[test]
    fn nothing_is_left_behind_when_a_package_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.vib");
        let mut bytes = samples::vib();
        bytes.truncate(bytes.len() - 20);
        fs::write(&file, bytes).unwrap();
        let error = format!(
            "{:#}",
            run(&file, &folder.path().join("out"), false).unwrap_err()
        );
        assert!(
            error.contains("a.vib: payload \"hello\": ar member \"hello\" at byte "),
            "{error}"
        );
        assert!(
            error.ends_with("the file ends in the middle of it"),
            "{error}"
        );
        let left: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["a.vib"]);
    }
}

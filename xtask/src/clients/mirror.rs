//! lftp's mirror, both ways, five files at a time.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use walkdir::WalkDir;

use super::report::Report;
use super::samples::expect_same;
use super::{Target, fresh_name, lftp, quote};

/// What the directory on the server is called after.
pub(super) const NAME: &str = "lftp-mirror";

/// A tree with many small files, empty directories and names that want care.
fn plant(tree: &Path) -> Result<()> {
    for dir in ["a/deep/er", "b with blanks", "empty", "ünï"] {
        fs::create_dir_all(tree.join(dir))?;
    }
    for (dir, count) in [
        ("a", 12),
        ("a/deep/er", 9),
        ("b with blanks", 7),
        ("ünï", 5),
    ] {
        for number in 0..count {
            let content = vec![b'a' + u8::try_from(number)?; number * 7001];
            fs::write(tree.join(dir).join(format!("file {number}.bin")), content)?;
        }
    }
    Ok(())
}

/// Mirrors a tree to the server and back, and compares what came back.
pub(super) fn run(target: &Target, work: &Path, report: &mut Report) -> Result<()> {
    let work = work.join(NAME);
    let [there, back] = ["there", "back"].map(|dir| work.join(dir));
    fs::create_dir_all(&there)?;
    plant(&there)?;
    let remote = quote(&fresh_name(NAME));
    let local = |path: &Path| Ok::<_, anyhow::Error>(quote(path.to_str().context("UTF-8")?));
    let mirror = |options: &str, from: &str, to: &str| {
        let command = format!("mirror {options} --parallel=5 --no-perms {from} {to}");
        lftp::run_script(target, &work, &command)
    };
    let up = mirror("-R", &local(&there)?, &remote);
    report.add("lftp", "mirror to the server, 5 parallel", up);
    let down = mirror("", &remote, &local(&back)?).and_then(|()| same_tree(&there, &back));
    report.add("lftp", "mirror from the server, 5 parallel", down);
    Ok(())
}

fn same_tree(one: &Path, other: &Path) -> Result<()> {
    let names = |tree: &Path| -> Result<Vec<_>> {
        let entries = WalkDir::new(tree).sort_by_file_name().into_iter();
        entries
            .map(|entry| Ok(entry?.path().strip_prefix(tree)?.to_owned()))
            .collect()
    };
    let (wanted, found) = (names(one)?, names(other)?);
    ensure!(found == wanted, "{found:?} instead of {wanted:?}");
    let files = wanted.iter().filter(|path| one.join(path).is_file());
    files
        .into_iter()
        .try_for_each(|path| expect_same(&other.join(path), &one.join(path)))
}

//! Clients that delete and mirror recursively, on a tree with links, odd names and two files of one
//! name in two directories. Afterwards exactly what they were asked to delete is gone.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use walkdir::WalkDir;

use super::basic_ftp::BasicFtp;
use super::line_mode::{INETUTILS, LineMode, TNFTP};
use super::ncftp::Ncftp;
use super::rclone::Rclone;
use super::report::Report;
use super::round::Place;
use super::{lftp, quote, run_client};
use crate::peers::{Bench, Caps, Peer};
use crate::process;

const CAPS: Caps = Caps {
    sessions: 50,
    per_address: 50,
};

/// A Python package that has no program of its own.
const FTPUTIL: &str = "ftputil==5.2.0";

const RMTREE: &str = "\
import sys, ftputil, ftputil.session
host, port, user, path = sys.argv[1:]
factory = ftputil.session.session_factory(port=int(port), encoding='UTF-8')
with ftputil.FTPHost(host, user, sys.stdin.readline().rstrip('\\n'), session_factory=factory) as ftp:
    # Names that begin with a dot are not listed without it.
    ftp.use_list_a_option = True
    ftp.rmtree(path)
";

const INSTALL_LIMIT: Duration = Duration::from_mins(3);

/// The directory that is deleted.
const DOOMED: &str = "a";

/// A file in it whose name a file outside has, too.
const DOUBLE: &str = "a/disk1.vmdk";

/// What is asked for.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    /// A directory and all that is in it.
    Tree,
    /// All that is in it.
    Content,
    /// [`DOUBLE`].
    OneFile,
}

impl Wanted {
    fn is_gone(self, path: &Path) -> bool {
        match self {
            Self::Tree => path.starts_with(DOOMED),
            Self::Content => path.starts_with(DOOMED) && path != Path::new(DOOMED),
            Self::OneFile => path == Path::new(DOUBLE),
        }
    }
}

type Run<'c> = Box<dyn Fn(&Place<'_>) -> Result<()> + 'c>;

struct Case<'c> {
    client: &'static str,
    what: &'static str,
    wanted: Wanted,
    run: Run<'c>,
}

/// What has a path.
#[derive(Debug, PartialEq, Eq)]
enum Entry {
    Directory,
    File(Vec<u8>),
    Link(PathBuf),
}

type Tree = BTreeMap<PathBuf, Entry>;

/// Runs every client against this daemon.
///
/// # Errors
/// If something went that was not to go, or stayed.
pub(crate) fn run(root: &Path, daemon: &Path) -> Result<()> {
    let work = tempfile::tempdir()?;
    let bench = Bench::prepare(root, work.path(), daemon.to_owned(), CAPS)?;
    let server = bench.start(Peer::Esxftpd)?;
    let basic_ftp = BasicFtp::install()?;
    let python = install_ftputil(root)?;
    let mut report = Report::default();
    for (number, case) in cases(&basic_ftp, &python).into_iter().enumerate() {
        let local = work.path().join(format!("local{number}"));
        let outside = work.path().join(format!("outside{number}"));
        fs::create_dir_all(&local)?;
        // A directory for each, so that none finds what another has left.
        let name = format!("case{number}");
        let home = server.root.join(&name);
        plant(&home, &outside)?;
        let place = Place {
            target: &server.target.below(&name),
            work: local,
        };
        let result = judge(&case, &place, &home, &outside);
        report.add(case.client, case.what, result);
    }
    println!("{report}");
    report.check()
}

fn judge(case: &Case<'_>, place: &Place<'_>, home: &Path, outside: &Path) -> Result<()> {
    let [mut expected, others] = [read(home)?, read(outside)?];
    expected.retain(|path, _| !case.wanted.is_gone(path));
    // Some clients also fail where they have done everything, so the tree comes first.
    let ran = (case.run)(place);
    let said = || match &ran {
        Ok(()) => "the client reports no failure".to_owned(),
        Err(error) => format!("{error:#}"),
    };
    ensure!(
        read(outside)? == others,
        "files outside the root changed; {}",
        said()
    );
    let found = read(home)?;
    let lost: Vec<_> = expected
        .iter()
        .filter(|it| found.get(it.0) != Some(it.1))
        .collect();
    let left: Vec<_> = found
        .keys()
        .filter(|path| !expected.contains_key(*path))
        .collect();
    ensure!(lost.is_empty(), "lost: {lost:?}; {}", said());
    ensure!(left.is_empty(), "not deleted: {left:?}; {}", said());
    Ok(())
}

fn cases<'c>(basic_ftp: &'c BasicFtp, python: &'c Path) -> Vec<Case<'c>> {
    let empty = |at: &Place<'_>| -> Result<String> {
        let empty = at.work.join("empty");
        fs::create_dir_all(&empty)?;
        Ok(empty
            .to_str()
            .context("the directory is not UTF-8")?
            .to_owned())
    };
    let lftp = |at: &Place<'_>, commands: &str| lftp::run_script(at.target, &at.work, commands);
    let remote = |at: &Place<'_>| format!("suite:{}/{DOOMED}", at.target.directory);
    let mdelete = |client: &'static LineMode| {
        let run = move |at: &Place<'_>| client.run(at, "mdelete a/*.vmdk\n", 1).map(drop);
        case(client.program, "mdelete DIR/*", Wanted::OneFile, run)
    };
    vec![
        case("lftp", "rm -r", Wanted::Tree, move |at| lftp(at, "rm -r a")),
        case("lftp", "glob rm", Wanted::OneFile, move |at| {
            lftp(at, "mrm a/*.vmdk")
        }),
        case("lftp", "mirror -R --delete", Wanted::Content, move |at| {
            let mirror = format!("mirror -R --delete {} a", quote(&empty(at)?));
            lftp(at, &mirror)
        }),
        case("rclone", "purge", Wanted::Tree, move |at| {
            Rclone::run(at, &["purge", &remote(at)]).map(drop)
        }),
        case("rclone", "sync of nothing", Wanted::Content, move |at| {
            let flags = ["sync", "--create-empty-src-dirs"];
            Rclone::run(at, &[&flags[..], &[&empty(at)?, &remote(at)]].concat()).map(drop)
        }),
        case("basic-ftp", "removeDir", Wanted::Tree, |at| {
            basic_ftp.run(at, json!({ "removeDir": DOOMED })).map(drop)
        }),
        case("ftputil", "rmtree", Wanted::Tree, |at| rmtree(at, python)),
        case("ncftp", "ncftpget -DD", Wanted::OneFile, |at| {
            let into = at.work.display().to_string();
            let paths = [into, Ncftp::remote(at, DOUBLE)];
            Ncftp::run(at, "ncftpget", &["-V", "-DD"], &paths).map(drop)
        }),
        case("curl", "DELE", Wanted::OneFile, |at| {
            curl(at, &[&format!("DELE {DOUBLE}")])
        }),
        mdelete(&TNFTP),
        mdelete(&INETUTILS),
    ]
}

fn case<'c>(
    client: &'static str,
    what: &'static str,
    wanted: Wanted,
    run: impl Fn(&Place<'_>) -> Result<()> + 'c,
) -> Case<'c> {
    Case {
        client,
        what,
        wanted,
        run: Box::new(run),
    }
}

/// What is deleted, what links in it lead to, and what only has the same name.
fn plant(home: &Path, outside: &Path) -> Result<()> {
    for directory in [
        "a/inner/deep",
        "a/empty",
        "a/dir with blanks",
        "precious/deep",
    ] {
        fs::create_dir_all(home.join(directory))?;
    }
    fs::create_dir_all(outside)?;
    fs::write(outside.join("file"), "outside")?;
    for (name, content) in [
        ("disk1.vmdk", "in use"),
        (DOUBLE, "old"),
        ("precious/file", "precious"),
        ("precious/deep/g", "precious"),
        ("f", "the same name"),
        ("a/inner/f", ""),
        ("a/inner/deep/f", ""),
        ("a/dir with blanks/-dash", ""),
        ("a/ünï [x]", ""),
        ("a/50%", ""),
        ("a/$HOME;#", ""),
        ("a/inner/.hidden", ""),
    ] {
        fs::write(home.join(name), content)?;
    }
    for (link, target) in [
        ("a/link", "../precious"),
        ("a/inner/link", "../../precious"),
        ("a/here", "."),
        ("a/inner/up", ".."),
        ("a/dangling", "nowhere"),
        ("a/file link", "../precious/file"),
    ] {
        symlink(target, home.join(link))?;
    }
    symlink(outside, home.join("a/out"))?;
    symlink(outside.join("file"), home.join("a/inner/out"))?;
    symlink(home.join("precious"), home.join("a/absolute"))?;
    Ok(())
}

fn read(directory: &Path) -> Result<Tree> {
    let mut tree = Tree::new();
    for entry in WalkDir::new(directory).min_depth(1) {
        let entry = entry?;
        let found = if entry.file_type().is_dir() {
            Entry::Directory
        } else if entry.file_type().is_symlink() {
            Entry::Link(fs::read_link(entry.path())?)
        } else {
            Entry::File(fs::read(entry.path())?)
        };
        tree.insert(entry.path().strip_prefix(directory)?.to_owned(), found);
    }
    Ok(tree)
}

/// Sends commands in the target's directory.
fn curl(at: &Place<'_>, commands: &[&str]) -> Result<()> {
    let netrc = at.work.join("netrc");
    let (user, password) = (quote(&at.target.user), quote(&at.target.password));
    fs::write(
        &netrc,
        format!(
            "machine {} login {user} password {password}\n",
            at.target.host
        ),
    )?;
    let mut command = process::command("curl");
    command.args(["--silent", "--show-error", "--list-only", "--netrc-file"]);
    command.arg(&netrc).arg(at.target.url(""));
    for line in commands {
        // After the change to the directory.
        command
            .arg("--quote")
            .arg(format!("CWD {}", at.target.directory));
        command.arg("--quote").arg(line);
        command.arg("--quote").arg("CWD /");
    }
    run_client(at.target, &mut command, b"")?
        .success()
        .map(drop)
}

fn rmtree(at: &Place<'_>, python: &Path) -> Result<()> {
    let target = at.target;
    let path = format!("/{}/{DOOMED}", target.directory);
    let mut command = process::command("python3");
    command
        .args([
            "-c",
            RMTREE,
            &target.host,
            &target.port.to_string(),
            &target.user,
            &path,
        ])
        .env("PYTHONPATH", python)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let password = format!("{}\n", target.password);
    run_client(target, &mut command, password.as_bytes())?
        .success()
        .map(drop)
}

/// Installs ftputil below `target/`, unless it is there.
fn install_ftputil(root: &Path) -> Result<PathBuf> {
    let place = root.join("target/clients").join(FTPUTIL);
    if place.is_dir() {
        return Ok(place);
    }
    let partial = place.with_extension("partial");
    println!("installing from PyPI into {}: {FTPUTIL}", place.display());
    let mut pip = process::command("python3");
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--root-user-action",
        "ignore",
    ])
    .args(["--upgrade", "--target"])
    .arg(&partial)
    .arg(FTPUTIL)
    .env("HOME", &partial);
    fs::create_dir_all(&partial)?;
    process::run(&mut pip, b"", INSTALL_LIMIT)?
        .success()
        .context("pip; PyPI must be reachable")?;
    fs::rename(&partial, &place)?;
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Does what clients do that take links to directories for directories.
    fn delete_through_links(directory: &Path) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("here") && !path.ends_with("up") {
                delete_through_links(&path);
            } else if path.is_file() {
                fs::remove_file(&path).unwrap();
            }
        }
    }

    #[test]
    fn a_delete_through_links_is_noticed() {
        let work = tempfile::tempdir().unwrap();
        let [home, outside] = ["home", "outside"].map(|name| work.path().join(name));
        plant(&home, &outside).unwrap();
        let target = super::super::Target::parse("ftp://ann:x@h").unwrap();
        let place = Place {
            target: &target,
            work: work.path().to_owned(),
        };
        let only = case("x", "y", Wanted::OneFile, |_at| {
            Ok(fs::remove_file(home.join(DOUBLE))?)
        });
        judge(&only, &place, &home, &outside).unwrap();
        let nothing = case("x", "y", Wanted::Tree, |_at| Ok(()));
        let message = judge(&nothing, &place, &home, &outside)
            .unwrap_err()
            .to_string();
        assert!(message.starts_with("not deleted"), "{message}");
        let all = case("x", "y", Wanted::Tree, |_at| {
            delete_through_links(&home.join(DOOMED));
            Ok(())
        });
        let message = judge(&all, &place, &home, &outside)
            .unwrap_err()
            .to_string();
        assert!(message.starts_with("files outside"), "{message}");
        fs::write(outside.join("file"), "outside").unwrap();
        let again = case("x", "y", Wanted::Tree, |_at| {
            Ok(fs::remove_dir_all(home.join("precious"))?)
        });
        let message = judge(&again, &place, &home, &outside)
            .unwrap_err()
            .to_string();
        assert!(message.starts_with("lost"), "{message}");
    }
}

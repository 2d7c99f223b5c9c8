//! The server's side of a case: what lies on the disk before it, and what must lie there after.

use std::ffi::OsStr;
use std::fs::{self, File, FileTimes, Permissions};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid, chown, mkfifo};

use super::literal::{Content, Template, Variables, show, word};

/// Bytes of a content that a message quotes.
const QUOTED: usize = 120;

/// Something that is made before the case.
#[derive(Debug, Clone)]
pub(crate) enum Setup {
    Dir(Template),
    File(Template, Content),
    /// So many empty files, the name with a number from 0 on.
    Many(Template, usize),
    /// A file that is one hole of so many bytes.
    Sparse(Template, u64),
    Link(Template, Template),
    Fifo(Template),
    Mode(Template, u32),
    Time(Template, SystemTime),
}

impl Setup {
    /// Reads `dir NAME`, `file NAME CONTENT`, `many NAME COUNT`,
    /// `sparse NAME BYTES`, `link NAME TARGET`, `fifo NAME`,
    /// `mode NAME OCTAL` or `mtime NAME YYYYMMDDhhmmss`.
    pub(crate) fn parse(line: &str) -> Result<Self> {
        let (verb, rest) = line.split_once(' ').context("expected a verb and a name")?;
        let (name, rest) = word(rest.trim())?;
        Ok(match verb {
            "dir" if rest.is_empty() => Self::Dir(name),
            "fifo" if rest.is_empty() => Self::Fifo(name),
            "file" => Self::File(name, Content::parse(rest)?),
            "many" => Self::Many(name, rest.parse().context("no number")?),
            "sparse" => Self::Sparse(name, rest.parse().context("no size")?),
            "link" => Self::Link(name, word(rest)?.0),
            "mode" => Self::Mode(name, u32::from_str_radix(rest, 8).context("no octal mode")?),
            "mtime" => Self::Time(name, time(rest)?),
            other => bail!("unknown or malformed: {other:?}; the head of Setup::parse lists all"),
        })
    }

    fn make(&self, dir: &Path, owner: Owner) -> Result<()> {
        let none = Variables::new();
        let place = |name: &Template| Ok::<_, anyhow::Error>(inside(dir, &name.bytes(&none)?));
        match self {
            Self::Dir(name) => {
                let path = place(name)?;
                fs::create_dir(&path)?;
                open_up(&path, 0o777, owner)
            }
            Self::File(name, content) => {
                let path = place(name)?;
                fs::write(&path, content.bytes(&none)?)?;
                open_up(&path, 0o666, owner)
            }
            Self::Many(name, count) => {
                let name = name.bytes(&none)?;
                for number in 0..*count {
                    let path = inside(dir, &[&name, number.to_string().as_bytes()].concat());
                    File::create(&path)?;
                    open_up(&path, 0o666, owner)?;
                }
                Ok(())
            }
            Self::Sparse(name, len) => {
                let path = place(name)?;
                File::create(&path)?.set_len(*len)?;
                open_up(&path, 0o666, owner)
            }
            Self::Link(name, target) => Ok(symlink(
                OsStr::from_bytes(&target.bytes(&none)?),
                place(name)?,
            )?),
            Self::Fifo(name) => {
                let path = place(name)?;
                mkfifo(&path, Mode::S_IRWXU)?;
                open_up(&path, 0o666, owner)
            }
            Self::Mode(name, mode) => Ok(fs::set_permissions(
                place(name)?,
                Permissions::from_mode(*mode),
            )?),
            Self::Time(name, time) => {
                let times = FileTimes::new().set_modified(*time);
                Ok(File::open(place(name)?)?.set_times(times)?)
            }
        }
    }
}

/// Who owns what the server shall be able to change: the owner of the directory of the suite.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner {
    uid: u32,
    gid: u32,
}

impl Owner {
    pub(crate) fn of(dir: &Path) -> Result<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = fs::metadata(dir).with_context(|| dir.display().to_string())?;
        Ok(Self {
            uid: metadata.uid(),
            gid: metadata.gid(),
        })
    }
}

/// Gives a path to the server's account, whatever our umask is.
fn open_up(path: &Path, mode: u32, owner: Owner) -> Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    if Uid::effective().is_root() {
        let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
        chown(path, Some(uid), Some(gid))?;
    }
    Ok(())
}

/// The directory of one case; it goes when the value does.
pub(crate) struct Stage {
    pub(crate) path: PathBuf,
}

impl Stage {
    pub(crate) fn build(path: PathBuf, owner: Owner, setup: &[Setup]) -> Result<Self> {
        fs::create_dir(&path).with_context(|| path.display().to_string())?;
        let stage = Self { path };
        open_up(&stage.path, 0o777, owner)?;
        for part in setup {
            let made = part.make(&stage.path, owner);
            made.with_context(|| format!("set-up {part:?}"))?;
        }
        Ok(stage)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // A directory of ours that stays is in nobody's way; the next run has other names.
        drop(fs::remove_dir_all(&self.path));
    }
}

/// What must hold of a name.
#[derive(Debug, Clone)]
pub(crate) enum DiskCheck {
    Is(Content),
    Begins(Content),
    Size(u64),
    Absent,
    Dir,
    File,
    Link,
    /// The permission bits.
    Mode(u32),
    Modified(SystemTime),
    /// Nothing but these names is in the directory.
    Holds(Vec<String>),
}

impl DiskCheck {
    /// Reads `== CONTENT`, `begins CONTENT`, `size LEN`, `absent`, `dir`, `file`, `link`, `mode OCTAL`,
    /// `mtime YYYYMMDDhhmmss` or `holds [NAME..]`.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        let rest = rest.trim();
        Ok(match verb {
            "==" => Self::Is(Content::parse(rest)?),
            "begins" => Self::Begins(Content::parse(rest)?),
            "size" => Self::Size(rest.parse()?),
            "mode" => Self::Mode(u32::from_str_radix(rest, 8).context("no octal mode")?),
            "mtime" => Self::Modified(time(rest)?),
            "holds" => Self::Holds(rest.split_whitespace().map(str::to_owned).collect()),
            "absent" if rest.is_empty() => Self::Absent,
            "dir" if rest.is_empty() => Self::Dir,
            "file" if rest.is_empty() => Self::File,
            "link" if rest.is_empty() => Self::Link,
            other => bail!("unknown check {other:?}; the head of DiskCheck::parse lists all"),
        })
    }

    /// Compares with what is there.
    pub(crate) fn check(&self, dir: &Path, name: &[u8], variables: &Variables) -> Result<()> {
        let path = inside(dir, name);
        let found = fs::symlink_metadata(&path);
        if matches!(self, Self::Absent) {
            ensure!(found.is_err(), "it exists");
            return Ok(());
        }
        let found = found.context("it does not exist")?;
        match self {
            Self::Is(content) => {
                let (wanted, got) = (content.bytes(variables)?, fs::read(&path)?);
                same(&wanted, &got)
            }
            Self::Begins(content) => {
                let (wanted, got) = (content.bytes(variables)?, fs::read(&path)?);
                same(&wanted, &got[..got.len().min(wanted.len())])
            }
            Self::Size(len) => expect(*len, found.len(), "bytes"),
            Self::Mode(mode) => {
                let got = found.permissions().mode() & 0o7777;
                ensure!(got == *mode, "its mode is {got:o}, not {mode:o}");
                Ok(())
            }
            Self::Modified(time) => {
                let seconds = |time: SystemTime| Ok(time.duration_since(UNIX_EPOCH)?.as_secs());
                let (wanted, got): (Result<u64>, Result<u64>) =
                    (seconds(*time), seconds(found.modified()?));
                expect(wanted?, got?, "seconds since 1970")
            }
            Self::Holds(names) => {
                let mut wanted = names.clone();
                let mut got = Vec::new();
                for entry in fs::read_dir(&path)? {
                    got.push(show(entry?.file_name().as_bytes(), QUOTED));
                }
                wanted.sort();
                got.sort();
                ensure!(got == wanted, "it holds {got:?}, not {wanted:?}");
                Ok(())
            }
            Self::Dir => is(found.is_dir(), "a directory"),
            Self::File => is(found.is_file(), "a file"),
            Self::Link => is(found.is_symlink(), "a symbolic link"),
            Self::Absent => Ok(()),
        }
    }
}

fn is(holds: bool, what: &str) -> Result<()> {
    ensure!(holds, "it is not {what}");
    Ok(())
}

fn expect(wanted: u64, got: u64, unit: &str) -> Result<()> {
    ensure!(wanted == got, "{got} {unit} instead of {wanted}");
    Ok(())
}

/// Compares contents and quotes little of them.
pub(crate) fn same(wanted: &[u8], got: &[u8]) -> Result<()> {
    if wanted == got {
        return Ok(());
    }
    let pairs = wanted.iter().zip(got);
    let at = pairs.take_while(|(wanted, got)| wanted == got).count();
    let part = |bytes: &[u8]| show(bytes.get(at..).unwrap_or_default(), QUOTED);
    bail!(
        "{} bytes instead of {}; from byte {at} on \"{}\" instead of \"{}\"",
        got.len(),
        wanted.len(),
        part(got),
        part(wanted)
    )
}

fn inside(dir: &Path, name: &[u8]) -> PathBuf {
    dir.join(OsStr::from_bytes(name))
}

/// `YYYYMMDDhhmmss`, in UTC, since 1970.
pub(crate) fn time(text: &str) -> Result<SystemTime> {
    ensure!(
        text.len() == 14 && text.bytes().all(|byte| byte.is_ascii_digit()),
        "{text:?} is no YYYYMMDDhhmmss"
    );
    let number = |from: usize, len: usize| text[from..from + len].parse::<u64>();
    let (year, month, day) = (number(0, 4)?, number(4, 2)?, number(6, 2)?);
    ensure!(
        year >= 1970 && (1..=12).contains(&month),
        "{text:?} is no time since 1970"
    );
    // Years begin in March here, so that the leap day is the last of one.
    let (shifted, from_march) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = 365 * shifted + shifted / 4 - shifted / 100
        + shifted / 400
        + (153 * from_march + 2) / 5
        + day
        - 1
        - 719_468;
    let seconds = days * 86400 + number(8, 2)? * 3600 + number(10, 2)? * 60 + number(12, 2)?;
    Ok(UNIX_EPOCH + Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        let seconds = |text| {
            time(text)
                .unwrap()
                .duration_since(UNIX_EPOCH)
                .unwrap()
                .as_secs()
        };
        assert_eq!(seconds("19700101000000"), 0);
        assert_eq!(seconds("20000229235959"), 951_868_799);
        assert_eq!(seconds("20240301000000"), 1_709_251_200);
        for wrong in [
            "",
            "2000",
            "2000022923595x",
            "19690101000000",
            "20001301000000",
        ] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_stage_is_built_checked_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let owner = Owner::of(dir.path()).unwrap();
        let lines = [
            "dir sub",
            "file sub/a \"x\\r\"",
            "file \\xe4 fill 9",
            "link l sub/a",
            "fifo f",
            "mode sub/a 640",
            "mtime sub/a 20010203040506",
        ];
        let setup: Vec<_> = lines
            .iter()
            .map(|line| Setup::parse(line).unwrap())
            .collect();
        let path = dir.path().join("case");
        let stage = Stage::build(path.clone(), owner, &setup).unwrap();
        let check = |name: &[u8], check: &str| {
            DiskCheck::parse(check)
                .unwrap()
                .check(&stage.path, name, &Variables::new())
        };
        for (name, holds, not) in [
            (b"sub".as_slice(), "dir", "file"),
            (b"sub", "holds a", "holds"),
            (b"sub/a", "== \"x\\r\"", "== \"x\""),
            (b"sub/a", "mode 640", "mode 666"),
            (b"sub/a", "mtime 20010203040506", "mtime 20010203040507"),
            (b"\xe4", "size 9", "size 8"),
            (b"l", "link", "absent"),
            (b"nothing", "absent", "file"),
        ] {
            check(name, holds).unwrap();
            check(name, not).unwrap_err();
        }
        drop(stage);
        assert!(!path.exists());
    }
}

//! `cargo xtask verify --twice`: builds in two places that differ in all that must not matter, and
//! compares every byte.
//!
//! They lie in folders of different names and depths, the files of copies are made in opposite
//! orders, and the builds run with another time zone, locale, umask and working directory, one
//! after the other. The daemon is built in the workspace and in a copy: what was compiled in the
//! one place need not be compiled there again, and nothing of it goes to the other.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    ffi::OsString,
    fs::{self, Permissions},
    io::Cursor,
    os::unix::fs::PermissionsExt as _,
    path::{Component, Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use packaging::Manifest;
use vib::{
    diff::{Comparison, Kind, compare as compare_packages},
    input, print,
};
use walkdir::WalkDir;

use crate::{cargo::allowed, process};

/// A cold build of the daemon on a slow machine.
const BUILD: Duration = Duration::from_hours(1);
/// Packing alone.
const PACK: Duration = Duration::from_mins(10);
/// What no build reads, at the top of the workspace.
const NOT_COPIED: [&str; 2] = [".git", "dist"];
/// Marks directories of what can be made again, such as cargo's.
const CACHE: &str = "CACHEDIR.TAG";

/// What differs between the builds.
struct Scene {
    folder: &'static str,
    reversed: bool,
    umask: &'static str,
    environment: [(&'static str, &'static str); 5],
}

const SCENES: [Scene; 2] = [
    Scene {
        folder: "a",
        reversed: false,
        umask: "022",
        environment: [
            ("TZ", "UTC"),
            ("LANG", "C"),
            ("LC_ALL", "C"),
            ("USER", "root"),
            ("TERM", "dumb"),
        ],
    },
    Scene {
        folder: "another place/with a longer name",
        reversed: true,
        umask: "077",
        environment: [
            ("TZ", "Pacific/Kiritimati"),
            ("LANG", "tr_TR.UTF-8"),
            ("LC_ALL", "tr_TR.UTF-8"),
            ("USER", "somebody"),
            ("TERM", "xterm"),
        ],
    },
];

/// Builds what `manifest` describes, or without one the daemon's package.
///
/// # Errors
/// As [`pack`].
pub(crate) fn run(root: &Path, manifest: Option<&Path>, sabotage: bool) -> Result<()> {
    match manifest {
        Some(manifest) => pack(manifest, sabotage),
        None => whole(root, sabotage),
    }
}

/// Packs what a description says, twice. Its sources must be there.
///
/// # Errors
/// If it cannot be packed, or if two bytes differ: the first ones are named. With `sabotage` the
/// second copy differs by one byte, so that there must be an error.
pub(crate) fn pack(manifest: &Path, sabotage: bool) -> Result<()> {
    let manifest = plain(&std::path::absolute(manifest)?);
    let named = || manifest.display().to_string();
    let text = input::read_text(&manifest)?;
    let description = Manifest::parse(&text).with_context(named)?;
    let folder = manifest.parent().with_context(named)?;
    let mut files: BTreeSet<PathBuf> = description
        .sources()
        .map(|source| plain(&folder.join(source)))
        .collect();
    let victim = files.first().cloned();
    files.insert(manifest.clone());
    let base = common(&files).with_context(named)?;
    let files: Vec<_> = files
        .iter()
        .filter_map(|file| file.strip_prefix(&base).ok())
        .map(Path::to_owned)
        .collect();
    let relative = |path: &Path| path.strip_prefix(&base).map(Path::to_owned);
    let description_in = relative(&manifest)?;
    let victim = victim.map(|path| relative(&path)).transpose()?;
    let mut arguments = vec![OsString::from("package"), description_in.into()];
    if description.version.is_none() {
        arguments.extend(["--version".into(), env!("CARGO_PKG_VERSION").into()]);
    }
    compare_builds(
        &base,
        &files,
        &arguments,
        PACK,
        victim.as_deref().filter(|_| sabotage),
        false,
    )
}

/// Builds the daemon and packs it, in the workspace and in a clean copy of it.
///
/// # Errors
/// As [`pack`].
fn whole(root: &Path, sabotage: bool) -> Result<()> {
    let mut files = Vec::new();
    let walk = WalkDir::new(root).sort_by_file_name().into_iter();
    let is_built = |path: &Path| {
        NOT_COPIED.iter().any(|name| path == root.join(name)) || path.join(CACHE).exists()
    };
    for entry in walk.filter_entry(|entry| !is_built(entry.path())) {
        let entry = entry?;
        if entry.file_type().is_file() {
            files.push(entry.path().strip_prefix(root)?.to_owned());
        }
    }
    let arguments = ["dist", "--root", "."].map(OsString::from);
    let victim = sabotage.then(|| Path::new("LICENSE"));
    compare_builds(root, &files, &arguments, BUILD, victim, true)
}

/// `in_place`: the first build is in the folder itself, not in a copy.
fn compare_builds(
    base: &Path,
    files: &[PathBuf],
    arguments: &[OsString],
    limit: Duration,
    victim: Option<&Path>,
    in_place: bool,
) -> Result<()> {
    let work = tempfile::tempdir()?;
    let mut results = Vec::new();
    for (number, scene) in SCENES.iter().enumerate() {
        let copy = if in_place && number == 0 {
            base.to_owned()
        } else {
            let copy = work.path().join(scene.folder).join("sources");
            copy_files(base, files, &copy, scene)?;
            copy
        };
        eprintln!(
            "build {} of {}, in {}",
            number + 1,
            SCENES.len(),
            copy.display()
        );
        if let (Some(victim), true) = (victim, scene.reversed) {
            let path = copy.join(victim);
            let mut bytes = fs::read(&path)?;
            *bytes
                .last_mut()
                .context("an empty file cannot be changed")? ^= 1;
            fs::write(&path, bytes)?;
        }
        let beside = work.path().join(scene.folder);
        fs::create_dir_all(&beside)?;
        let out = beside.join("out");
        build(scene, &copy, arguments, &out, limit)
            .with_context(|| format!("the build in {}", copy.display()))?;
        results.push(read_files(&out)?);
    }
    let [one, two] = results.as_slice() else {
        bail!("there are not two builds");
    };
    compare(one, two)?;
    for (name, bytes) in one {
        print(&format!("{name}: the same twice ({} bytes)\n", bytes.len()))?;
    }
    Ok(())
}

/// Copies files; those of a reversed scene in the opposite order and with other modes.
fn copy_files(base: &Path, files: &[PathBuf], copy: &Path, scene: &Scene) -> Result<()> {
    let mut files: Vec<_> = files.iter().collect();
    if scene.reversed {
        files.reverse();
    }
    for file in files {
        let (from, to) = (base.join(file), copy.join(file));
        let named = || from.display().to_string();
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).with_context(named)?;
        }
        fs::copy(&from, &to).with_context(named)?;
        if scene.reversed {
            fs::set_permissions(&to, Permissions::from_mode(0o600)).with_context(named)?;
        }
    }
    Ok(())
}

/// Runs this program in a folder. A shell sets the umask, which is the only thing that it is for.
fn build(
    scene: &Scene,
    copy: &Path,
    arguments: &[OsString],
    out: &Path,
    limit: Duration,
) -> Result<()> {
    const SCRIPT: &str = "umask \"$1\" && shift && exec \"$@\"";
    let mut command = process::command("sh");
    command
        .envs(allowed())
        .envs(scene.environment)
        .current_dir(copy)
        .args(["-c", SCRIPT, "sh", scene.umask])
        .arg(process::this_path())
        .args(arguments)
        .arg("--out")
        .arg(out);
    process::follow(&mut command, limit)
}

type Files = BTreeMap<String, Vec<u8>>;

fn read_files(folder: &Path) -> Result<Files> {
    let mut files = Files::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        files.insert(name, fs::read(entry.path())?);
    }
    Ok(files)
}

/// # Errors
/// If the files differ; VIBs are compared before the bundles that hold them, and these before the
/// checksums of all.
fn compare(one: &Files, two: &Files) -> Result<()> {
    ensure!(!one.is_empty(), "nothing was built");
    let names = |files: &Files| files.keys().cloned().collect::<Vec<_>>();
    ensure!(
        names(one) == names(two),
        "the builds differ: one made {}, the other {}",
        names(one).join(", "),
        names(two).join(", ")
    );
    let rank = |name: &str| match Path::new(name).extension().and_then(|end| end.to_str()) {
        Some("vib") => 0,
        Some("zip") => 1,
        _ => 2,
    };
    let mut names = names(one);
    names.sort_by_key(|name| rank(name));
    for name in names {
        let (Some(a), Some(b)) = (one.get(&name), two.get(&name)) else {
            continue;
        };
        if a != b {
            bail!("the builds differ: {name}, {}", difference(a, b));
        }
    }
    Ok(())
}

/// Where the first difference is: byte, member, and what is unpacked from there.
fn difference(one: &[u8], two: &[u8]) -> String {
    let Ok(Comparison {
        first: Some(first),
        differences,
        ..
    }) = compare_packages(&mut Cursor::new(one), &mut Cursor::new(two))
    else {
        let common = one.iter().zip(two).take_while(|(a, b)| a == b).count();
        return format!("first at byte {common}");
    };
    let of = |kind: Kind| differences.iter().find(|one| one.kind == kind);
    match of(Kind::File).or_else(|| of(Kind::Member)) {
        Some(found) => format!("{first}; unpacked, {:?} differs", found.place),
        None => format!("{first}; what is unpacked from it is the same"),
    }
}

/// Without `.` and `..`, by their letters: the copy is by letters, too.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

/// The folder that holds all files.
fn common(files: &BTreeSet<PathBuf>) -> Option<PathBuf> {
    let mut folder = files.first()?.parent()?.to_owned();
    while !files.iter().all(|file| file.starts_with(&folder)) {
        folder.pop();
    }
    Some(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(vib: Vec<u8>) -> Files {
        let list = format!("{}  a.vib\n", vib.len());
        Files::from([
            ("SHA256SUMS".to_owned(), list.into_bytes()),
            ("a.vib".to_owned(), vib),
        ])
    }

    /// A package with one file.
    fn package() -> Vec<u8> {
        let text = include_str!("../../packaging/examples/bootnote/package.toml");
        let (head, _) = text.split_once("[[contents]]").unwrap();
        let row = "[[contents]]\nsource = \"a\"\ndestination = \"opt/a\"\nmode = \"0444\"\n";
        let manifest = Manifest::parse(&format!("{head}{row}")).unwrap();
        let sources = BTreeMap::from([("a".to_owned(), b"hello".to_vec())]);
        let epoch = manifest.release_date;
        let package = packaging::Package::new(manifest, &sources, epoch).unwrap();
        let (mut spool, mut bytes) = (Cursor::new(Vec::new()), Vec::new());
        packaging::Vib::write(&package, &sources, &mut spool, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn the_first_difference_is_named_with_its_place() {
        let vib = package();
        compare(&files(vib.clone()), &files(vib.clone())).unwrap();
        let place = vib.windows(6).position(|one| one == b"Writes").unwrap();
        let mut other = vib.clone();
        other[place] = b'w';
        assert_eq!(
            compare(&files(vib.clone()), &files(other))
                .unwrap_err()
                .to_string(),
            format!(
                "the builds differ: a.vib, first at byte {place}, in the member \"descriptor.xml\"; unpacked, \"descriptor.xml\" differs"
            )
        );
        let mut more = files(vib.clone());
        more.insert("b".to_owned(), Vec::new());
        let error = compare(&files(vib), &more).unwrap_err().to_string();
        assert!(error.contains("the other SHA256SUMS, a.vib, b"), "{error}");
        assert!(compare(&Files::new(), &Files::new()).is_err());
    }

    #[test]
    fn files_are_copied_with_the_folder_that_all_are_in() {
        let files = ["/x/y/z/a", "/x/y/b", "/x/y/z/c"].map(PathBuf::from);
        assert_eq!(common(&BTreeSet::from(files)).unwrap(), Path::new("/x/y"));
        assert_eq!(plain(Path::new("/x/y/../z/./a")), Path::new("/x/z/a"));
    }
}

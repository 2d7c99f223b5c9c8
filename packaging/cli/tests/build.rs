//! `vib build` as users call it, on the example of the repository and on packages made
//! here; what it makes is looked at by the system's tools and by `verify`.
#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a command is tested by running it, and what fails ends the test"
)]

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Output},
};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/bootnote");
const VIB: &str = "bootnote-1.0.0-1.vib";
const BUNDLE: &str = "bootnote-1.0.0-1-offline-bundle.zip";

/// Bytes of memory that packing may take, whatever the size of the files.
const MOST: u64 = 64 << 20;

/// Runs a command and prints the peak of its memory in KiB as the last line of standard error.
const MEASURE: &str = "import os, sys
pid = os.fork()
if pid == 0: os.execv(sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(pid, 0)
print(usage.ru_maxrss, file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))";

/// `vib` in a folder, without variables that change what it makes.
fn vib(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vib"));
    command
        .args(args)
        .current_dir(folder)
        .env_remove("SOURCE_DATE_EPOCH");
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a command that succeeds prints.
fn succeed(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; `cargo xtask test` installs it"));
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// What a program of the system prints.
fn tool(name: &str, args: &[&str], folder: &Path) -> String {
    succeed(
        Command::new(name)
            .args(args)
            .current_dir(folder)
            .env("LC_ALL", "C.UTF-8"),
    )
}

/// The example, packed by the command into `out` of a new folder.
fn packed() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let description = format!("{EXAMPLE}/package.toml");
    let stdout = succeed(&mut vib(
        folder.path(),
        &["build", &description, "--out", "out"],
    ));
    (folder, stdout)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    names
}

#[test]
fn stdout_holds_the_paths_of_what_was_made_and_nothing_else() {
    let (folder, stdout) = packed();
    let out = folder.path().canonicalize().unwrap().join("out");
    let paths: Vec<_> = stdout
        .lines()
        .map(|line| PathBuf::from(line).canonicalize().unwrap())
        .collect();
    assert_eq!(
        paths,
        [VIB, BUNDLE, "SHA256SUMS"].map(|name| out.join(name))
    );
    assert_eq!(names(&out), ["SHA256SUMS", BUNDLE, VIB]);
    assert_eq!(names(folder.path()), ["out"], "nothing is left beside it");
    tool("sha256sum", &["--check", "--strict", "SHA256SUMS"], &out);
}

#[test]
fn the_systems_tools_find_the_example_in_the_vib() {
    let (folder, _) = packed();
    let out = folder.path().join("out");
    tool("ar", &["x", VIB], &out);
    assert_eq!(
        tool("ar", &["t", VIB], &out),
        "descriptor.xml\nsig.pkcs7\nbootnote\n"
    );
    let listing = tool("tar", &["-tvzf", "bootnote"], &out);
    let modes: Vec<_> = listing
        .lines()
        .map(|line| {
            let mut words = line.split_whitespace();
            (words.next().unwrap(), words.next_back().unwrap())
        })
        .collect();
    assert_eq!(
        modes,
        [
            ("drwxr-xr-x", "etc/"),
            ("drwxr-xr-x", "etc/config/"),
            ("drwxr-xr-x", "etc/config/bootnote/"),
            ("-rw-r--r-T", "etc/config/bootnote/bootnote.conf"),
            ("drwxr-xr-x", "etc/init.d/"),
            ("-rwxr-xr-x", "etc/init.d/bootnote"),
            ("drwxr-xr-x", "opt/"),
            ("drwxr-xr-x", "opt/bootnote/"),
            ("drwx------", "opt/bootnote/notes/"),
        ]
    );
    assert_eq!(
        tool("tar", &["-xOzf", "bootnote", "etc/init.d/bootnote"], &out),
        fs::read_to_string(format!("{EXAMPLE}/bootnote")).unwrap()
    );
    let id = "concat(/vib/vendor,' ',/vib/name,' ',/vib/version)";
    assert_eq!(
        tool("xmllint", &["--xpath", id, "descriptor.xml"], &out).trim_end(),
        "example bootnote 1.0.0-1"
    );
}

#[test]
fn the_bundle_leads_to_the_vib() {
    let (folder, _) = packed();
    let out = folder.path().join("out");
    fs::create_dir(out.join("unpacked")).unwrap();
    tool("unzip", &["-q", BUNDLE, "-d", "unpacked"], &out);
    let path = "vib20/bootnote/example_bootbank_bootnote_1.0.0-1.vib";
    assert_eq!(
        fs::read(out.join("unpacked").join(path)).unwrap(),
        fs::read(out.join(VIB)).unwrap()
    );
    for name in ["index.xml", "vendor-index.xml"] {
        tool("xmllint", &["--noout", name], &out.join("unpacked"));
    }
}

#[test]
fn verify_finds_nothing() {
    let (folder, _) = packed();
    let out = folder.path().join("out");
    for name in [VIB, BUNDLE] {
        succeed(&mut vib(&out, &["verify", name]));
    }
}

#[test]
fn the_script_of_the_example_does_what_an_init_script_must() {
    let script = format!("{EXAMPLE}/bootnote");
    tool("shellcheck", &[&script], Path::new(EXAMPLE));
    let folder = tempfile::tempdir().unwrap();
    let run = |words: &[&str]| {
        // A function goes before busybox's own `logger`.
        let status = Command::new("busybox")
            .args([
                "ash",
                "-c",
                "logger() { echo \"$@\" >> log; }; . \"$0\"",
                &script,
            ])
            .args(words)
            .current_dir(folder.path())
            .env("BOOTNOTE_CONFIG", format!("{EXAMPLE}/bootnote.conf"))
            .output()
            .unwrap()
            .status;
        status.code()
    };
    assert_eq!(run(&["start", "install"]), Some(0));
    assert_eq!(run(&["stop"]), Some(0));
    assert_eq!(run(&["stop", "upgrade"]), Some(0));
    assert_eq!(run(&["status"]), Some(3));
    assert_eq!(run(&["dance"]), Some(2));
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert_eq!(log, "-t bootnote this host was started\n");
}

#[test]
fn json_tells_programs_the_same() {
    let (folder, paths) = packed();
    let description = format!("{EXAMPLE}/package.toml");
    let text = succeed(&mut vib(
        folder.path(),
        &["build", &description, "--out", "out", "--json"],
    ));
    let made: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(made["format"], 1);
    assert_eq!(made["vibs"][0]["id"], "example_bootbank_bootnote_1.0.0-1");
    let told = [
        &made["vibs"][0]["path"],
        &made["bundle"]["path"],
        &made["checksums"],
    ];
    assert_eq!(
        told.map(|path| path.as_str().unwrap()).to_vec(),
        paths.lines().collect::<Vec<_>>()
    );
    let sums = fs::read_to_string(folder.path().join("out/SHA256SUMS")).unwrap();
    for made in [&made["vibs"][0], &made["bundle"]] {
        assert!(sums.contains(made["sha256"].as_str().unwrap()));
        let size = fs::metadata(made["path"].as_str().unwrap()).unwrap().len();
        assert_eq!(made["size"], size);
    }
}

/// A description with these rows, as a file of the folder.
fn describe(folder: &Path, name: &str, vendor: &str, rows: &str) -> String {
    let example = fs::read_to_string(format!("{EXAMPLE}/package.toml")).unwrap();
    let (head, _) = example.split_once("[[contents]]").unwrap();
    let text = head
        .replace("bootnote", name)
        .replace("\"example\"", &format!("{vendor:?}"));
    let file = format!("{name}-{vendor}.toml");
    fs::write(folder.join(&file), text + rows).unwrap();
    file
}

const ROW: &str =
    "[[contents]]\nsource = \"file\"\ndestination = \"opt/x/file\"\nmode = \"0444\"\n";

#[test]
fn several_descriptions_share_a_bundle() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "hello").unwrap();
    let one = describe(folder.path(), "one", "example", ROW);
    let two = describe(folder.path(), "two", "example", ROW);
    let args = ["build", &one, &two, "--out", "out", "--version", "7.1"];
    let stdout = succeed(&mut vib(folder.path(), &args));
    assert_eq!(stdout.lines().count(), 4);
    let out = folder.path().join("out");
    let listing = tool("unzip", &["-Z1", "one-7.1-1-offline-bundle.zip"], &out);
    assert_eq!(
        listing,
        "index.xml\nvendor-index.xml\none-7.1-1-metadata.zip\n\
         vib20/one/example_bootbank_one_7.1-1.vib\nvib20/two/example_bootbank_two_7.1-1.vib\n"
    );
    succeed(&mut vib(&out, &["verify", "one-7.1-1-offline-bundle.zip"]));
}

/// Asserts that the command fails, says all of this, and leaves no more in the folder than there
/// was.
fn refuses(folder: &Path, args: &[&str], parts: &[&str]) {
    let before = names(folder);
    let output: Output = vib(folder, args).output().unwrap();
    assert!(!output.status.success());
    assert_eq!(text(&output.stdout), "");
    let message = text(&output.stderr);
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in:\n{message}");
    }
    assert_eq!(names(folder), before);
}

#[test]
fn a_refusal_names_the_file_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let missing = describe(here, "missing", "example", ROW);
    refuses(
        here,
        &["build", &missing, "--out", "out"],
        &["missing-example.toml:", "\"file\", which does not exist"],
    );
    fs::create_dir(here.join("file")).unwrap();
    refuses(
        here,
        &["build", &missing, "--out", "out"],
        &["\"file\", which cannot be read: it is not a regular file"],
    );
    fs::remove_dir(here.join("file")).unwrap();
    fs::write(here.join("file"), "hello").unwrap();

    let strange = describe(here, "strange", "other", ROW);
    refuses(
        here,
        &["build", &missing, &strange, "--out", "out"],
        &["is not of the vendor \"example\"", "FORMAT.md B9"],
    );
    refuses(
        here,
        &["build", &missing, &missing, "--out", "out"],
        &["is in the bundle twice", "FORMAT.md B9"],
    );
    let unknown = describe(
        here,
        "unknown",
        "example",
        &format!("{ROW}owner = \"me\"\n"),
    );
    refuses(
        here,
        &["build", &unknown, "--out", "out"],
        &[
            "unknown-example.toml: line ",
            "key owner: unknown field `owner`",
        ],
    );
    refuses(
        here,
        &["build", "nowhere.toml", "--out", "out"],
        &["nowhere.toml: No such file"],
    );
    refuses(
        here,
        &["build", "/dev/zero", "--out", "out"],
        &["/dev/zero has more than 1048576 bytes"],
    );
    refuses(
        here,
        &["build", &missing, "--out", "."],
        &["which is not of an earlier run; choose another directory with --out"],
    );
}

/// The header of a program for 32 bits, without segments.
fn program_of_32_bits() -> Vec<u8> {
    let mut bytes = vec![0; 52];
    bytes[..7].copy_from_slice(b"\x7fELF\x01\x01\x01");
    bytes[16] = 2;
    bytes[18] = 3;
    bytes[20] = 1;
    bytes[40] = 52;
    bytes[42] = 32;
    bytes
}

#[test]
fn what_verify_would_refuse_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::write(here.join("file"), program_of_32_bits()).unwrap();
    let program = describe(here, "program", "example", &ROW.replace("0444", "0755"));
    refuses(
        here,
        &["build", &program, "--out", "out"],
        &[
            "program-1.0.0-1-offline-bundle.zip would be refused by hosts, and was not written:",
            "is a program of 32 bits for i386, not for x86-64",
            "(FORMAT.md H4)",
        ],
    );
    let script = describe(
        here,
        "script",
        "example",
        &ROW.replace("opt/x/file", "etc/init.d/file")
            .replace("0444", "0755"),
    );
    let text = fs::read_to_string(here.join(&script)).unwrap();
    fs::write(here.join(&script), text.replace("6.0.0", "5.0.0")).unwrap();
    refuses(
        here,
        &["build", &script, "--out", "out"],
        &["etc/init.d, which 5.0 did not yet grant", "(FORMAT.md L3)"],
    );
}

#[test]
fn a_version_is_missed_if_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let versionless = fs::read_to_string(format!("{EXAMPLE}/package.toml"))
        .unwrap()
        .replace("version = \"1.0.0\"\n", "");
    fs::write(here.join("package.toml"), versionless).unwrap();
    refuses(
        here,
        &["build", "package.toml", "--out", "out"],
        &["version: is missing", "--version gives a version"],
    );
}

#[test]
fn the_same_files_give_the_same_bytes_wherever_they_are_packed() {
    let sums = |umask: &str, zone: &str| {
        let folder = tempfile::tempdir().unwrap();
        for name in names(Path::new(EXAMPLE)) {
            fs::copy(format!("{EXAMPLE}/{name}"), folder.path().join(name)).unwrap();
        }
        let script = format!("umask {umask}; exec \"$0\" build package.toml --out out");
        let mut command = Command::new("sh");
        command
            .args(["-c", &script, env!("CARGO_BIN_EXE_vib")])
            .current_dir(folder.path())
            .env_remove("SOURCE_DATE_EPOCH")
            .env("TZ", zone);
        succeed(&mut command);
        fs::read_to_string(folder.path().join("out/SHA256SUMS")).unwrap()
    };
    assert_eq!(sums("022", "UTC"), sums("077", "Pacific/Auckland"));
}

#[test]
fn source_date_epoch_overrules_the_release_date() {
    let folder = tempfile::tempdir().unwrap();
    let description = format!("{EXAMPLE}/package.toml");
    let args = ["build", &description, "--out", "out"];
    succeed(vib(folder.path(), &args).env("SOURCE_DATE_EPOCH", "86400"));
    let out = folder.path().join("out");
    assert!(tool("ar", &["p", VIB, "descriptor.xml"], &out).contains("1970-01-02T00:00:00"));
    let mut wrong = vib(folder.path(), &args);
    let output = wrong.env("SOURCE_DATE_EPOCH", "soon").output().unwrap();
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("SOURCE_DATE_EPOCH"));
}

#[test]
fn memory_does_not_grow_with_the_files() {
    let folder = tempfile::tempdir().unwrap();
    // Takes no room on the disk, but all of it would have to go through memory.
    let size = 3 * MOST;
    File::create(folder.path().join("file"))
        .and_then(|file| file.set_len(size))
        .unwrap();
    for (name, kind) in [("tar", "tgz"), ("vmtar", "vgz")] {
        let description = describe(folder.path(), name, "example", ROW);
        let path = folder.path().join(&description);
        let payload = format!("payloads = [{{ name = {name:?}");
        let changed = fs::read_to_string(&path)
            .unwrap()
            .replace(&payload, &format!("{payload}, type = {kind:?}"));
        assert!(changed.contains(kind));
        fs::write(&path, changed).unwrap();
        let output = Command::new("python3")
            .args(["-c", MEASURE, env!("CARGO_BIN_EXE_vib")])
            .args(["build", &description, "--out", "out"])
            .current_dir(folder.path())
            .output()
            .unwrap();
        let stderr = text(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        let peak: u64 = stderr.lines().next_back().unwrap().parse().unwrap();
        assert!(peak * 1024 <= MOST, "{kind}: {peak} KiB");
    }
}

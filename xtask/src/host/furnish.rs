//! What a host has before any package is installed.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    sync::OnceLock,
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use walkdir::WalkDir;

use super::{DATASTORE_LABEL, DATASTORE_UUID, helper};
use crate::process;

const PASSWD: &str = "\
root:x:0:0:Administrator:/:/bin/sh
daemon:x:2:2:System daemons:/:/sbin/nologin
nfsnobody:x:65534:65534:Anonymous NFS User:/:/sbin/nologin
dcui:x:100:100:DCUI User:/:/sbin/nologin
vpxuser:x:500:100:VMware VirtualCenter administration account:/:/sbin/nologin
";

/// The password of root is `host password`; nobody else has one.
const SHADOW: &str = "\
root:$6$simulatedhost$L7cG3sWxCshohH53Qvh1MKS9K2onYYGHUnfZo03jqOjLLxT2gGilrCOja4Awt00Fd02ZBpZeuNk2tAJB9fyH.0:19000:0:99999:7:::
daemon:*:13358:0:99999:7:::
nfsnobody:*:13358:0:99999:7:::
dcui:*:13358:0:99999:7:::
vpxuser:*:14875:0:99999:7:::
";

/// Directories, and their modes.
const DIRECTORIES: &[(&str, u32)] = &[
    ("bin", 0o755),
    ("sbin", 0o755),
    ("dev", 0o755),
    ("tmp", 0o1777),
    ("var/log", 0o755),
    ("var/run", 0o755),
    ("etc/config", 0o755),
    ("etc/init.d", 0o755),
    ("etc/security", 0o755),
    ("etc/vmware/ssl", 0o755),
    ("vmfs/volumes", 0o755),
];

/// Files that the host keeps over reboots are sticky.
const FILES: &[(&str, u32, &str)] = &[
    ("etc/passwd", 0o1644, PASSWD),
    ("etc/shadow", 0o1600, SHADOW),
    ("etc/shells", 0o1644, "/bin/ash\n/bin/sh\n"),
    ("etc/security/access.conf", 0o1644, "+ : ALL : ALL\n"),
];

/// Character devices with the major number 1, and their minor numbers.
const DEVICES: &[(&str, &str)] = &[
    ("null", "3"),
    ("zero", "5"),
    ("random", "8"),
    ("urandom", "9"),
];

/// Applets of a newer busybox that hosts do not have.
const NO_APPLETS: &[&str] = &[
    "flock",
    "ftpd",
    "getent",
    "httpd",
    "start-stop-daemon",
    "su",
    "tcpsvd",
    "telnetd",
];

/// Fills the directory `root`. What is there already stays, but for files of these names.
///
/// # Errors
/// If a tool is missing, or if devices do not work there.
pub(super) fn furnish(root: &Path) -> Result<()> {
    for (dir, mode) in DIRECTORIES {
        let path = root.join(dir);
        fs::create_dir_all(&path).with_context(|| format!("/{dir}"))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(*mode))?;
    }
    let certificate = certificate()?;
    let files = FILES.iter().copied().chain([
        ("etc/vmware/ssl/rui.crt", 0o1644, certificate.pem.as_str()),
        ("etc/vmware/ssl/rui.key", 0o1400, certificate.key.as_str()),
    ]);
    for (file, mode, content) in files {
        let path = root.join(file);
        fs::write(&path, content).with_context(|| format!("/{file}"))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
    }
    let volumes = root.join("vmfs/volumes");
    fs::create_dir_all(volumes.join(DATASTORE_UUID))?;
    if !volumes.join(DATASTORE_LABEL).is_symlink() {
        symlink(DATASTORE_UUID, volumes.join(DATASTORE_LABEL))?;
    }
    for (device, minor) in DEVICES {
        let node = ["-m", "666", device, "c", "1", minor];
        helper("mknod", &node, &root.join("dev"))?;
    }
    let null = OpenOptions::new().write(true).open(root.join("dev/null"));
    null.with_context(|| {
        format!(
            "devices do not work below {}, perhaps it is mounted `nodev`; set TMPDIR to another place",
            root.display()
        )
    })?;
    busybox(root)
}

/// As a host makes it for itself: RSA with 2048 bits.
struct Certificate {
    pem: String,
    key: String,
}

/// One for all hosts of this process, because making a key takes long.
fn certificate() -> Result<&'static Certificate> {
    static MADE: OnceLock<Result<Certificate, String>> = OnceLock::new();
    let made = MADE.get_or_init(|| make_certificate().map_err(|error| format!("{error:#}")));
    made.as_ref()
        .map_err(|error| anyhow!("the host's certificate: {error}"))
}

fn make_certificate() -> Result<Certificate> {
    let dir = tempfile::tempdir()?;
    let request = "req -x509 -newkey rsa:2048 -nodes -sha256 -days 4200 -keyout rui.key \
                   -out rui.crt -subj /CN=localhost.localdomain";
    let arguments: Vec<_> = request.split_whitespace().collect();
    helper("openssl", &arguments, dir.path())?;
    Ok(Certificate {
        pem: fs::read_to_string(dir.path().join("rui.crt"))?,
        key: fs::read_to_string(dir.path().join("rui.key"))?,
    })
}

fn busybox(root: &Path) -> Result<()> {
    let busybox = process::find("busybox")
        .context("busybox is missing; Debian's package is busybox-static")?;
    let bin = root.join("bin");
    fs::copy(&busybox, bin.join("busybox"))?;
    let applets = helper("busybox", &["--list"], root)?.stdout;
    let own = |applet: &&str| *applet != "busybox" && !NO_APPLETS.contains(applet);
    for applet in applets.lines().filter(own) {
        let link = bin.join(applet);
        // A script may stand there, from a package or a test.
        if fs::symlink_metadata(&link).is_err() {
            symlink("busybox", &link).with_context(|| format!("/bin/{applet}"))?;
        }
    }
    Ok(())
}

/// The point of the whole exercise: nothing inside that could stand in for what the host lacks.
///
/// # Errors
/// If there is something.
pub(super) fn check_bare(root: &Path) -> Result<()> {
    for absent in [
        "proc",
        "sys",
        "lib64",
        "usr/bin",
        "usr/sbin",
        "etc/localtime",
    ] {
        ensure!(
            !root.join(absent).exists(),
            "the host root must not hold /{absent}"
        );
    }
    for entry in WalkDir::new(root) {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy();
        let library = name.starts_with("libc.") || name.starts_with("ld-") || name.contains(".so.");
        ensure!(
            !library,
            "the host root must not hold a shared library: {}",
            entry.path().display()
        );
    }
    let headers = helper("readelf", &["-lW", "bin/busybox"], root)?.stdout;
    if headers.contains("INTERP") {
        bail!("this machine's busybox is not static; install Debian's package busybox-static");
    }
    Ok(())
}

//! The stand-in for `auto-backup.sh`, and what our documents say of it.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use super::{AUTO_BACKUP, HostRoot};

const FILE: &str = "/etc/config/esxftpd/esxftpd.toml";
const KEPT: &str = "/bootbank/state/etc/config/esxftpd/esxftpd.toml";

fn mode(host: &HostRoot, file: &str) -> u32 {
    let metadata = fs::metadata(host.path(file)).unwrap();
    metadata.permissions().mode() & 0o7777
}

fn chmod(host: &HostRoot, mode: &str) {
    host.run(&["/bin/chmod", mode, FILE])
        .unwrap()
        .success()
        .unwrap();
}

/// What it prints.
fn backup(host: &HostRoot) -> String {
    host.run(&[AUTO_BACKUP]).unwrap().success().unwrap().stdout
}

#[test]
fn change_of_the_mode_alone_is_not_saved_and_hashes_are_printed() {
    let dir = tempfile::tempdir().unwrap();
    let host = HostRoot::empty(dir.path()).unwrap();
    host.add_commands().unwrap();
    host.install(FILE, "old\n").unwrap();
    chmod(&host, "1644");
    assert_eq!(backup(&host), "");
    assert_eq!(mode(&host, KEPT), 0o1644);

    chmod(&host, "o-r");
    assert_eq!(backup(&host), "");
    assert_eq!(mode(&host, KEPT), 0o1644);

    fs::write(host.path(FILE), "password-hash = \"secret\"\n").unwrap();
    assert!(backup(&host).contains("secret"));
    assert_eq!(mode(&host, KEPT), 0o1640);

    // The host does not look at a file without the sticky bit.
    chmod(&host, "600");
    assert_eq!(mode(&host, FILE), 0o600);
    fs::write(host.path(FILE), "newer\n").unwrap();
    assert_eq!(backup(&host), "");
    assert!(
        fs::read_to_string(host.path(KEPT))
            .unwrap()
            .contains("secret")
    );
}

#[test]
fn commands_of_the_documents_show_no_hashes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut commands = 0;
    for document in [
        "README.md",
        "daemon/docs/administrator.md",
        "daemon/docs/troubleshooting.md",
        "daemon/esxftpd.toml",
        "daemon/esxftpd.8",
    ] {
        let text = fs::read_to_string(root.join(document)).unwrap();
        for line in text.lines() {
            let line = line.replace("\\-", "-");
            if let Some((_, rest)) = line.split_once("/sbin/auto-backup.sh") {
                assert!(rest.starts_with(" >/dev/null 2>&1"), "{document}: {line}");
                commands += 1;
            }
        }
    }
    assert_eq!(commands, 5);
}

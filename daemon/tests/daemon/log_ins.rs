//! Who gets in, and to what.

use std::fs;

use crate::harness::{Daemon, PASSWORD, user};

fn answer_to_password(daemon: &Daemon, name: &str, password: &str) -> String {
    let mut ftp = daemon.connect();
    assert!(ftp.reply().starts_with("220"));
    ftp.expect(&format!("USER {name}"), "331");
    ftp.command(&format!("PASS {password}"))
}

#[test]
fn without_users_every_log_in_is_refused() {
    let daemon = Daemon::start_with("", |_root| String::new());
    for name in ["root", "anonymous", "ftp"] {
        assert!(
            answer_to_password(&daemon, name, "x").starts_with("530"),
            "{name}"
        );
    }
}

#[test]
fn a_wrong_password_is_refused_and_the_right_one_still_works() {
    let daemon = Daemon::start();
    let mut ftp = daemon.connect();
    ftp.reply();
    ftp.expect("USER alice", "331");
    ftp.expect("PASS wrong", "530");
    ftp.expect("LIST", "530");
    assert!(answer_to_password(&daemon, "alice", PASSWORD).starts_with("230"));
}

#[test]
fn a_hash_from_hash_password_logs_in() {
    let daemon = Daemon::start_with("", |root| {
        let hash = esxftpd::accounts::hash("grün & blau").unwrap();
        format!(
            "[[users]]\nname = \"bob\"\npassword-hash = \"{hash}\"\nroot = \"{}\"\n",
            root.display()
        )
    });
    assert!(answer_to_password(&daemon, "bob", "grün & blau").starts_with("230"));
}

#[test]
fn anonymous_access_is_read_only_when_it_is_switched_on() {
    let daemon = Daemon::start_with("", |root| {
        format!("[anonymous]\nroot = \"{}\"\n", root.display())
    });
    fs::write(daemon.root().join("file"), "content").unwrap();
    let mut ftp = daemon.connect();
    ftp.log_in("anonymous", "me@example.org");
    assert_eq!(ftp.download("RETR file"), b"content");
    assert!(ftp.upload("STOR new", b"x").starts_with("550"));
    assert!(!daemon.root().join("new").exists());
}

#[test]
fn a_read_only_user_downloads_and_changes_nothing() {
    let daemon = Daemon::start_with("", |root| user("alice", root, true));
    fs::write(daemon.root().join("file"), "content").unwrap();
    let mut ftp = daemon.log_in();
    assert_eq!(ftp.download("RETR file"), b"content");
    assert!(ftp.upload("STOR file", b"x").starts_with("550"));
    ftp.expect("DELE file", "550");
    ftp.expect("MKD dir", "550");
    assert_eq!(fs::read(daemon.root().join("file")).unwrap(), b"content");
}

#[test]
fn a_root_that_does_not_exist_refuses_the_log_in_until_it_does() {
    let daemon = Daemon::start_with("", |root| user("alice", &root.join("later"), false));
    daemon.wait_for_log("does not exist");
    assert!(answer_to_password(&daemon, "alice", PASSWORD).starts_with("530"));
    fs::create_dir(daemon.root().join("later")).unwrap();
    assert!(answer_to_password(&daemon, "alice", PASSWORD).starts_with("230"));
}

#[test]
fn uploaded_files_are_not_writable_by_others() {
    use std::os::unix::fs::PermissionsExt as _;
    let daemon = Daemon::start();
    daemon.log_in().upload("STOR file", b"x");
    let mode = fs::metadata(daemon.root().join("file"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o644);
}

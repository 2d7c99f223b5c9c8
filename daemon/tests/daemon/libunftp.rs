//! The engine libunftp: what the frame gives it, on the same configuration.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Command,
    thread,
    time::Duration,
};

use nix::sys::signal::Signal;

use crate::{
    PATIENCE, administration,
    ftp::Ftp,
    harness::{Daemon, PASSWORD, PROGRAM, eventually, user},
};

const ENGINE: &str = "server.engine = \"libunftp\"";

fn start_with(tail: &str) -> Daemon {
    Daemon::start_with(ENGINE, |root| {
        format!("{tail}{}", user("alice", root, false))
    })
}

fn start() -> Daemon {
    start_with("")
}

/// Waits for the end of a control connection.
fn wait_for_end(ftp: &Ftp) {
    let mut tcp = ftp.tcp();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    // What was said before does not matter, and a reset is an end, too.
    let mut said = Vec::new();
    if let Err(error) = tcp.read_to_end(&mut said) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
    }
}

/// An upload that has begun.
fn uploading(daemon: &Daemon, ftp: &mut Ftp, name: &str) -> TcpStream {
    let mut data = ftp.passive();
    ftp.expect(&format!("STOR {name}"), "150");
    data.write_all(b"12345").unwrap();
    let parts = || entries(&daemon.root()).iter().any(|entry| entry != name);
    assert!(eventually(parts), "{:?}", entries(&daemon.root()));
    data
}

fn entries(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

#[test]
fn files_go_up_and_down_whole() {
    let daemon = start();
    let mut ftp = daemon.log_in();
    let content: Vec<u8> = (0..3_000_001_u32).map(|n| (n % 251) as u8).collect();
    assert!(ftp.upload("STOR file", &content).starts_with("226"));
    assert_eq!(fs::read(daemon.root().join("file")).unwrap(), content);
    assert_eq!(ftp.download("RETR file"), content);
    ftp.expect("REST 3000000", "350");
    assert_eq!(ftp.download("RETR file"), content[3_000_000..]);
    assert!(ftp.upload("APPE file", b"more").starts_with("226"));
    assert_eq!(ftp.download("RETR file"), [&content[..], b"more"].concat());
    let listed = String::from_utf8(ftp.download("NLST")).unwrap();
    assert_eq!(listed, "file\r\n");
}

#[test]
fn holes_are_sent_as_zeros() {
    let daemon = start();
    let mut ftp = daemon.log_in();
    let file = fs::File::create(daemon.root().join("thin")).unwrap();
    file.set_len(2_000_003).unwrap();
    (&file).write_all(b"begin").unwrap();
    let mut content = vec![0; 2_000_003];
    content[..5].copy_from_slice(b"begin");
    assert!(ftp.download("RETR thin") == content);
}

#[test]
fn an_upload_has_its_name_only_when_it_is_complete() {
    let daemon = start();
    fs::write(daemon.root().join("file"), "old").unwrap();
    let mut ftp = daemon.log_in();
    let data = uploading(&daemon, &mut ftp, "file");
    assert_eq!(fs::read(daemon.root().join("file")).unwrap(), b"old");
    // Another session cannot write it meanwhile.
    let mut other = daemon.log_in();
    assert!(other.upload("STOR file", b"other").starts_with("450"));
    drop(data);
    assert!(ftp.reply().starts_with("226"));
    assert_eq!(fs::read(daemon.root().join("file")).unwrap(), b"12345");
    assert_eq!(entries(&daemon.root()), ["file"]);
}

#[test]
fn a_kill_ends_a_transfer_and_spares_the_old_file() {
    let daemon = start();
    fs::write(daemon.root().join("file"), "old").unwrap();
    let mut ftp = daemon.log_in();
    let mut idle = daemon.log_in();
    let _data = uploading(&daemon, &mut ftp, "file");
    administration::kill(&daemon, &ftp.tcp());
    wait_for_end(&ftp);
    assert_eq!(fs::read(daemon.root().join("file")).unwrap(), b"old");
    administration::kill(&daemon, &idle.tcp());
    wait_for_end(&idle);
    idle.reply();
    // The killed ones have left nothing behind.
    assert!(
        daemon
            .log_in()
            .upload("STOR file", b"new")
            .starts_with("226")
    );
    assert_eq!(fs::read(daemon.root().join("file")).unwrap(), b"new");
}

#[test]
fn sessions_that_end_leave_no_descriptors_and_threads() {
    let daemon = start();
    daemon.log_in().expect("QUIT", "221");
    let none = || daemon.threads() == 1;
    assert!(eventually(none), "{} threads", daemon.threads());
    let before = daemon.descriptors();
    for _ in 0..20 {
        let mut ftp = daemon.log_in();
        // A listener that nobody comes to, and one after it.
        ftp.expect("EPSV", "229");
        assert!(ftp.upload("STOR file", b"content").starts_with("226"));
        ftp.expect("EPSV", "229");
    }
    assert!(eventually(none), "{} threads", daemon.threads());
    assert!(
        eventually(|| daemon.descriptors() <= before),
        "{} descriptors, {before} before",
        daemon.descriptors()
    );
}

#[test]
fn a_stop_waits_for_a_transfer_and_ends_the_others() {
    let mut daemon = start();
    let mut ftp = daemon.log_in();
    let idle = daemon.log_in();
    let mut data = uploading(&daemon, &mut ftp, "file");
    daemon.signal(Signal::SIGTERM);
    wait_for_end(&idle);
    data.write_all(b"678").unwrap();
    drop(data);
    assert!(daemon.wait().success());
    assert_eq!(fs::read(daemon.root().join("file")).unwrap(), b"12345678");
}

#[test]
fn nobody_stays_without_a_log_in() {
    let daemon = start_with("[limits]\nlog-in-seconds = 5\n");
    let mut user = daemon.log_in();
    let silent = daemon.connect();
    wait_for_end(&silent);
    daemon.wait_for_log("limits.log-in-seconds");
    user.expect("NOOP", "200");
}

#[test]
fn guesses_end_the_session() {
    let daemon = start_with("[limits]\nlog-in-attempts = 2\n");
    let mut ftp = daemon.connect();
    ftp.reply();
    for _ in 0..2 {
        ftp.expect("USER alice", "331");
        ftp.expect("PASS wrong", "530");
    }
    wait_for_end(&ftp);
    daemon.wait_for_log("too many refused logins");
}

#[test]
fn a_transfer_that_moves_nothing_ends() {
    let daemon = start_with("[limits]\nstall-seconds = 5\n");
    let mut ftp = daemon.log_in();
    let mut data = uploading(&daemon, &mut ftp, "file");
    // It moves, if slowly.
    for _ in 0..6 {
        thread::sleep(Duration::from_secs(1));
        data.write_all(b"x").unwrap();
    }
    wait_for_end(&ftp);
    daemon.wait_for_log("limits.stall-seconds");
    assert!(!daemon.root().join("file").exists());
    // A client that does not read.
    fs::write(daemon.root().join("large"), vec![1; 64 << 20]).unwrap();
    let mut ftp = daemon.log_in();
    let _data = ftp.passive();
    ftp.expect("RETR large", "150");
    wait_for_end(&ftp);
}

#[test]
fn rights_hold() {
    let daemon = Daemon::start_with(ENGINE, |root| {
        let more = |name: &str, key: &str| format!("{}{key}\n", user(name, root, false));
        [
            user("reader", root, true),
            more("alice", "umask = \"027\""),
            more(
                "keeper",
                "no-delete = true\nno-overwrite = true\nhidden = [\"*.key\"]",
            ),
            more("guarded", "protected = [\"*.key\"]"),
            more("writer", "upload-only = true"),
        ]
        .concat()
    });
    let log_in = |name: &str| {
        let mut ftp = daemon.connect();
        ftp.log_in(name, PASSWORD);
        ftp
    };
    let mut alice = log_in("alice");
    assert!(alice.upload("STOR file", b"content").starts_with("226"));
    assert!(alice.upload("STOR a.key", b"content").starts_with("226"));
    alice.expect("MKD sub", "257");
    let mode = |name: &str| {
        let metadata = fs::metadata(daemon.root().join(name)).unwrap();
        metadata.permissions().mode() & 0o777
    };
    assert_eq!([mode("file"), mode("sub")], [0o640, 0o750]);

    let mut reader = log_in("reader");
    assert!(reader.upload("STOR new", b"content").starts_with("550"));
    for line in ["MKD new", "DELE file", "RMD sub"] {
        assert!(reader.command(line).starts_with("550"), "{line}");
    }
    assert_eq!(reader.download("RETR file"), b"content");

    let mut keeper = log_in("keeper");
    assert!(keeper.upload("STOR file", b"other").starts_with("550"));
    assert!(keeper.upload("STOR new", b"content").starts_with("226"));
    assert!(keeper.command("DELE new").starts_with("550"));
    keeper.expect("RNFR new", "350");
    assert!(!keeper.command("RNTO file").starts_with("250"));
    let listed = String::from_utf8(keeper.download("NLST")).unwrap();
    assert!(
        !listed.contains("a.key") && listed.contains("file"),
        "{listed}"
    );

    let mut guarded = log_in("guarded");
    assert!(guarded.upload("STOR a.key", b"other").starts_with("550"));
    assert!(!guarded.command("DELE a.key").starts_with("250"));
    assert!(!guarded.command("MKD b.key").starts_with("257"));
    for (from, to) in [("a.key", "free"), ("file", "a.key")] {
        guarded.expect(&format!("RNFR {from}"), "350");
        assert!(
            !guarded.command(&format!("RNTO {to}")).starts_with("250"),
            "{from}"
        );
    }
    assert_eq!(guarded.download("RETR a.key"), b"content");

    let mut writer = log_in("writer");
    let _data = writer.passive();
    writer.expect("RETR file", "150");
    assert!(writer.reply().starts_with("550"));
    assert_eq!(fs::read(daemon.root().join("file")).unwrap(), b"content");
}

#[test]
fn what_the_engine_cannot_do_is_refused_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("esxftpd.toml");
    let found = |text: &str| {
        fs::write(&config, format!("{ENGINE}\n{text}")).unwrap();
        let mut check = Command::new(PROGRAM);
        let output = check.arg("check").arg("--config").arg(&config).output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    let tls = "[tls]\ncertificate = \"/c\"\nkey = \"/k\"\n";
    assert!(found("").contains("trusted networks only"));
    for (key, text) in [
        (
            "listen.implicit-tls",
            "[listen]\nimplicit-tls = [\"127.0.0.1:990\"]\n",
        ),
        (
            "tls.require-session-reuse",
            "require-session-reuse = true\n",
        ),
        ("tls.required", "required = \"everything\"\n"),
    ] {
        let text = format!("{}{text}", if key.starts_with("tls") { tls } else { "" });
        let found = found(&text);
        assert!(
            found.contains(&format!(" {key}: the engine libunftp")),
            "{found}"
        );
        assert!(found.contains("set server.engine to \"native\""), "{found}");
    }
}

#[test]
fn another_engine_needs_a_restart() {
    let daemon = start();
    daemon.edit_config(|text| text.replace("\"libunftp\"", "\"native\""));
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for_log("restart the daemon to use the other engine");
    // It is still the old one, which lacks this command.
    let mut ftp = daemon.log_in();
    assert!(ftp.command("XCUP").starts_with("500"));
}

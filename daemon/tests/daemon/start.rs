//! A daemon that cannot serve says why: in its log, and in a file for the init script.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Output},
};

use crate::{
    harness::{Daemon, PROGRAM, eventually, user},
    tls,
};

/// Starts a daemon that ends at once, with its pid file in the directory.
fn serve(directory: &Path, limit: &str) -> Output {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{limit} exec \"$0\" \"$@\""), PROGRAM]);
    shell.args(["serve", "--log-to-stderr", "--config"]);
    shell.arg(directory.join("esxftpd.toml"));
    shell.arg("--pid-file").arg(directory.join("d.pid"));
    shell.output().unwrap()
}

const LISTEN: &str = "[listen]\naddresses = [\"127.0.0.1:0\"]\n";

/// The configuration, the exit code, and what the last words have to name: the object, and what to
/// do about it.
type Fault = (&'static str, Vec<u8>, i32, [String; 2]);

fn faults(directory: &Path, taken: &str) -> Vec<Fault> {
    let words = |object: &str, remedy: &str| [object.to_owned(), remedy.to_owned()];
    let here = directory.join("esxftpd.toml").display().to_string();
    let implicit = "[listen]\nimplicit-tls = [\"127.0.0.1:0\"]\n";
    vec![
        (
            "a file that is no text",
            b"greeting = \"\xff\"\n".to_vec(),
            78,
            words(&here, "check the path"),
        ),
        (
            "a file that is too large",
            vec![b'#'; 2 << 20],
            78,
            words("larger than 1 MiB", "check the path"),
        ),
        (
            "a syntax error",
            b"a = \n".to_vec(),
            78,
            words(&format!("{here}:1:"), "correct the TOML syntax"),
        ),
        (
            "an unknown key",
            b"\ncolour = 1\n".to_vec(),
            78,
            words(&format!("{here}:2: colour:"), "remove it"),
        ),
        (
            "implicit TLS without a certificate",
            implicit.into(),
            78,
            words(&format!("{here}:2: listen.implicit-tls:"), "add [tls]"),
        ),
        (
            "an address in use",
            format!("[listen]\naddresses = [\"{taken}\"]\n").into(),
            1,
            words(
                &format!("listen.addresses: cannot listen on {taken}"),
                "end the program",
            ),
        ),
    ]
}

fn errors(output: &Output) -> Vec<String> {
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let errors = log.lines().filter_map(|line| line.split_once("Z error   "));
    errors.map(|(_, line)| line.to_owned()).collect()
}

#[test]
fn every_fault_at_the_start_is_one_error_line_and_left_for_the_init_script() {
    let daemon = Daemon::start();
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let told = here.join("d.error");
    let taken = daemon.addresses[0].to_string();
    for (name, text, code, words) in faults(here, &taken) {
        fs::write(here.join("esxftpd.toml"), &text).unwrap();
        let output = serve(here, "");
        assert_eq!(output.status.code(), Some(code), "{name}: {output:?}");
        let [line] = &errors(&output)[..] else {
            panic!("{name}: {output:?}");
        };
        for word in words {
            assert!(line.contains(&word), "{name}: {line}, not {word}");
        }
        assert_eq!(fs::read_to_string(&told).unwrap(), format!("{line}\n"));
        // What can be seen without a start is in `check`.
        let mut check = Command::new(PROGRAM);
        check.args(["check", "--config"]);
        let check = check.arg(here.join("esxftpd.toml")).output().unwrap();
        assert_eq!(
            check.status.code() == Some(78),
            code == 78,
            "{name}: {check:?}"
        );
        fs::remove_file(&told).unwrap();
    }
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let output = serve(directory.path(), "");
    assert_eq!(output.status.code(), Some(78));
    let errors = errors(&output);
    assert!(
        errors.len() == 1 && errors[0].contains("esxftpd.toml: cannot be read: No such file"),
        "{output:?}"
    );
}

#[test]
fn a_process_without_descriptors_says_what_to_raise() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("esxftpd.toml"), LISTEN).unwrap();
    // The loader of a program that is not static needs one.
    for limit in [4, 5, 6, 7, 8, 16, 31] {
        let output = serve(directory.path(), &format!("ulimit -n {limit};"));
        assert_eq!(output.status.code(), Some(1), "{limit}: {output:?}");
        let [line] = &errors(&output)[..] else {
            panic!("{limit}: {output:?}");
        };
        assert!(line.contains("open files"), "{limit}: {line}");
    }
}

/// They keep nobody from serving.
#[test]
fn a_pid_file_and_a_control_socket_that_cannot_be_made_are_warnings_with_their_names() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let absent = here.join("absent");
    fs::write(
        here.join("esxftpd.toml"),
        format!(
            "control-socket = \"{}/s\"\n{LISTEN}[limits]\nshutdown-grace-seconds = 0\n",
            absent.display()
        ),
    )
    .unwrap();
    symlink("/nowhere/else", here.join("d.pid")).unwrap();
    let mut shell = Command::new("timeout");
    shell.args(["--signal=TERM", "2", PROGRAM]);
    shell.args(["serve", "--log-to-stderr", "--config"]);
    shell.arg(here.join("esxftpd.toml"));
    let output = shell
        .arg("--pid-file")
        .arg(absent.join("d.pid"))
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    for key in ["control-socket: ", "--pid-file "] {
        let line = log.lines().find(|line| line.contains(key));
        let line = line.unwrap_or_else(|| panic!("{key}: {log}"));
        assert!(
            line.contains("warning") && line.contains("absent"),
            "{line}"
        );
        assert!(line.contains("look at"), "{line}");
    }
    assert!(log.contains("started"), "{log}");
}

#[test]
fn a_certificate_that_has_expired_is_a_warning_at_the_start() {
    let daemon = Daemon::start_with("", |root| {
        let directory = root.parent().unwrap();
        let (tls, _) = tls::table(directory, "");
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        let key = rcgen::KeyPair::generate().unwrap();
        let expired = params.self_signed(&key).unwrap().pem();
        fs::write(directory.join("certificate.pem"), expired).unwrap();
        fs::write(directory.join("key.pem"), key.serialize_pem()).unwrap();
        format!("{tls}{}", user("alice", root, false))
    });
    daemon.wait_for_log("tls.certificate: ");
    let log = daemon.log();
    let line = log.lines().find(|line| line.contains("tls.certificate: "));
    let line = line.unwrap();
    assert!(
        line.contains("warning")
            && line.contains("certificate.pem: the certificate has expired on 2001-01-01; renew"),
        "{line}"
    );
}

/// The interface of an address may come up later than the daemon.
#[test]
fn an_address_that_comes_late_is_listened_on_when_it_is_there() {
    const LATE: &str = "10.77.0.1";
    let mut program = Command::new("unshare");
    // Without any interface, the kernel lets programs listen anywhere.
    let script = "ip link set lo up; exec \"$0\" \"$@\"";
    program.args(["--net", "sh", "-c", script, PROGRAM]);
    let daemon = Daemon::start_at(program, ["10.77.0.1:2121"], "", |root| {
        user("alice", root, false)
    });
    daemon.wait_for_log(&format!(
        "listen.addresses: the host has no address {LATE}:2121 now"
    ));
    let process = daemon.process().to_string();
    let inside = |arguments: &[&str]| {
        let mut command = Command::new("nsenter");
        command
            .args(["--net", "--target", &process])
            .args(arguments);
        command.output().unwrap()
    };
    let late = format!("{LATE}/32");
    let added = inside(&["ip", "address", "add", &late, "dev", "lo"]);
    assert!(added.status.success(), "{added:?}");
    daemon.wait_for_log(&format!("address={LATE}:2121"));
    let url = format!("ftp://{LATE}:2121/");
    let password = format!("alice:{}", crate::harness::PASSWORD);
    let listed = || {
        let output = inside(&["curl", "--silent", "--user", &password, &url]);
        output.status.success()
    };
    assert!(eventually(listed), "{}", daemon.log());
    let lines = daemon.log().matches("has no address").count();
    assert_eq!(lines, 1, "it is said once: {}", daemon.log());
}

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    path::Path,
    time::Instant,
};

use super::{HostCause as Cause, HostFiles, access, hostile, passwd, shadow};
use crate::config::Day;

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

/// Days since 1970-01-01.
const TODAY: i64 = 20_000;

/// Of `correct horse`, made by `openssl passwd`.
const SHA512: &str = "$6$saltstring$.r0X7ub5wGR2v4Xz7svCIozfnlorFh19V89t8KC9Umd81uGhFgsyTRNyzQDXDIm17fFcR9z3z7oBNdsyYBbtm/";
const SHA256: &str = "$5$saltstring$vc6YOOogU4kWVvwga8e9zTFgKcy4tb5LaPxIiPJzqEC";

fn shadow(file: &[u8]) -> Result<shadow::ShadowHash, Cause> {
    shadow::find(file, "backup", Day::since_1970(TODAY))
}

/// Made by `openssl passwd` and by crypt(3) of glibc.
#[test]
fn hashes_of_other_implementations_are_checked() {
    for (hash, password) in [
        (SHA512, "correct horse"),
        (SHA256, "correct horse"),
        (
            "$5$./Ab09$b/Z3fIyJYBHNRl.9hiJ1qB32/IGpJAofNNUneC7GAT.",
            "correct horse",
        ),
        (
            "$6$./Ab09$mtg.b/JnX9L4zOu3YVI8D0lPlYNLKDaoBXvbrTKqR7PG2cgGmecLXk3Y/ZmPA.VTEOlcKztXSPo9zX6f9QTxp0",
            "correct horse",
        ),
        (
            "$6$rounds=10000$saltstringsaltst$uWkfitxWIj/pKw1nBSBgiQR8Pwbr7IMycYT33N8JITrE33DUmC8bV6rVVtFeP/iZRI3xx58jHgvVgQRG8FBmF/",
            "correct horse",
        ),
        (
            "$5$rounds=1000$s$aumvVUGthsNlklBPs0LTJy7ZAzzg1TsbKJNI0IsQVI3",
            "correct horse",
        ),
        (
            "$6$saltstring$UsZcVl0lCGL.XvytM3myUxILN0TrK3YT.FcVFWaYYcbDwqHixP3GKH0.m.250xu/SnaCDeeILCUcOdZzVsxYz.",
            "grün",
        ),
        // The example of the specification of SHA-crypt.
        (
            "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
            "Hello world!",
        ),
    ] {
        let line = format!("backup:{hash}:19000:0:99999:7:::\n");
        let found = shadow(line.as_bytes()).unwrap();
        assert!(found.matches(password.as_bytes()).unwrap(), "{hash}");
        for wrong in ["", "Correct horse", "correct horse ", &"x".repeat(2000)] {
            assert!(!found.matches(wrong.as_bytes()).unwrap(), "{hash}");
        }
        assert_eq!(format!("{found:?}"), "ShadowHash(..)");
    }
}

#[test]
fn every_kind_of_shadow_line_has_its_answer() {
    let rounds = |rounds: &str| SHA512.replace("$6$", &format!("$6$rounds={rounds}$"));
    let line = |hash: &str, rest: &str| format!("backup:{hash}:{rest}\n");
    let ages = "19000:0:99999:7:::";
    let cases: Vec<(String, Option<Cause>)> = vec![
        (line(SHA512, ages), None),
        (line(SHA256, ages), None),
        (line(SHA512, ":::::: "), None),
        (line(SHA512, "19000:0:-1:7::-1:"), None),
        // As the host's image has root before a password is set.
        (
            line("$1$abcdefgh$y6iHhJNbuC0xpbk0w9pm80", ages),
            Some(Cause::UnknownHash),
        ),
        (line("$y$j9T$salt$hash", ages), Some(Cause::UnknownHash)),
        (
            line("$2b$10$abcdefghijklmnopqrstuv", ages),
            Some(Cause::UnknownHash),
        ),
        (line("abJnggxhB/yWI", ages), Some(Cause::UnknownHash)),
        (line("", ages), Some(Cause::NoPassword)),
        (line("*", ages), Some(Cause::Locked)),
        (line("!!", ages), Some(Cause::Locked)),
        (line(&format!("!{SHA512}"), ages), Some(Cause::Locked)),
        (line(&rounds("1000000"), ages), None),
        (line(&rounds("1000001"), ages), Some(Cause::Rounds)),
        (
            line(&rounds("99999999999999999999"), ages),
            Some(Cause::Rounds),
        ),
        (line(&rounds("999"), ages), Some(Cause::Rounds)),
        (line(&rounds("-1"), ages), Some(Cause::Rounds)),
        (line(&SHA512[..60], ages), Some(Cause::UnknownHash)),
        (
            line(&SHA512.replace("salt", "sa\0t"), ages),
            Some(Cause::UnknownHash),
        ),
        (line("$6$$", ages), Some(Cause::UnknownHash)),
        (line(SHA512, "19000:0:99999"), Some(Cause::Malformed)),
        (line(SHA512, "19000:0:99999:7::::"), Some(Cause::Malformed)),
        (line(SHA512, "soon:0:99999:7:::"), Some(Cause::Malformed)),
        (
            line(SHA512, "99999999999999999999:0:1:7:::"),
            Some(Cause::Malformed),
        ),
        (line(SHA512, "0:0:99999:7:::"), Some(Cause::MustChange)),
        (
            line(SHA512, "19000:0:999:7:::"),
            Some(Cause::PasswordExpired),
        ),
        (line(SHA512, "19000:0:1000:7:::"), None),
        (
            line(SHA512, "19000:0:99999:7::20000:"),
            Some(Cause::AccountExpired),
        ),
        (line(SHA512, "19000:0:99999:7::20001:"), None),
        (format!("backups:{SHA512}:{ages}\n"), Some(Cause::NoAccount)),
        (String::new(), Some(Cause::NoAccount)),
        // The first line with the name counts.
        (line("*", ages) + &line(SHA512, ages), Some(Cause::Locked)),
        ("x:\n".repeat(300_000) + &line(SHA512, ages), None),
    ];
    assert!(cases.len() >= 25);
    for (file, cause) in cases {
        let start = Instant::now();
        let found = shadow(file.as_bytes()).err();
        let shown = file.get(..60).unwrap_or(&file);
        assert_eq!(found, cause, "{shown}");
        assert!(start.elapsed().as_millis() < 500, "{shown}");
    }
}

#[test]
fn the_account_has_to_be_in_passwd_with_its_password_in_shadow() {
    for (file, result) in [
        ("backup:x:1000:1000:,,,:/:/bin/sh\n", Ok(())),
        ("root:x:0:0::/:/bin/sh\nbackup:x:1000:1000::/:\n", Ok(())),
        ("backups:x:1000:1000::/:\n", Err(Cause::NoAccount)),
        ("backup\n", Err(Cause::NoAccount)),
        ("backup::1000:1000::/:\n", Err(Cause::UnknownHash)),
        ("backup:x:1000:1000::/\n", Err(Cause::Malformed)),
        (
            "backup:x:1000:1000::/:/bin/sh:more\n",
            Err(Cause::Malformed),
        ),
        ("", Err(Cause::NoAccount)),
    ] {
        assert_eq!(passwd::find(file.as_bytes(), "backup"), result, "{file}");
    }
}

#[test]
fn every_kind_of_access_rule_has_its_answer() {
    let (allowed, denied) = (Ok(()), Err(Cause::Denied));
    let malformed = Err(Cause::MalformedAccess);
    let cases = [
        ("+ : ALL : ALL\n", allowed),
        ("+:ALL:ALL", allowed),
        ("# a comment : with colons\n\n\t+ : ALL : ALL\n", allowed),
        ("", allowed),
        ("- : ALL : ALL\n", denied),
        // As dcui-access.conf.
        ("+:root:ALL\n-:ALL:ALL\n", denied),
        ("+:backup:ALL\n-:ALL:ALL\n", allowed),
        ("+:root backup:ALL\n-:ALL:ALL\n", allowed),
        ("+:root,backup:ALL\n-:ALL:ALL\n", allowed),
        // The first that matches counts.
        ("-:backup:ALL\n+:ALL:ALL\n", denied),
        ("+:ALL:ALL\n-:backup:ALL\n", allowed),
        // Anything else denies more and permits less.
        ("+:ALL EXCEPT root:ALL\n-:ALL:ALL\n", denied),
        ("-:ALL EXCEPT backup:ALL\n+:ALL:ALL\n", denied),
        ("+:(backups):ALL\n-:ALL:ALL\n", denied),
        ("-:@group:ALL\n+:ALL:ALL\n", denied),
        ("+:backup:host.example\n-:ALL:ALL\n", denied),
        ("-:backup:192.0.2.\n+:ALL:ALL\n", denied),
        // Of a rule for somebody else, the origins do not matter.
        ("-:root:host.example\n+:ALL:ALL\n", allowed),
        // Addresses, and what is not the network.
        ("+:backup:192.0.2.7\n-:ALL:ALL\n", allowed),
        ("+:backup:192.0.2.8\n-:ALL:ALL\n", denied),
        ("-:ALL:LOCAL\n+:ALL:ALL\n", allowed),
        ("+:backup:2001:db8::1 192.0.2.7\n-:ALL:ALL\n", allowed),
        // A torn file admits nobody, whatever the lines before say.
        ("+ : ALL : ALL\n- : AL", malformed),
        ("+ : ALL : ALL\n? : ALL : ALL\n", malformed),
        ("+ : : ALL\n", malformed),
        ("+ : ALL : ALL\0\n", malformed),
    ];
    assert!(cases.len() >= 20);
    for (file, result) in cases {
        assert_eq!(
            access::check(file.as_bytes(), "backup", CLIENT),
            result,
            "{file}"
        );
    }
    let not_text = b"+ : ALL : ALL\n# \xff\n";
    assert_eq!(access::check(not_text, "backup", CLIENT), malformed);
}

/// Writes the files of a host below a directory.
pub(crate) fn write(etc: &Path, shadow: &str, access: Option<&str>) -> HostFiles {
    fs::create_dir_all(etc.join("security")).unwrap();
    fs::write(etc.join("passwd"), "backup:x:1000:1000::/:/bin/sh\n").unwrap();
    fs::write(etc.join("shadow"), shadow).unwrap();
    if let Some(access) = access {
        fs::write(etc.join("security/access.conf"), access).unwrap();
    }
    HostFiles::below(etc)
}

#[test]
fn a_file_that_cannot_be_read_or_is_too_large_admits_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let line = format!("backup:{SHA512}:19000:0:99999:7:::\n");
    let find = |files: &HostFiles| {
        let found = files.read().find("backup", CLIENT, Day::since_1970(TODAY));
        found.map(drop)
    };
    let files = write(directory.path(), &line, None);
    assert!(matches!(
        find(&files),
        Err(Cause::Unreadable("access.conf", _))
    ));
    let files = write(directory.path(), &line, Some("+:ALL:ALL\n"));
    assert_eq!(find(&files), Ok(()));
    let large = "#".repeat(1 << 20) + &line;
    let files = write(directory.path(), &large, Some("+:ALL:ALL\n"));
    assert!(matches!(find(&files), Err(Cause::Unreadable("shadow", _))));
    assert!(!format!("{:?}", files.read()).contains("saltstring"));
    fs::remove_file(directory.path().join("shadow")).unwrap();
    fs::create_dir(directory.path().join("shadow")).unwrap();
    assert!(matches!(find(&files), Err(Cause::Unreadable("shadow", _))));
}

/// What fuzzing has found, and one file of each kind.
#[test]
fn the_corpus_of_host_files_is_read() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/host_accounts");
    let files: Vec<_> = fs::read_dir(corpus).unwrap().collect();
    assert!(files.len() >= 3);
    for file in files {
        hostile::read(&fs::read(file.unwrap().path()).unwrap());
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(data: Vec<u8>, text in "(backup|root|[-+x$:!* 0-9\n\t]){0,60}") {
        hostile::read(&data);
        hostile::read(text.as_bytes());
    }
}

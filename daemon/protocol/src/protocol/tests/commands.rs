//! Questions and parameters: what is answered without a data connection and changes no file.

use super::rig::{Rig, codes, path, settings, tls_settings};
use crate::{
    fuzzing::answers::facts,
    parse::verb::KNOWN,
    protocol::interface::{Settings, TlsPolicy},
    request::{Algorithm, Failure, Kind, ListForm, Operation, Outcome},
};

#[test]
fn the_working_directory_moves_and_stays_in_the_root() {
    let mut rig = Rig::logged_in();
    for (line, directory) in [
        ("CWD a", "/a"),
        ("CWD b/./c//d/", "/a/b/c/d"),
        ("CDUP", "/a/b/c"),
        ("XCUP", "/a/b"),
        ("CWD ..", "/a"),
        ("XCWD ../../../..", "/"),
        ("CDUP", "/"),
        ("CWD /x/../../etc", "/etc"),
    ] {
        rig.expect(line, "250");
        let expected = format!("257 \"{directory}\" is the working directory.\r\n");
        assert_eq!(rig.send("PWD"), expected, "{line}");
        assert_eq!(rig.send("XPWD"), expected, "{line}");
    }
}

#[test]
fn a_tilde_is_the_root_unless_something_has_this_name() {
    for (line, tilde, home) in [
        ("CWD ~", "/a/~", "/"),
        ("CWD ~/", "/a/~", "/"),
        ("CWD ~/up", "/a/~/up", "/up"),
    ] {
        let mut rig = Rig::logged_in();
        rig.expect("CWD a", "250");
        rig.expect(line, "250");
        rig.expect("PWD", &format!("257 \"{tilde}\""));
        rig.expect("CWD /a", "250");
        rig.outcomes.push_back(Err(Failure::NotFound));
        rig.expect(line, "250");
        rig.expect("PWD", &format!("257 \"{home}\""));
    }
    let mut rig = Rig::logged_in();
    rig.outcomes
        .extend([Failure::NotFound, Failure::NotFound].map(Err));
    rig.expect("CWD ~/up", "550 \"/up\": no such");
    rig.outcomes.push_back(Err(Failure::NotFound));
    rig.expect("CWD ~bob", "550 \"/~bob\": no such");
}

#[test]
fn a_directory_that_is_none_is_not_entered() {
    let mut rig = Rig::logged_in();
    rig.expect("CWD a.txt", "550");
    rig.outcomes.push_back(Err(Failure::NotFound));
    rig.expect("CWD a", "550");
    let mut closed = facts(Kind::Directory);
    closed.permissions.enter = false;
    rig.outcomes.push_back(Ok(Outcome::Facts(closed)));
    rig.expect("CWD a", "550");
    rig.expect("PWD", "257 \"/\"");
    rig.expect("CWD", "501");
}

#[test]
fn names_with_quotes_and_odd_bytes_travel_both_ways() {
    let mut rig = Rig::logged_in();
    rig.expect("CWD a\"b", "250");
    rig.expect("PWD", "257 \"/a\"\"b\"");
    let reply = rig.send_bytes(b"CWD caf\xe9\r\n");
    assert!(reply.starts_with("250"), "{reply}");
    rig.expect("PWD", "257 \"/a\"\"b/caf\u{f7e9}\"");
    rig.expect("CWD /caf\u{f7e9}", "250");
    let Some(Operation::Facts(path)) = rig.operations.last() else {
        panic!("no look");
    };
    assert_eq!(path.as_bytes(), b"/caf\xe9");
}

#[test]
fn paths_that_cannot_be_are_refused() {
    let mut rig = Rig::logged_in();
    rig.expect(&format!("CWD {}", "a".repeat(256)), "553");
    rig.expect("DELE a\u{f700}", "553");
    let deep = "abc/".repeat(1000);
    rig.expect(&format!("CWD {deep}"), "250");
    rig.expect(&format!("MKD {deep}"), "553");
    rig.expect("MKD b", "257");
}

#[test]
fn sizes_and_times_are_those_of_the_file() {
    let mut rig = Rig::logged_in();
    assert_eq!(rig.send("SIZE a.txt"), "213 1234\r\n");
    assert_eq!(rig.send("MDTM a.txt"), "213 20000229000000\r\n");
    assert_eq!(rig.send("MDTM dir"), "213 20000229000000\r\n");
    rig.expect("SIZE dir", "550");
    rig.outcomes
        .push_back(Ok(Outcome::Facts(facts(Kind::Special))));
    rig.expect("SIZE x", "550");
    let mut unknown = facts(Kind::File);
    unknown.modified = None;
    rig.outcomes.push_back(Ok(Outcome::Facts(unknown)));
    rig.expect("MDTM x", "504");
    rig.each("501", "SIZE | MDTM");
}

#[test]
fn facts_are_told_as_chosen() {
    let mut rig = Rig::logged_in();
    assert_eq!(
        rig.send("MLST a.txt"),
        "250-Facts:\r\n type=file;size=1234;modify=20000229000000;perm=er;unique=1-2;\
         UNIX.mode=0644;UNIX.owner=0;UNIX.group=0; /a.txt\r\n250 End\r\n"
    );
    rig.expect(
        "OPTS MLST type;nonsense;Size;",
        "200 MLST OPTS type;size;\r\n",
    );
    rig.expect("MLST", "250-Facts:\r\n type=dir; /\r\n");
    rig.expect("OPTS MLST", "200 MLST OPTS\r\n");
    rig.expect("MLST a.txt", "250-Facts:\r\n  /a.txt\r\n");
}

#[test]
fn status_of_a_path_has_the_code_for_what_it_is() {
    let mut rig = Rig::logged_in();
    let expected = "212-Status of \"/dir\":\r\n-rw-r--r-- a.txt\r\n212 End\r\n";
    assert_eq!(rig.send("STAT dir"), expected);
    rig.expect("STAT a.txt", "213-");
    rig.expect("STAT -d dir", "213-");
    rig.expect("STAT -la", "212-Status of \"/\"");
    rig.outcomes.push_back(Err(Failure::NotFound));
    rig.expect("STAT b.txt", "550");
    rig.outcomes.push_back(Err(Failure::NotFound));
    rig.outcomes.push_back(Ok(Outcome::Lines {
        lines: vec!["123 is a name".into()],
        cut: true,
    }));
    let reply = rig.expect("STAT *.txt", "212-");
    assert!(reply.contains("\r\n 123 is a name\r\n"), "{reply}");
    assert!(
        reply.ends_with("212 There is more, use LIST.\r\n"),
        "{reply}"
    );
    let Some(Operation::Lines(listing)) = rig.operations.last() else {
        panic!("no listing");
    };
    assert!(matches!(listing.form, ListForm::Long { .. }));
    assert_eq!(listing.pattern.as_deref(), Some(&b"*.txt"[..]));
}

#[test]
fn status_of_the_session_is_told() {
    let mut rig = Rig::logged_in();
    let reply = rig.expect_codes("STAT", &[211]);
    for part in ["10.0.0.9", "alice", "\"/\"", "TYPE I"] {
        assert!(reply.contains(part), "{part}: {reply}");
    }
}

#[test]
fn digests_have_the_reply_of_their_command() {
    use Algorithm::{Crc32, Md5, Sha1, Sha256, Sha512};
    let mut rig = Rig::logged_in();
    let hash = "213 SHA-256 0-1233 00ff /a b\r\n";
    let bare = "250 00FF\r\n";
    for (line, algorithm, name, range, reply) in [
        ("HASH a b", Sha256, "a b", (0, None), hash),
        ("XCRC a", Crc32, "a", (0, None), bare),
        ("XMD5 \"a b\" 1", Md5, "a b", (1, None), bare),
        ("XSHA a 1 5", Sha1, "a", (1, Some(5)), bare),
        ("XSHA1 a", Sha1, "a", (0, None), bare),
        ("XSHA256 a", Sha256, "a", (0, None), bare),
        ("XSHA512 a", Sha512, "a", (0, None), bare),
        ("MD5 a", Md5, "a", (0, None), "251 \"/a\" 00FF\r\n"),
    ] {
        assert_eq!(rig.send(line), reply, "{line}");
        let (start, end) = range;
        let digest = Operation::Digest {
            path: path(name),
            algorithm,
            start,
            end,
        };
        assert_eq!(rig.operations.pop(), Some(digest), "{line}");
    }
    rig.each("501", "XCRC a 5 1 | XCRC | HASH");
    rig.outcomes.push_back(Err(Failure::IsADirectory));
    rig.expect("HASH dir", "550");
}

#[test]
fn hash_goes_by_its_options_and_the_range() {
    let mut rig = Rig::logged_in();
    rig.expect("OPTS HASH", "200 SHA-256\r\n");
    rig.expect("OPTS HASH md5", "200 MD5\r\n");
    rig.expect("OPTS HASH SHA-3", "504");
    rig.expect("RANG 10 19", "350");
    rig.expect("HASH a", "213 MD5 10-19 00ff /a\r\n");
    rig.expect("HASH a", "213 MD5 0-1233 00ff /a\r\n");
    let features = rig.send("FEAT");
    assert!(
        features.contains(" HASH CRC32;MD5*;SHA-1;SHA-256;SHA-512;\r\n"),
        "{features}"
    );
}

#[test]
fn space_is_told_in_both_forms() {
    let mut rig = Rig::logged_in();
    assert_eq!(rig.send("AVBL"), "213 400\r\n");
    assert_eq!(rig.send("AVBL /dir"), "213 400\r\n");
    let reply = rig.expect("SITE DF dir", "200");
    assert!(
        reply.contains("400 of 1000 bytes") && reply.contains("\"/dir\""),
        "{reply}"
    );
}

#[test]
fn parameters_are_those_of_this_century() {
    let mut rig = Rig::logged_in();
    rig.each("200", "TYPE I | TYPE L 8 | TYPE A | TYPE A N | MODE S");
    rig.each(
        "504",
        "TYPE E | TYPE L 36 | TYPE A C | MODE B | MODE C | MODE Z",
    );
    rig.each("501", "TYPE X | TYPE | MODE X");
    rig.talk("STRU F | STRU f | STRU R | STRU P", &[200, 200, 504, 504]);
    rig.talk("OPTS UTF8 ON | OPTS UTF8 OFF", &[200, 504]);
    rig.each("501", "STRU X | OPTS | OPTS RETR x");
    rig.talk("LANG | LANG en-US | LANG fr", &[200, 200, 504]);
    rig.talk("REST 5 | REST -5 | REST | RANG 0 5", &[350, 501, 501, 350]);
    rig.each("200", "ALLO 5 | ALLO 5 R 5 | CLNT x | NOOP x");
    rig.each("501", "ALLO | ALLO x | CLNT");
    let unsupported = "SMNT x | LPSV | LPRT 1 | ADAT x | MIC x | CONF x | ENC x";
    rig.each("502", unsupported);
    rig.expect("ACCT x", "202");
    rig.expect("SYST", "215 UNIX Type: L8\r\n");
    rig.expect("CSID Name=x;", "200 Name=");
    rig.talk("HOST ftp.example.com | HOST | HOST a b", &[503, 501, 501]);
    rig.expect("HELP retr", "214 Usage: RETR file\r\n");
    rig.talk("HELP | HELP SMNT | HELP XYZZY", &[214, 214, 502]);
    rig.expect("HELP site chmod", "214 Usage: SITE ");
    rig.talk("SITE HELP | SITE", &[214, 501]);
    rig.expect("SITE SYMLINK a b", "500 Unknown SITE command.");
    rig.talk("ABOR | NOOP", &[226, 200]);
}

#[test]
fn features_are_what_holds() {
    let features = |settings: Settings| Rig::new(settings).send("FEAT");
    let plain = features(settings());
    assert!(plain.starts_with("211-Features:\r\n ") && plain.ends_with("\r\n211 End\r\n"));
    let expected = "AVBL | CLNT | EPRT | EPSV | HASH CRC32;MD5;SHA-1;SHA-256*;SHA-512; | HOST | \
        LANG EN* | MDTM | MFF modify;UNIX.mode; | MFMT | MLST type*;size*;modify*;create*;perm*;\
        unique*;UNIX.mode*;UNIX.owner*;UNIX.group*; | RANG STREAM | REST STREAM | SITE UTIME | \
        SIZE | TVFS | UTF8 | XSHA512";
    for feature in expected.split(" | ") {
        let line = format!("\r\n {feature}\r\n");
        assert!(plain.contains(&line), "{feature}: {plain}");
    }
    for absent in ["AUTH", "PBSZ", "PROT", "CCC"] {
        assert!(!plain.contains(absent), "{absent}");
    }
    let tls = features(tls_settings(TlsPolicy::default()));
    assert!(tls.contains("\r\n AUTH TLS\r\n") && tls.contains("\r\n PROT\r\n"));
}

#[test]
fn every_command_that_help_lists_is_answered() {
    for known in KNOWN {
        for argument in ["", " ", " x", " 1", " \u{f700}"] {
            let mut rig = Rig::logged_in();
            let reply = rig.send(&format!("{}{argument}", known.name));
            let codes = codes(&reply);
            assert!(
                matches!(codes[..], [200..=599]),
                "{}{argument}: {reply}",
                known.name
            );
        }
    }
}

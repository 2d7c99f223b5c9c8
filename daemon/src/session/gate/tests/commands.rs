//! Questions and parameters: what is answered without a data connection and changes no file.

use super::{
    answers::facts,
    rig::{Rig, settings, tls_settings},
};
use crate::{
    session::gate::{Settings, StorageEvent, TlsPolicy},
    storage::{Algorithm, Failure, Kind, ListForm, Operation, Outcome},
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
    rig.expect("SIZE", "501");
    rig.expect("MDTM", "501");
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
    let mut rig = Rig::logged_in();
    for (line, algorithm, range, reply) in [
        (
            "HASH a b",
            Algorithm::Sha256,
            (0, None),
            "213 SHA-256 0-1233 00ff /a b\r\n",
        ),
        ("XCRC a", Algorithm::Crc32, (0, None), "250 00FF\r\n"),
        ("XMD5 \"a b\" 1", Algorithm::Md5, (1, None), "250 00FF\r\n"),
        ("XSHA a 1 5", Algorithm::Sha1, (1, Some(5)), "250 00FF\r\n"),
        ("XSHA1 a", Algorithm::Sha1, (0, None), "250 00FF\r\n"),
        ("XSHA256 a", Algorithm::Sha256, (0, None), "250 00FF\r\n"),
        ("XSHA512 a", Algorithm::Sha512, (0, None), "250 00FF\r\n"),
        ("MD5 a", Algorithm::Md5, (0, None), "251 \"/a\" 00FF\r\n"),
    ] {
        assert_eq!(rig.send(line), reply, "{line}");
        let Some(Operation::Digest {
            algorithm: asked,
            start,
            end,
            ..
        }) = rig.operations.last()
        else {
            panic!("no digest");
        };
        assert_eq!((*asked, (*start, *end)), (algorithm, range), "{line}");
    }
    rig.expect("XCRC a 5 1", "501");
    rig.expect("XCRC", "501");
    rig.expect("HASH", "501");
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
fn a_digest_can_be_aborted() {
    let mut rig = Rig::logged_in();
    rig.storage = false;
    assert_eq!(rig.send("HASH a\r\nABOR\r\nNOOP"), "");
    assert_eq!(rig.done(), ["Cancel"]);
    let reply = rig.event(StorageEvent::Performed(Err(Failure::Cancelled)));
    assert_eq!(super::rig::codes(reply.as_bytes()), [426, 226, 200]);
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
    for (line, code) in [
        ("TYPE I", "200"),
        ("TYPE L 8", "200"),
        ("TYPE A", "200"),
        ("TYPE A N", "200"),
        ("TYPE E", "504"),
        ("TYPE L 36", "504"),
        ("TYPE A C", "504"),
        ("TYPE X", "501"),
        ("TYPE", "501"),
        ("STRU F", "200"),
        ("STRU f", "200"),
        ("STRU R", "504"),
        ("STRU P", "504"),
        ("STRU X", "501"),
        ("MODE S", "200"),
        ("MODE B", "504"),
        ("MODE C", "504"),
        ("MODE Z", "504"),
        ("MODE X", "501"),
        ("OPTS UTF8 ON", "200"),
        ("OPTS UTF8 OFF", "504"),
        ("OPTS", "501"),
        ("OPTS RETR x", "501"),
        ("LANG", "200"),
        ("LANG en-US", "200"),
        ("LANG fr", "504"),
        ("REST 5", "350"),
        ("REST -5", "501"),
        ("REST", "501"),
        ("RANG 0 5", "350"),
        ("ALLO 5", "200"),
        ("ALLO 5 R 5", "200"),
        ("ALLO", "501"),
        ("ALLO x", "501"),
        ("ACCT x", "202"),
        ("SMNT x", "502"),
        ("LPSV", "502"),
        ("LPRT 1", "502"),
        ("ADAT x", "502"),
        ("MIC x", "502"),
        ("CONF x", "502"),
        ("ENC x", "502"),
        ("NOOP x", "200"),
        ("SYST", "215 UNIX Type: L8\r\n"),
        ("CLNT x", "200"),
        ("CLNT", "501"),
        ("CSID Name=x;", "200 Name="),
        ("HOST ftp.example.com", "503"),
        ("HOST", "501"),
        ("HOST a b", "501"),
        ("HELP", "214"),
        ("HELP retr", "214 Usage: RETR file\r\n"),
        ("HELP SMNT", "214"),
        ("HELP XYZZY", "501"),
        ("SITE HELP", "214"),
        ("SITE", "501"),
        ("SITE EXEC rm", "504"),
        ("ABOR", "226"),
    ] {
        rig.expect(line, code);
    }
    rig.expect("NOOP", "200");
}

#[test]
fn features_are_what_holds() {
    let features = |settings: Settings| Rig::new(settings).send("FEAT");
    let plain = features(settings());
    assert!(plain.starts_with("211-Features:\r\n ") && plain.ends_with("\r\n211 End\r\n"));
    for feature in [
        "AVBL",
        "CLNT",
        "EPRT",
        "EPSV",
        "HASH CRC32;MD5;SHA-1;SHA-256*;SHA-512;",
        "HOST",
        "LANG EN*",
        "MDTM",
        "MFF modify;UNIX.mode;",
        "MFMT",
        "MLST type*;size*;modify*;create*;perm*;unique*;UNIX.mode*;UNIX.owner*;UNIX.group*;",
        "RANG STREAM",
        "REST STREAM",
        "SITE UTIME",
        "SIZE",
        "TVFS",
        "UTF8",
        "XSHA512",
    ] {
        assert!(
            plain.contains(&format!("\r\n {feature}\r\n")),
            "{feature}: {plain}"
        );
    }
    for absent in ["AUTH", "PBSZ", "PROT", "CCC"] {
        assert!(!plain.contains(absent), "{absent}");
    }
    let tls = features(tls_settings(TlsPolicy::default()));
    assert!(tls.contains("\r\n AUTH TLS\r\n") && tls.contains("\r\n PROT\r\n"));
}

#[test]
fn every_command_that_help_lists_is_answered() {
    for known in crate::session::gate::verb::KNOWN {
        for argument in ["", " ", " x", " 1", " \u{f700}"] {
            let mut rig = Rig::logged_in();
            let reply = rig.send(&format!("{}{argument}", known.name));
            let codes = super::rig::codes(reply.as_bytes());
            assert_eq!(codes.len(), 1, "{}{argument}: {reply}", known.name);
            assert!(codes[0] >= 200, "{}{argument}: {reply}", known.name);
        }
    }
}

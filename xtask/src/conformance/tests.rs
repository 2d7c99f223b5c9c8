//! The suite judged: against a server that says what the test wants, so that a wrong expectation
//! has to show.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::case::{self, Case};
use super::play::{Outcome, Place, Without, play};
use super::report::{self, Column, Counts};
use super::session::Server;
use super::suite::Results;

/// Answers every command with what `table` has for its verb; passive transfers bring `data` and
/// take whatever comes. It is right about the little that it knows.
fn serve(table: &'static [(&'static str, &'static str)], data: &'static [u8]) -> Server {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    // The thread ends with the test's process.
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            thread::spawn(move || session(stream, table, data));
        }
    });
    Server {
        address,
        host: "127.0.0.1".to_owned(),
        user: "ann".to_owned(),
        password: "secret".to_owned(),
        tls: None,
    }
}

fn session(mut stream: TcpStream, table: &[(&str, &str)], data: &[u8]) {
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    let mut passive = None;
    stream.write_all(b"220 ready\r\n").unwrap();
    loop {
        let mut line = String::new();
        if !matches!(lines.read_line(&mut line), Ok(1..)) {
            return;
        }
        let verb = line.split_whitespace().next().unwrap_or_default();
        let known = table.iter().find(|(known, _)| *known == verb);
        let reply = match (known, verb) {
            (Some((_, reply)), _) => (*reply).to_owned(),
            (None, "USER") => "331 password?".to_owned(),
            (None, "PASS") => "230 in".to_owned(),
            (None, "CWD") => "250 there".to_owned(),
            (None, "TYPE" | "NOOP") => "200 ok".to_owned(),
            (None, "PASV") => {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
                let [high, low] = listener.local_addr().unwrap().port().to_be_bytes();
                passive = Some(listener);
                format!("227 (127,0,0,1,{high},{low})")
            }
            (None, "RETR") => "150 here\r\n226 done".to_owned(),
            (None, _) => "500 what?".to_owned(),
        };
        let waiting = passive.take_if(|_| verb == "RETR");
        if let Some((mut stream, _)) = waiting.and_then(|listener| listener.accept().ok()) {
            stream.write_all(data).unwrap();
        }
        if reply == "close" || stream.write_all(format!("{reply}\r\n").as_bytes()).is_err() {
            return;
        }
    }
}

/// One case with this script; `head` holds further keys.
fn case(head: &str, script: &str) -> Case {
    let text = format!(
        "topic = 't'\n[[case]]\nid = 'c'\nsource = 'RFC 959'\npatience-seconds = 1\n{head}\n\
         script = '''\n{script}\n'''\n"
    );
    case::parse(&text).unwrap().cases.remove(0)
}

fn run(server: &Server, case: &Case) -> Outcome {
    let dir = tempfile::tempdir().unwrap();
    let place = Place {
        root: dir.path(),
        base: "/",
        name: "case".to_owned(),
    };
    play(server, case, &place)
}

const FILES: &str = "disk = ['file f \"on disk\"', 'mode f 640', 'mtime f 20010203040506']";

#[test]
fn right_expectations_pass_and_wrong_ones_fail() {
    let server = serve(
        &[
            ("PWD", "257 \"/\" is it"),
            ("STAT", "211-first\r\n second\r\n211 end"),
            ("MKD", "250 no name"),
        ],
        b"some data",
    );
    for (right, wrong) in [
        ("> PWD\n< 257", "> PWD\n< 250"),
        ("> PWD\n< 2xx", "> PWD\n< 5xx"),
        ("> PWD\n< 250|257", "> PWD\n< 250|258"),
        ("> PWD\n< 257 /^257 \"\\/\"/", "> PWD\n< 257 /\"\\/a\"/"),
        ("> PWD\n< 257 !/nothing/", "> PWD\n< 257 !/is it/"),
        ("> STAT\n< 211 /^ second$/", "> STAT\n< 211 /^ third$/"),
        ("> PWD\n<? 500\n< 257", "> PWD\n<? 257\n< 257"),
        ("quiet 20", "> PWD\nquiet 200"),
        (
            "> PWD\n< 257 /(?<all>is it)/\n> PWD\n< 257 /{all}/",
            "> PWD\n< 257 /(?<all>is)/\n> PWD\n< 257 !/{all}/",
        ),
        (
            "fetch RETR f\ndata == \"some data\"",
            "fetch RETR f\ndata == \"some date\"",
        ),
        ("fetch RETR f\ndata size 9", "fetch RETR f\ndata size 8"),
        ("fetch RETR f\ndata ~ /me d/", "fetch RETR f\ndata ~ /me e/"),
        (
            "fetch RETR f\ndata !~ /me e/",
            "fetch RETR f\ndata !~ /me d/",
        ),
        ("disk f == \"on disk\"", "disk f == \"on disc\""),
        ("disk f begins \"on\"", "disk f begins \"off\""),
        ("disk f size 7", "disk f size 6"),
        ("disk f mode 640", "disk f mode 644"),
        ("disk f mtime 20010203040506", "disk f mtime 20010203040507"),
        ("disk g absent", "disk f absent"),
        ("disk . holds f", "disk . holds f g"),
        ("session B new\n> PWD\n< 257", "session B new\n> PWD\n< 530"),
    ] {
        assert_eq!(
            run(&server, &case(FILES, right)),
            Outcome::Passed,
            "{right}"
        );
        let outcome = run(&server, &case(FILES, wrong));
        assert!(
            matches!(outcome, Outcome::Failed(_)),
            "{wrong}: {outcome:?}"
        );
    }
}

#[test]
fn replies_that_break_the_protocol_fail() {
    for reply in [
        "close",
        "no code",
        "257",
        "257 first\r\n200 one too many",
        "257-never\r\n ends",
        "257 bare line feed\n200 next",
        "057 code",
        "257_text",
    ] {
        let table: &'static [(&str, &str)] = Box::leak(Box::new([("PWD", reply)]));
        let outcome = run(&serve(table, b""), &case("", "> PWD\n< 257"));
        let passes = reply == "257";
        assert_eq!(outcome == Outcome::Passed, passes, "{reply}: {outcome:?}");
    }
}

#[test]
fn a_dead_session_fails_although_every_step_passed() {
    let table = &[("PWD", "257 x"), ("NOOP", "close")];
    let outcome = run(&serve(table, b""), &case("", "> PWD\n< 257"));
    assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
    let ending = run(&serve(table, b""), &case("end = 'any'", "> PWD\n< 257"));
    assert_eq!(ending, Outcome::Passed);
}

#[test]
fn only_a_declared_option_may_be_missing() {
    let server = serve(
        &[("MFF", "500 what?"), ("FEAT", "211-x\r\n A\r\n211 End")],
        b"",
    );
    let asked = "> MFF x\n< 213";
    assert!(matches!(run(&server, &case("", asked)), Outcome::Failed(_)));
    let optional = run(&server, &case("optional = ['MFF']", asked));
    assert!(matches!(optional, Outcome::NotOffered(_)), "{optional:?}");
    let other = run(&server, &case("optional = ['MF']", asked));
    assert!(matches!(other, Outcome::Failed(_)), "{other:?}");
    let feature = run(&server, &case("feature = 'B'", "> NOOP\n< 200"));
    assert!(matches!(feature, Outcome::NotOffered(_)), "{feature:?}");
    assert_eq!(
        run(&server, &case("feature = 'A'", "> NOOP\n< 200")),
        Outcome::Passed
    );
}

#[test]
fn the_password_is_not_in_a_message() {
    let server = serve(&[("CWD", "550 no")], b"");
    let Outcome::Failed(message) = run(&server, &case("", "> NOOP\n< 200")) else {
        panic!("it should fail");
    };
    assert!(
        message.contains("550 no") && !message.contains("secret"),
        "{message}"
    );
}

#[test]
fn malformed_files_are_refused_with_their_place() {
    let case = |body: &str| format!("topic = 't'\n[[case]]\nid = 'c'\n{body}");
    let script = |line: &str| case(&format!("source = 's'\nscript = '''\n{line}\n'''\n"));
    for (text, part) in [
        (String::new(), "missing field"),
        ("topic = 't'\ncase = []".to_owned(), "no cases"),
        (case("script = '> A'"), "missing field `source`"),
        (
            case("source = ' '\nscript = '> A'"),
            "`source` names no section",
        ),
        (case("source = 's'\nscript = ''"), "there are no steps"),
        (case("source = 's'\nscript = '> A'\nfoo = 1"), "foo"),
        (case("source = 's'\nscript = '> A'\nstate = 'odd'"), "odd"),
        (
            case("source = 's'\nscript = '> A'\ndisk = ['fill f']"),
            "disk: fill f",
        ),
        (
            case("source = 's'\nscript = '> A'\neach = ['x']"),
            "without {each}",
        ),
        (
            case("source = 's'\nscript = '> A'\npatience-seconds = 99"),
            "99",
        ),
        (script("nonsense"), "line 1: nonsense"),
        (script("> NOOP\n< 999"), "line 2: < 999"),
        (script("< 200 /(/"), "/(/"),
        (script("> CWD {nothing}"), "{nothing}"),
        (script("> A\\q"), "unknown escape"),
        (script("open sideways"), "sideways"),
        (script("disk f == nothing"), "line 1: disk"),
        (script("data is"), "line 1: data"),
        (script("session B odd"), "unknown state"),
        (script("close now"), "nothing may follow close"),
    ] {
        let error = format!("{:#}", case::parse(&text).unwrap_err());
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn the_cases_of_the_project_are_well_formed_and_many() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance");
    let topics = case::load(&dir).unwrap();
    let count: usize = topics.iter().map(|topic| topic.cases.len()).sum();
    assert!(count >= 250, "{count} cases");
}

#[test]
fn two_cases_of_one_id_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let text = "topic = 't'\n[[case]]\nid = 'c'\nsource = 's'\nscript = '> A'\n";
    for name in ["1.toml", "2.toml"] {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let error = format!("{:#}", case::load(dir.path()).unwrap_err());
    assert!(
        error.contains("2.toml") && error.contains("the id c"),
        "{error}"
    );
}

#[test]
fn what_ours_lacks_is_a_failure_and_what_others_lack_is_none() {
    let topics =
        [
            case::parse("topic = 'T'\n[[case]]\nid = 'c'\nsource = 'RFC 1, 2'\nscript = '> A'\n")
                .unwrap(),
        ];
    let column = |name: &str, ours, outcome| Column {
        name: name.to_owned(),
        version: "1".to_owned(),
        ours,
        results: Results {
            outcomes: [("c".to_owned(), outcome)].into(),
            took: Duration::ZERO,
        },
    };
    let lacks = || Outcome::NotOffered(String::new());
    let columns = [
        column("ours", true, lacks()),
        column("peer", false, lacks()),
    ];
    assert_eq!(Counts::of_column(&columns[0]).failed, 1);
    assert_eq!(Counts::of_column(&columns[1]).failed, 0);
    let json = report::json(&topics, &columns);
    assert_eq!(json["ours"]["cases"]["c"], "fail");
    assert_eq!(json["peer"]["cases"]["c"], "n/a");
    let failed = Outcome::Failed(String::new());
    let columns = [
        column("ours", true, Outcome::Passed),
        column("peer", false, failed),
    ];
    let table = report::markdown(&topics, &columns);
    assert!(table.contains("| c | RFC 1, 2 | pass | fail |"), "{table}");
    assert!(
        table.contains("| c | RFC 1, 2 |\n"),
        "where they part: {table}"
    );
}

#[test]
fn without_ipv6_a_case_over_it_says_so_and_is_a_failure_of_ours() {
    // The server listens over IPv4 only.
    let server = serve(&[], b"");
    let outcome = run(&server, &case("ipv6 = true", "> NOOP\n< 200"));
    assert!(matches!(outcome, Outcome::NoIpv6(_)), "{outcome:?}");
    let topics =
        [
            case::parse(
                "topic = 't'\n[[case]]\nid = 'c'\nsource = 'RFC 1, 2'\nscript = '> NOOP'\n",
            )
            .unwrap(),
        ];
    for (ours, without, expected) in [
        (true, Without::Server, "fail"),
        (true, Without::Machine, "no IPv6"),
        (false, Without::Server, "no IPv6"),
    ] {
        let column = Column {
            name: "server".to_owned(),
            version: "1".to_owned(),
            ours,
            results: Results {
                outcomes: [("c".to_owned(), Outcome::NoIpv6(without))].into(),
                took: Duration::ZERO,
            },
        };
        let counts = Counts::of_column(&column);
        assert_eq!(counts.failed, usize::from(expected == "fail"));
        assert_eq!(counts.failed + counts.no_ipv6, 1);
        let json = report::json(&topics, &[column]);
        assert_eq!(json["server"]["cases"]["c"], expected);
    }
}

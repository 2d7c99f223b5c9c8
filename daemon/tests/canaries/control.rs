//! The control channel.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    thread,
    time::Duration,
};

use crate::{LITTLE_WHILE, bare::Bare, ftp::Ftp};

/// Work-around: the gate parses commands and sends the engine only what its parser takes.
#[test]
fn c1_a_refused_argument_drops_the_client() {
    let bare = Bare::start();
    let mut ftp = Ftp::connect(bare.address);
    ftp.reply();
    ftp.expect("NOOP x", "501");
    assert_eq!(ftp.reply(), "", "the connection is closed");
}

/// Work-around: the gate's line limit.
#[test]
fn c2_an_endless_line_is_kept_in_memory() {
    const MIB: u64 = 1 << 20;
    const BLOCK: [u8; 4096] = [b'x'; 4096];
    let bare = Bare::start();
    let mut stream = TcpStream::connect(bare.address).unwrap();
    let before = resident_bytes();
    for _ in 0..32 * MIB / 4096 {
        stream.write_all(&BLOCK).unwrap();
    }
    thread::sleep(Duration::from_millis(500));
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown > 24 * MIB, "grown by {grown} bytes");
}

fn resident_bytes() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

/// Work-around: the gate sends one line, waits for its reply, then sends the next.
#[test]
fn c4_pipelined_commands_are_answered_out_of_order() {
    let bare = Bare::start();
    fs::write(bare.root().join("f"), "x").unwrap();
    let mut ftp = bare.session();
    let disordered = (0..50).any(|_| {
        ftp.send("SIZE f\r\nNOOP\r\nMDTM f\r\nPWD");
        let codes: Vec<_> = (0..4).map(|_| ftp.reply()[..3].to_owned()).collect();
        codes != ["213", "200", "213", "257"]
    });
    assert!(disordered);
}

/// Work-around: as for C4.
#[test]
fn c5_a_pipelined_rename_fails() {
    let bare = Bare::start();
    let mut ftp = bare.session();
    let failed = (0..50).any(|_| {
        fs::write(bare.root().join("from"), "x").unwrap();
        ftp.send("RNFR from\r\nRNTO to");
        let replies = [ftp.reply(), ftp.reply()];
        !replies[1].starts_with("250")
    });
    assert!(failed);
}

/// Work-around: the gate removes Telnet's commands.
#[test]
fn c6_an_urgent_abor_drops_the_client() {
    let bare = Bare::start();
    let mut ftp = bare.session();
    ftp.send_bytes(b"\xff\xf4\xff\xf2ABOR\r\n");
    let reply = ftp.reply();
    assert!(!reply.starts_with('2'), "{reply}");
    assert_eq!(ftp.reply(), "", "the connection is closed");
}

/// Work-around: names go to the storage through the session's context, as bytes.
#[test]
fn c7_a_name_that_is_not_utf8_becomes_another() {
    let bare = Bare::start();
    let mut ftp = bare.session();
    ftp.send_bytes(b"MKD caf\xe9\r\n");
    ftp.reply();
    assert!(bare.root().join("caf\u{fffd}").exists());
}

/// Work-around: the gate keeps the working directory.
#[test]
fn c8_the_working_directory_is_not_normal() {
    let bare = Bare::start();
    fs::create_dir(bare.root().join("a")).unwrap();
    let mut ftp = bare.session();
    ftp.expect("CWD a", "250");
    ftp.expect("CWD ..", "250");
    assert!(ftp.expect("PWD", "257").contains("/a/.."));
}

/// Work-around: as for C8.
#[test]
fn c8_the_reply_to_mkd_is_not_quoted() {
    let reply = Bare::start().session().expect("MKD new", "257");
    assert!(!reply.contains("\"/new\""), "{reply}");
}

/// Work-around: the gate keeps the offset, and gives it to the next transfer only.
#[test]
fn c9_rest_outlives_a_failed_transfer() {
    let bare = Bare::start();
    let mut ftp = bare.session();
    ftp.expect("REST 3", "350");
    let data = ftp.passive();
    ftp.send("RETR absent");
    // 150 and 550, or only one of them.
    while !ftp.reply().starts_with('5') {}
    drop(data);
    ftp.upload("STOR f", b"abc");
    assert_eq!(fs::read(bare.root().join("f")).unwrap(), b"\0\0\0abc");
}

/// Work-around: the gate makes paths absolute.
#[test]
fn c12_mlst_is_not_taken_in_the_working_directory() {
    let bare = Bare::start();
    fs::create_dir(bare.root().join("a")).unwrap();
    fs::write(bare.root().join("a/f"), "x").unwrap();
    let mut ftp = bare.session();
    ftp.expect("CWD a", "250");
    ftp.expect("MLST f", "550");
}

/// Work-around: the session's own accept loop and admission; and `AUTH` has a deadline in the gate.
#[test]
fn c15_a_client_that_stays_silent_after_auth_is_kept() {
    let (certificate, key) = crate::data::certificate();
    let bare =
        Bare::start_with(move |options| options.ftps(certificate, key).idle_session_timeout(2));
    let mut stream = TcpStream::connect(bare.address).unwrap();
    stream.write_all(b"AUTH TLS\r\n").unwrap();
    stream.set_read_timeout(Some(2 * LITTLE_WHILE)).unwrap();
    let mut heard = Vec::new();
    let end = stream.read_to_end(&mut heard);
    assert!(end.is_err(), "closed, after {heard:?}");
}

/// Work-around: the gate discards what came before the handshake.
#[test]
fn a4_clear_text_behind_auth_is_executed() {
    let (certificate, key) = crate::data::certificate();
    let bare = Bare::start_with(move |options| options.ftps(certificate, key));
    let executed = (0..20).any(|_| {
        let heard = bare.converse(b"AUTH TLS\r\nUSER x\r\n");
        heard.contains("\r\n331 ")
    });
    assert!(executed);
}

/// Work-around: the gate's replies.
#[test]
fn feat_does_not_name_the_facts() {
    let feat = Bare::start().session().expect("FEAT", "211");
    assert!(!feat.contains("MLST type"), "{feat}");
}

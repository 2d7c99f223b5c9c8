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

/// Work-around: as for C4; and with the session's runtime, everything ends that it has spawned.
#[test]
fn c3_pipelined_commands_and_quit_deadlock_slow() {
    let bare = Bare::start_with(|options| options.idle_session_timeout(1));
    fs::write(bare.root().join("f"), "x").unwrap();
    let mut sessions: Vec<_> = (0..10).map(|_| bare.session()).collect();
    for ftp in &mut sessions {
        ftp.send("SIZE f\r\nCWD /\r\nSIZE f\r\nCWD /\r\nSIZE f\r\nQUIT");
    }
    thread::sleep(Duration::from_secs(5));
    let stuck = sessions.iter_mut().any(|ftp| {
        crate::set_patience(ftp, Duration::from_millis(100));
        let mut rest = Vec::new();
        // Neither QUIT nor the time for idle sessions has ended it.
        ftp.tcp().read_to_end(&mut rest).is_err()
    });
    assert!(stuck);
}

/// Work-around: the session cancels its transfer and answers.
#[test]
fn c10_abor_does_not_interrupt() {
    let bare = Bare::start();
    let file = fs::File::create(bare.root().join("f")).unwrap();
    file.set_len(64 << 20).unwrap();
    let mut ftp = bare.session();
    let _data = ftp.passive();
    ftp.expect("RETR f", "150");
    // Until nothing moves any more.
    thread::sleep(Duration::from_millis(500));
    ftp.send("ABOR");
    crate::set_patience(&ftp, LITTLE_WHILE);
    assert_eq!(ftp.reply(), "");
}

/// Work-around: the storage looks before the gate says 150.
#[test]
fn c11_a_transfer_of_nothing_is_announced() {
    let mut ftp = Bare::start().session();
    let _data = ftp.passive();
    ftp.expect("RETR absent", "150");
}

/// Work-around: our own listings, which spell such names out.
#[test]
fn c13_a_name_forges_a_line_of_a_listing() {
    let bare = Bare::start();
    fs::write(bare.root().join("a\r\nforged"), "x").unwrap();
    let listing = bare.session().download("NLST");
    assert!(
        listing
            .split(|byte| *byte == b'\n')
            .any(|line| line == b"forged\r")
    );
}

/// Work-around: the gate makes the reply.
#[test]
fn c14_the_reply_to_stou_does_not_name_the_file() {
    let bare = Bare::start();
    let mut ftp = bare.session();
    let _data = ftp.passive();
    let reply = ftp.expect("STOU", "150");
    let [file] = [fs::read_dir(bare.root()).unwrap().next()];
    let name = file.map(|file| file.unwrap().file_name().into_string().unwrap());
    assert!(
        name.is_none_or(|name| !reply.contains(&format!("FILE: {name}"))),
        "{reply}"
    );
}

/// Work-around: our own transfers convert, where that is configured.
#[test]
fn c16_type_a_is_taken_and_means_nothing() {
    let bare = Bare::start();
    fs::write(bare.root().join("f"), "a\nb\n").unwrap();
    let mut ftp = bare.session();
    ftp.expect("TYPE A", "200");
    assert_eq!(ftp.download("RETR f"), b"a\nb\n");
}

/// Work-around: the daemon tells its sessions to stop, and they tell their clients.
#[test]
fn c18_a_stop_drops_sessions_without_a_word() {
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let bare = Bare::start_with(move |options| {
        options.shutdown_indicator(async {
            let _told = stopped.await;
            libunftp::options::Shutdown::new().grace_period(Duration::from_secs(1))
        })
    });
    let mut ftp = bare.session();
    stop.send(()).unwrap();
    assert_eq!(ftp.reply(), "");
}

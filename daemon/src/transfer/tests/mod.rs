//! Transfers without a control connection, over sockets of this machine.

mod small;
mod two_threads;

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Shutdown, TcpStream},
    sync::atomic::{AtomicUsize, Ordering},
    thread::{self, JoinHandle},
    time::Duration,
};

use protocol::{
    request::{FactSet, ListForm, Listing, Order, Outcome, Transfer, UploadStart},
    virtual_path::VirtualPath,
};
use rustls::version::TLS13;
use tempfile::TempDir;

use super::*;
use crate::{
    accounts::{Account, Rights},
    config::{ByteSize, Required},
    storage::{files::Files, prepare::Prepared, sample::SmallDisk},
    tests::{PATIENCE, Tls, pair, wait_until},
};

/// What a session has of a transfer.
struct Session {
    config: Arc<Config>,
    files: Files,
    protection: Protection,
    task: Task,
    prepared: Option<Prepared>,
    began: Arc<AtomicUsize>,
    directory: TempDir,
}

impl Session {
    fn new() -> Self {
        Self::with(Config::default())
    }

    fn with(mut config: Config) -> Self {
        config.storage.reserve = ByteSize(0);
        let config = Arc::new(config);
        let directory = tempfile::tempdir().unwrap();
        let account = Account {
            name: "alice".to_owned(),
            root: directory.path().to_owned(),
            rights: Rights::default(),
            tls_required: Required::Nothing,
            rate: ByteSize(0),
            place: None,
        };
        Self {
            files: Files::new(account.into(), config.clone()).unwrap(),
            config,
            protection: Protection::Clear,
            task: Task::default(),
            prepared: None,
            began: Arc::default(),
            directory,
        }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    fn prepare(&mut self, transfer: Transfer) -> Result<Outcome, Failure> {
        self.task = Task::default();
        let (prepared, outcome) = Prepared::new(&self.files, &self.config, transfer, &self.task)?;
        self.prepared = Some(prepared);
        Ok(outcome)
    }

    fn content(&mut self) -> Content {
        self.prepared.take().unwrap().content
    }

    fn context(&self) -> Arc<TransferContext> {
        let began = self.began.clone();
        TransferContext::new(
            self.config.clone(),
            ("alice", self.config.transfers.account_rate),
            self.protection.clone(),
            self.task.clone(),
            Box::new(move || {
                began.fetch_add(1, Ordering::Relaxed);
            }),
        )
    }

    /// Moves the bytes of what has been prepared, and tells how many that were.
    fn run(&mut self, connection: OwnedFd) -> Result<u64, Failure> {
        let content = self.content();
        run(Job::Whole(content), connection, &self.context())?;
        Ok(self.task.moved())
    }
}

fn virtual_path(name: &str) -> VirtualPath {
    VirtualPath::root().join(name.as_bytes()).unwrap()
}

fn download(start: u64, end: Option<u64>) -> Transfer {
    Transfer::Download {
        path: virtual_path("f"),
        start,
        end,
        ascii: false,
    }
}

fn upload(start: UploadStart) -> Transfer {
    Transfer::Upload {
        path: virtual_path("f"),
        start,
        expected: None,
        ascii: false,
    }
}

fn receiver(mut client: TcpStream) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut received = Vec::new();
        client.read_to_end(&mut received).unwrap();
        received
    })
}

fn sender(mut client: TcpStream, bytes: Vec<u8>) -> JoinHandle<()> {
    thread::spawn(move || {
        client.write_all(&bytes).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        // Until the other side ends, too.
        client.read_to_end(&mut Vec::new()).unwrap();
    })
}

/// Sends so many bytes, and cancels the upload when they have come.
fn canceller<C: std::io::Write + Send + 'static>(
    mut client: C,
    task: Task,
    length: usize,
) -> JoinHandle<C> {
    thread::spawn(move || {
        client.write_all(&content(length)).unwrap();
        client.flush().unwrap();
        wait_until("the bytes arrive", || task.moved() >= length as u64);
        task.cancel();
        client
    })
}

fn content(length: usize) -> Vec<u8> {
    (0..u32::try_from(length).unwrap())
        .map(|index| index.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect()
}

const LENGTHS: [usize; 5] = [0, 1, 10_240, 1 << 20, 7_654_321];

/// A session whose downloads go by sendfile, or in blocks.
fn session_with(sendfile: bool) -> Session {
    let mut config = Config::default();
    config.transfers.sendfile = sendfile;
    Session::with(config)
}

#[test]
fn files_go_both_ways() {
    for length in LENGTHS {
        for sendfile in [true, false] {
            let expected = content(length);
            let mut session = session_with(sendfile);
            session.prepare(upload(UploadStart::Replace)).unwrap();
            let (ours, client) = pair();
            let client = sender(client, expected.clone());
            assert_eq!(session.run(ours), Ok(length as u64));
            client.join().unwrap();
            assert!(fs::read(session.path("f")).unwrap() == expected);

            let ready = session.prepare(download(0, None)).unwrap();
            let size = Some(length as u64);
            let path = virtual_path("f");
            assert_eq!(ready, Outcome::Ready { size, path });
            let (ours, client) = pair();
            let client = receiver(client);
            assert_eq!(session.run(ours), Ok(length as u64));
            assert!(client.join().unwrap() == expected);
        }
    }
}

#[test]
fn a_file_that_becomes_shorter_is_no_success() {
    for sendfile in [true, false] {
        let mut session = session_with(sendfile);
        fs::write(session.path("f"), content(3 << 20)).unwrap();
        session.prepare(download(0, None)).unwrap();
        fs::File::options()
            .write(true)
            .open(session.path("f"))
            .unwrap()
            .set_len(1 << 20)
            .unwrap();
        let (ours, client) = pair();
        let client = receiver(client);
        assert_eq!(session.run(ours), Err(Failure::Shortened));
        assert!(client.join().unwrap().len() <= 1 << 20);
    }
}

#[test]
fn nothing_goes_unprotected_that_should_be_under_tls() {
    let mut session = Session::new();
    session.protection = Protection::Impossible;
    for (name, bytes) in [("f", &b"secret"[..]), ("f", &content(100_000))] {
        fs::write(session.path(name), bytes).unwrap();
        for transfer in [download(0, None), upload(UploadStart::Replace)] {
            session.prepare(transfer).unwrap();
            let (ours, mut client) = pair();
            client.write_all(b"new").unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            assert_eq!(session.run(ours), Err(Failure::NoConnection));
            let mut received = Vec::new();
            let _reset_or_end = client.read_to_end(&mut received);
            assert_eq!(received, b"");
            assert_eq!(fs::read(session.path(name)).unwrap(), bytes);
        }
    }
}

/// The session itself tells that a transfer has begun for which nothing has to be waited.
#[test]
fn a_transfer_that_may_wait_tells_once_that_it_has_begun() {
    let tls = Tls::new(&TLS13);
    for (limited, protected, told) in [
        (false, false, 0),
        (true, false, 1),
        (false, true, 1),
        (true, true, 1),
    ] {
        let mut config = Config::default();
        config.transfers.session_rate = ByteSize(if limited { 1 << 30 } else { 0 });
        let mut session = Session::with(config);
        fs::write(session.path("f"), content(40_000)).unwrap();
        session.prepare(download(0, None)).unwrap();
        let (ours, client) = pair();
        let client = if protected {
            session.protection = tls.protection();
            let mut client = tls.connect(client);
            thread::spawn(move || {
                let mut received = Vec::new();
                client.read_to_end(&mut received).unwrap();
                received
            })
        } else {
            receiver(client)
        };
        assert_eq!(session.context().may_wait(), told == 1);
        assert_eq!(session.run(ours), Ok(40_000));
        assert!(client.join().unwrap() == content(40_000));
        let began = session.began.load(Ordering::Relaxed);
        assert_eq!(began, told, "limited {limited}, protected {protected}");
    }
}

#[test]
fn a_range_is_sent_in_text_form_too() {
    let mut session = Session::new();
    fs::write(session.path("f"), "a\nb\nc\n").unwrap();
    let transfer = Transfer::Download {
        path: virtual_path("f"),
        start: 2,
        end: Some(5),
        ascii: true,
    };
    let (ours, client) = pair();
    let client = receiver(client);
    let ready = session.prepare(transfer).unwrap();
    let path = virtual_path("f");
    assert_eq!(ready, Outcome::Ready { size: None, path });
    assert_eq!(session.run(ours), Ok(4));
    assert_eq!(client.join().unwrap(), b"b\r\nc");
}

#[test]
fn listings_are_sent_small_and_large() {
    let mut session = Session::new();
    let names = Transfer::List(Listing {
        path: VirtualPath::root(),
        named: Vec::new(),
        pattern: None,
        form: ListForm::Names {
            all: false,
            recursive: false,
            order: Order::default(),
        },
    });
    let mut expected = String::new();
    for count in [0, 3, 2000] {
        for name in expected.lines().count()..count {
            let name = format!("file-{name:04}");
            fs::write(session.path(&name), "").unwrap();
            expected.extend([name.as_str(), "\r\n"]);
        }
        session.prepare(names.clone()).unwrap();
        let (ours, client) = pair();
        let client = receiver(client);
        assert_eq!(session.run(ours), Ok(expected.len() as u64));
        assert!(client.join().unwrap() == expected.as_bytes(), "{count}");
    }

    let facts = Transfer::List(Listing {
        path: virtual_path("file-0000"),
        named: b"file-0000".to_vec(),
        pattern: None,
        form: ListForm::Machine(FactSet::ALL),
    });
    assert_eq!(session.prepare(facts), Err(Failure::NotADirectory));
}

#[test]
fn an_upload_that_breaks_off_keeps_what_has_come() {
    let mut session = Session::new();
    fs::write(session.path("f"), "old").unwrap();
    session.prepare(upload(UploadStart::Replace)).unwrap();
    let (ours, client) = pair();
    let canceller = canceller(client, session.task.clone(), 300_000);
    assert_eq!(session.run(ours), Err(Failure::Cancelled));
    drop(canceller.join().unwrap());
    assert_eq!(fs::read(session.path("f")).unwrap(), b"old");
    assert!(fs::read(session.path(".f.esxftpd-part")).unwrap() == content(300_000));

    // Another connection brings the rest.
    session.prepare(upload(UploadStart::At(300_000))).unwrap();
    let (ours, client) = pair();
    let client = sender(client, content(400_000)[300_000..].to_vec());
    assert_eq!(session.run(ours), Ok(100_000));
    client.join().unwrap();
    assert!(fs::read(session.path("f")).unwrap() == content(400_000));
}

#[test]
fn a_reader_that_stops_can_be_cancelled_and_leaves_nothing_behind() {
    for sendfile in [true, false] {
        let mut session = session_with(sendfile);
        let file = fs::File::create(session.path("f")).unwrap();
        file.set_len(1 << 40).unwrap();
        for _ in 0..3 {
            session.prepare(download(0, None)).unwrap();
            let (ours, client) = pair();
            let task = session.task.clone();
            let canceller = thread::spawn(move || {
                wait_until("something is sent", || task.moved() > 0);
                task.cancel();
            });
            assert_eq!(session.run(ours), Err(Failure::Cancelled));
            canceller.join().unwrap();
            drop(client);
        }
        let names = fs::read_dir(session.directory.path()).unwrap().count();
        assert_eq!(names, 1);
    }
}

#[test]
fn a_limited_session_is_as_slow_as_it_should_be() {
    let mut config = Config::default();
    config.transfers.session_rate = ByteSize(1 << 20);
    let mut session = Session::with(config);
    fs::write(session.path("f"), content(300_000)).unwrap();
    let start = std::time::Instant::now();
    session.prepare(download(0, None)).unwrap();
    let (ours, client) = pair();
    let client = receiver(client);
    assert_eq!(session.run(ours), Ok(300_000));
    assert!(client.join().unwrap() == content(300_000));
    // A lower bound: no machine is slow enough to hide a missing limit.
    assert!(start.elapsed() >= Duration::from_millis(250));
}

#[test]
fn a_full_disk_is_said_and_harms_nothing() {
    let mut session = Session::new();
    let Some(disk) = SmallDisk::mount(session.directory.path()) else {
        eprintln!("NOT TESTED: mounting a small file system needs root");
        return;
    };
    fs::write(session.path("f"), "old").unwrap();
    fs::write(session.path("other"), content(100_000)).unwrap();
    session.prepare(upload(UploadStart::Replace)).unwrap();
    let (ours, mut client) = pair();
    let client = thread::spawn(move || {
        // It fails as soon as the server gives up.
        let _sent = client.write_all(&content(8 << 20));
    });
    assert_eq!(session.run(ours), Err(Failure::NoSpaceRemoved));
    client.join().unwrap();
    assert_eq!(fs::read(session.path("f")).unwrap(), b"old");
    assert!(fs::read(session.path("other")).unwrap() == content(100_000));
    // Nothing hidden keeps it full.
    assert!(!session.path(".f.esxftpd-part").exists());
    drop(disk);
}

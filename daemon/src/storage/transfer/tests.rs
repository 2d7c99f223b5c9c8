mod small;
mod two_threads;

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    os::fd::{AsFd as _, OwnedFd},
    thread::{self, JoinHandle},
    time::Duration,
};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use unftp_core::storage::StorageBackend as _;

use super::*;
use crate::{
    accounts::{Account, Rights},
    config::{ByteSize, Config, Required},
    session::Events,
    storage::{FactSet, Listing, Operation, Order, Storage, sample::SmallDisk},
};

/// A session without a control connection.
struct Session {
    runtime: Runtime,
    context: Arc<Context>,
    events: Events,
    storage: Storage,
    account: Account,
    directory: TempDir,
}

impl Session {
    fn new() -> Self {
        Self::with(Config::default())
    }

    fn with(mut config: Config) -> Self {
        config.storage.reserve = ByteSize(0);
        let directory = tempfile::tempdir().unwrap();
        let account = Account {
            name: "alice".to_owned(),
            root: directory.path().to_owned(),
            rights: Rights::default(),
            tls_required: Required::Nothing,
        };
        let (context, events) = Context::new(Arc::new(config), None);
        context.set_account(Some(account.clone()));
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(2)
            .build()
            .unwrap();
        Self {
            runtime,
            storage: Storage::new(context.clone()),
            context,
            events,
            account,
            directory,
        }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    fn prepare(&mut self, transfer: Transfer) -> Result<Outcome, Failure> {
        let run = self.context.begin();
        let prepared = self.storage.perform(Operation::Prepare(transfer), run);
        self.runtime.block_on(prepared)
    }

    /// Lets the engine come for a download or listing; what it would have sent itself goes to the
    /// vector.
    fn send(&mut self, connection: Option<OwnedFd>) -> (Result<u64, Failure>, Vec<u8>) {
        self.connect(connection);
        let mut output = Vec::new();
        let sent = self.storage.get_into(&self.account, "/t", 0, &mut output);
        let told = self.runtime.block_on(sent).is_ok();
        (self.ended(told), output)
    }

    /// Lets the engine come for an upload, with what it would have received itself.
    fn store(&mut self, connection: Option<OwnedFd>, input: &[u8]) -> Result<u64, Failure> {
        self.connect(connection);
        let input = std::io::Cursor::new(input.to_vec());
        let stored = self.storage.put(&self.account, input, "/t", 0);
        let told = self.runtime.block_on(stored).is_ok();
        self.ended(told)
    }

    fn connect(&self, connection: Option<OwnedFd>) {
        if let Some(connection) = connection {
            self.context.set_connection(connection);
        }
    }

    fn ended(&mut self, told: bool) -> Result<u64, Failure> {
        let mut result = None;
        while let Ok((_run, event)) = self.events.try_recv() {
            if let TransferEvent::Ended(ended) = event {
                result = Some(ended);
            }
        }
        let result = result.unwrap();
        assert_eq!(result.is_ok(), told);
        result
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

/// A data connection: our end, and the client's.
fn pair() -> (OwnedFd, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (ours, _) = listener.accept().unwrap();
    fcntl(ours.as_fd(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    (ours.into(), client)
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
fn canceller(mut client: TcpStream, run: Run, length: usize) -> JoinHandle<TcpStream> {
    thread::spawn(move || {
        client.write_all(&content(length)).unwrap();
        while run.moved() < length as u64 {
            thread::sleep(Duration::from_millis(1));
        }
        run.cancel();
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
            assert_eq!(session.store(Some(ours), b""), Ok(length as u64));
            client.join().unwrap();
            assert!(fs::read(session.path("f")).unwrap() == expected);
            assert_eq!(session.context.run().moved(), length as u64);

            let ready = session.prepare(download(0, None)).unwrap();
            let size = Some(length as u64);
            let path = virtual_path("f");
            assert_eq!(ready, Outcome::Ready { size, path });
            let (ours, client) = pair();
            let client = receiver(client);
            let (result, engines) = session.send(Some(ours));
            // The engine's descriptor of the connection is closed now, in its place.
            assert_eq!(result, Ok(length as u64));
            assert!(client.join().unwrap() == expected);
            assert_eq!(engines, b"");
            assert_eq!(session.context.run().moved(), length as u64);
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
        assert_eq!(session.send(Some(ours)).0, Err(Failure::Device));
        assert!(client.join().unwrap().len() <= 1 << 20);
    }
}

#[test]
fn without_a_descriptor_the_engines_stream_serves() {
    for length in LENGTHS {
        let expected = content(length);
        let mut session = Session::new();
        session.prepare(upload(UploadStart::Replace)).unwrap();
        assert_eq!(session.store(None, &expected), Ok(length as u64));
        assert!(fs::read(session.path("f")).unwrap() == expected);
        session.prepare(download(0, None)).unwrap();
        let (result, sent) = session.send(None);
        assert_eq!(result, Ok(length as u64));
        assert!(sent == expected);
    }
}

#[test]
fn without_a_descriptor_nothing_goes_unprotected_that_should_be() {
    let mut session = Session::new();
    fs::write(session.path("f"), "secret").unwrap();
    session.context.protect(true);
    session.prepare(download(0, None)).unwrap();
    let (result, sent) = session.send(None);
    assert_eq!(result, Err(Failure::NoConnection));
    assert_eq!(sent, b"");
    session.prepare(upload(UploadStart::Replace)).unwrap();
    let stored = session.store(None, b"new");
    assert_eq!(stored, Err(Failure::NoConnection));
    assert_eq!(fs::read(session.path("f")).unwrap(), b"secret");
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
    assert_eq!(session.send(Some(ours)).0, Ok(4));
    assert_eq!(client.join().unwrap(), b"b\r\nc");
}

#[test]
fn listings_go_over_both_ways() {
    let mut session = Session::new();
    for name in 0..2000 {
        fs::write(session.path(&format!("file-{name:04}")), "").unwrap();
    }
    let names = Transfer::List(Listing {
        path: VirtualPath::root(),
        pattern: None,
        form: ListForm::Names {
            all: false,
            order: Order::default(),
        },
    });
    session.prepare(names.clone()).unwrap();
    let (ours, client) = pair();
    let client = receiver(client);
    assert_eq!(session.send(Some(ours)).0, Ok(2000 * 11));
    let listing = client.join().unwrap();
    assert!(listing.starts_with(b"file-0000\r\nfile-0001\r\n"));
    session.prepare(names).unwrap();
    assert!(session.send(None).1 == listing);

    fs::write(session.path("f"), "").unwrap();
    let facts = Transfer::List(Listing {
        path: virtual_path("f"),
        pattern: None,
        form: ListForm::Machine(FactSet::ALL),
    });
    assert_eq!(session.prepare(facts), Err(Failure::NotADirectory));
}

#[test]
fn what_is_not_prepared_is_not_done() {
    let session = Session::new();
    let mut output = Vec::new();
    let sent = session
        .storage
        .get_into(&session.account, "/t", 0, &mut output);
    assert!(session.runtime.block_on(sent).is_err());
    let stored = session
        .storage
        .put(&session.account, tokio::io::empty(), "/t", 0);
    assert!(session.runtime.block_on(stored).is_err());
}

#[test]
fn an_upload_that_breaks_off_keeps_what_has_come() {
    let mut session = Session::new();
    fs::write(session.path("f"), "old").unwrap();
    session.prepare(upload(UploadStart::Replace)).unwrap();
    let (ours, client) = pair();
    let canceller = canceller(client, session.context.run(), 300_000);
    let result = session.store(Some(ours), b"");
    assert_eq!(result, Err(Failure::Cancelled));
    drop(canceller.join().unwrap());
    assert_eq!(fs::read(session.path("f")).unwrap(), b"old");
    assert!(fs::read(session.path(".f.esxftpd-part")).unwrap() == content(300_000));

    // Another connection brings the rest.
    session.prepare(upload(UploadStart::At(300_000))).unwrap();
    let (ours, client) = pair();
    let client = sender(client, content(400_000)[300_000..].to_vec());
    assert_eq!(session.store(Some(ours), b""), Ok(100_000));
    client.join().unwrap();
    assert!(fs::read(session.path("f")).unwrap() == content(400_000));
}

#[test]
fn a_reader_that_stops_can_be_cancelled_and_leaves_nothing_behind() {
    let mut session = Session::new();
    let file = fs::File::create(session.path("f")).unwrap();
    file.set_len(1 << 40).unwrap();
    for _ in 0..3 {
        session.prepare(download(0, None)).unwrap();
        let (ours, client) = pair();
        let run = session.context.run();
        let canceller = thread::spawn(move || {
            while run.moved() == 0 {
                thread::sleep(Duration::from_millis(1));
            }
            run.cancel();
        });
        assert_eq!(session.send(Some(ours)).0, Err(Failure::Cancelled));
        canceller.join().unwrap();
        drop(client);
    }
    let names = fs::read_dir(session.directory.path()).unwrap().count();
    assert_eq!(names, 1);
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
    assert_eq!(session.send(Some(ours)).0, Ok(300_000));
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
    assert_eq!(session.store(Some(ours), b""), Err(Failure::NoSpace));
    client.join().unwrap();
    assert_eq!(fs::read(session.path("f")).unwrap(), b"old");
    assert!(fs::read(session.path("other")).unwrap() == content(100_000));
    // What has come is whole and in order.
    let part = fs::read(session.path(".f.esxftpd-part")).unwrap();
    assert!(part == content(part.len()) && part.len() > 1_000_000);
    drop(disk);
}

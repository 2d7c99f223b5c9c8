//! Uploads that one thread receives and another one writes, as under TLS.

use std::sync::mpsc::channel;

use super::*;
use crate::tests::TlsStream;

/// A session under TLS, and its client. It has all memory for itself.
struct Protected {
    session: Session,
    tls: Tls,
}

impl Protected {
    fn new() -> Self {
        let (mut session, tls) = (Session::new(), Tls::new(&TLS13));
        session.protection = tls.protection();
        Self { session, tls }
    }

    fn pair(&self) -> (OwnedFd, TlsStream) {
        let (ours, client) = pair();
        (ours, self.tls.connect(client))
    }

    fn run(&mut self, connection: OwnedFd) -> Result<u64, Failure> {
        let content = self.session.content();
        let mut shared = self.session.context();
        // Transfers of other tests would have it be done by one thread.
        Arc::get_mut(&mut shared).unwrap().claim = Claim::alone(&self.session.config.transfers);
        run(Job::Whole(content), connection, &shared)?;
        Ok(self.session.task.moved())
    }
}

#[test]
fn files_arrive_whole() {
    for length in LENGTHS {
        let mut protected = Protected::new();
        let upload = upload(UploadStart::Replace);
        protected.session.prepare(upload).unwrap();
        let (ours, mut client) = protected.pair();
        let client = thread::spawn(move || {
            client.conn.complete_io(&mut client.sock).unwrap();
            client.write_all(&content(length)).unwrap();
            client.conn.send_close_notify();
            client.flush().unwrap();
            client.read_to_end(&mut Vec::new()).unwrap();
        });
        assert_eq!(protected.run(ours), Ok(length as u64));
        client.join().unwrap();
        let session = protected.session;
        assert!(fs::read(session.path("f")).unwrap() == content(length));
    }
}

#[test]
fn an_upload_that_breaks_off_keeps_what_has_come() {
    const LENGTH: usize = 5_000_000;
    let mut protected = Protected::new();
    fs::write(protected.session.path("f"), "old").unwrap();
    let upload = upload(UploadStart::Replace);
    protected.session.prepare(upload).unwrap();
    let (ours, client) = protected.pair();
    let canceller = canceller(client, protected.session.task.clone(), LENGTH);
    assert_eq!(protected.run(ours), Err(Failure::Cancelled));
    drop(canceller.join().unwrap());
    let session = protected.session;
    assert_eq!(fs::read(session.path("f")).unwrap(), b"old");
    assert!(fs::read(session.path(".f.esxftpd-part")).unwrap() == content(LENGTH));
}

#[test]
fn a_client_that_pauses_hears_of_a_full_disk() {
    let mut protected = Protected::new();
    let session = &mut protected.session;
    let Some(disk) = SmallDisk::mount(session.directory.path()) else {
        eprintln!("NOT TESTED: mounting a small file system needs root");
        return;
    };
    fs::write(session.path("other"), content(100_000)).unwrap();
    session.prepare(upload(UploadStart::Replace)).unwrap();
    let task = session.task.clone();
    let (ours, mut client) = protected.pair();
    let client = thread::spawn(move || {
        // In the middle of a block.
        let _sent = client.write_all(&content(2_500_000));
        client
    });
    let (told, telling) = channel::<()>();
    let impatient = thread::spawn(move || {
        let waited_in_vain = telling.recv_timeout(PATIENCE).is_err();
        task.cancel();
        waited_in_vain
    });
    assert_eq!(protected.run(ours), Err(Failure::NoSpaceRemoved));
    let _too_late = told.send(());
    assert!(!impatient.join().unwrap(), "only when it was cancelled");
    drop((client.join().unwrap(), disk));
}

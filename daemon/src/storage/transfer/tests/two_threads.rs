//! Uploads that one thread receives and another one writes.

use std::sync::mpsc::channel;

use super::*;

/// Stores what comes as it is done under TLS, without TLS.
fn store(session: &mut Session, ours: OwnedFd) -> Result<u64, Failure> {
    let prepared = session.storage.take_prepared().unwrap();
    let What::Upload(upload) = prepared.what else {
        panic!("no upload was prepared");
    };
    let run = prepared.run;
    let conditions = Conditions::new(&session.context, run.clone());
    let connection = DataConnection::open(ours, Protection::Clear, TlsRules::default(), run)?;
    incoming::receive(connection, &conditions, upload, true)
}

#[test]
fn files_arrive_whole() {
    for length in LENGTHS {
        let mut session = Session::new();
        session.prepare(upload(UploadStart::Replace)).unwrap();
        let (ours, client) = pair();
        let client = sender(client, content(length));
        assert_eq!(store(&mut session, ours), Ok(length as u64));
        client.join().unwrap();
        assert!(fs::read(session.path("f")).unwrap() == content(length));
    }
}

#[test]
fn an_upload_that_breaks_off_keeps_what_has_come() {
    const LENGTH: usize = 5_000_000;
    let mut session = Session::new();
    fs::write(session.path("f"), "old").unwrap();
    session.prepare(upload(UploadStart::Replace)).unwrap();
    let (ours, client) = pair();
    let canceller = canceller(client, session.context.run(), LENGTH);
    assert_eq!(store(&mut session, ours), Err(Failure::Cancelled));
    drop(canceller.join().unwrap());
    assert_eq!(fs::read(session.path("f")).unwrap(), b"old");
    assert!(fs::read(session.path(".f.esxftpd-part")).unwrap() == content(LENGTH));
}

#[test]
fn a_client_that_pauses_hears_of_a_full_disk() {
    let mut session = Session::new();
    let Some(disk) = SmallDisk::mount(session.directory.path()) else {
        eprintln!("NOT TESTED: mounting a small file system needs root");
        return;
    };
    fs::write(session.path("other"), content(100_000)).unwrap();
    session.prepare(upload(UploadStart::Replace)).unwrap();
    let (ours, mut client) = pair();
    let client = thread::spawn(move || {
        // In the middle of a block.
        let _sent = client.write_all(&content(2_500_000));
        client
    });
    let run = session.context.run();
    let (told, telling) = channel::<()>();
    let impatient = thread::spawn(move || {
        let waited_in_vain = telling.recv_timeout(Duration::from_secs(20)).is_err();
        run.cancel();
        waited_in_vain
    });
    assert_eq!(store(&mut session, ours), Err(Failure::NoSpace));
    let _too_late = told.send(());
    assert!(!impatient.join().unwrap(), "only when it was cancelled");
    drop((client.join().unwrap(), disk));
}

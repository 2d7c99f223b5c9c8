//! unftp-sbe-fs.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    pin::Pin,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use async_trait::async_trait;
use libunftp::{ServerBuilder, options::SiteMd5};
use tokio::io::{AsyncRead, ReadBuf};
use unftp_core::{
    auth::{DefaultUser, Principal, UserDetail, UserDetailError, UserDetailProvider},
    storage::StorageBackend as _,
};
use unftp_sbe_fs::Filesystem;

use crate::{bare::Bare, ftp::Ftp};

/// Work-around: our own facts, which follow links.
#[test]
fn s6_the_size_of_a_link_is_that_of_its_text() {
    let bare = Bare::start();
    fs::write(bare.root().join("f"), [0; 100]).unwrap();
    symlink("f", bare.root().join("link")).unwrap();
    assert_eq!(bare.session().expect("SIZE link", "213"), "213 1");
}

/// Work-around: our own root, which resolves absolute links inside it.
#[test]
fn s7_an_absolute_link_inside_the_root_is_refused() {
    let bare = Bare::start();
    fs::write(bare.root().join("f"), "x").unwrap();
    symlink(bare.root().join("f"), bare.root().join("link")).unwrap();
    let mut ftp = bare.session();
    let _data = ftp.passive();
    ftp.send("RETR link");
    let replies = [ftp.reply(), ftp.reply()];
    assert!(
        replies
            .iter()
            .any(|reply| reply.starts_with('5') || reply.starts_with('4'))
    );
}

/// Work-around: our own uploads, which go to another file first.
#[test]
fn s5_an_upload_destroys_the_old_file_at_once() {
    let bare = Bare::start();
    fs::write(bare.root().join("f"), "old").unwrap();
    let mut ftp = bare.session();
    let data = ftp.passive();
    ftp.expect("STOR f", "150");
    let destroyed = (0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        fs::read(bare.root().join("f")).unwrap().is_empty()
    });
    assert!(destroyed);
    drop(data);
}

/// Work-around: our own renaming.
#[test]
fn s9_a_rename_replaces_a_file_without_a_word() {
    let bare = Bare::start();
    fs::write(bare.root().join("a"), "a").unwrap();
    fs::write(bare.root().join("b"), "b").unwrap();
    let mut ftp = bare.session();
    ftp.expect("RNFR a", "350");
    ftp.expect("RNTO b", "250");
    assert_eq!(fs::read(bare.root().join("b")).unwrap(), b"a");
}

/// Work-around: our own uploads and downloads.
#[test]
fn s2_a_fifo_keeps_a_thread_for_ever() {
    let bare = Bare::start();
    let made = Command::new("mkfifo")
        .arg(bare.root().join("fifo"))
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success());
    let mut ftp = bare.session();
    let _data = ftp.passive();
    ftp.expect("RETR fifo", "150");
    crate::set_patience(&ftp, crate::LITTLE_WHILE);
    assert_eq!(ftp.reply(), "");
}

/// Work-around: our own listings, which leave out what has gone.
#[test]
fn s3_a_directory_that_changes_cannot_be_listed() {
    let bare = Bare::start();
    for number in 0..200 {
        fs::write(bare.root().join(format!("stays{number}")), "").unwrap();
    }
    let root = bare.root().to_owned();
    let done = Arc::new(AtomicBool::new(false));
    let churn = {
        let done = done.clone();
        std::thread::spawn(move || {
            while !done.load(Ordering::Relaxed) {
                for number in 0..50 {
                    fs::write(root.join(format!("goes{number}")), "").unwrap();
                }
                for number in 0..50 {
                    fs::remove_file(root.join(format!("goes{number}"))).unwrap();
                }
            }
        })
    };
    let mut ftp = bare.session();
    let failed = (0..100).any(|_| {
        let data = ftp.passive();
        ftp.expect("LIST", "150");
        let end = ftp.reply();
        drop(data);
        !end.starts_with("226")
    });
    done.store(true, Ordering::Relaxed);
    churn.join().unwrap();
    assert!(failed);
}

/// Work-around: our own errors, each with the reply that fits.
#[test]
fn s8_what_exists_is_said_not_to_be_found() {
    let bare = Bare::start();
    fs::create_dir(bare.root().join("a")).unwrap();
    let reply = bare.session().expect("MKD a", "550");
    assert!(reply.contains("not found"), "{reply}");
}

/// A user whose home is the whole storage.
#[derive(Debug)]
struct AtHome(PathBuf);

impl std::fmt::Display for AtHome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("at home")
    }
}

impl UserDetail for AtHome {
    fn home(&self) -> Option<&Path> {
        Some(&self.0)
    }
}

#[derive(Debug)]
struct Homes(PathBuf);

#[async_trait]
impl UserDetailProvider for Homes {
    type User = AtHome;

    async fn provide_user_detail(&self, _: &Principal) -> Result<AtHome, UserDetailError> {
        Ok(AtHome(self.0.clone()))
    }
}

/// Work-around: our own roots, one for each account.
#[test]
fn s11_a_home_that_is_the_root_refuses_the_log_in() {
    let bare = Bare::serve(([127, 0, 0, 1], 0).into(), |root| {
        let homes = Arc::new(Homes(root.clone()));
        let storage = Box::new(move || Filesystem::new(&root).unwrap());
        ServerBuilder::<_, AtHome>::with_user_detail_provider(storage, homes)
    });
    let mut ftp = Ftp::connect(bare.address);
    ftp.reply();
    ftp.expect("USER anyone", "331");
    ftp.expect("PASS x", "530");
}

/// Work-around: our own root, which is a path. A datastore with an open directory stays mounted.
#[test]
fn s12_an_idle_session_holds_the_root_open() {
    let bare = Bare::start();
    let open = || {
        let descriptors = fs::read_dir("/proc/self/fd").unwrap().flatten();
        let targets = descriptors.filter_map(|it| fs::read_link(it.path()).ok());
        targets.filter(|target| target == bare.root()).count()
    };
    // The look whether the server listens was a session, too.
    let none = (0..500).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        open() == 0
    });
    assert!(none);
    let mut ftp = Ftp::connect(bare.address);
    ftp.reply();
    assert!(open() > 0);
}

/// Work-around: our own uploads, one for each file at a time.
#[test]
fn s13_two_that_append_overwrite_each_other() {
    let bare = Bare::start();
    fs::write(bare.root().join("f"), "").unwrap();
    let mut sessions = [(); 2].map(|()| bare.session());
    let uploads = sessions.each_mut().map(|ftp| {
        let data = ftp.passive();
        ftp.expect("APPE f", "150");
        (ftp, data)
    });
    // Both have looked where the end is.
    std::thread::sleep(std::time::Duration::from_millis(500));
    for (ftp, mut data) in uploads {
        data.write_all(b"12345").unwrap();
        drop(data);
        assert!(ftp.reply().starts_with("226"));
    }
    assert_eq!(fs::read(bare.root().join("f")).unwrap().len(), 5);
}

/// Gives zeros, as many as it is asked for, and remembers how many that were at the most.
struct Zeros<'a> {
    left: usize,
    most: &'a AtomicUsize,
}

impl AsyncRead for Zeros<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.most.fetch_max(buffer.remaining(), Ordering::Relaxed);
        let count = self.left.min(buffer.remaining());
        buffer.initialize_unfilled_to(count).fill(0);
        buffer.advance(count);
        self.left -= count;
        Poll::Ready(Ok(()))
    }
}

/// Work-around: our own transfers, in blocks of a size that is configured.
#[test]
fn s14_files_are_stored_in_small_pieces() {
    static MOST: AtomicUsize = AtomicUsize::new(0);
    let directory = tempfile::tempdir().unwrap();
    let storage = Filesystem::new(directory.path()).unwrap();
    let zeros = Zeros {
        left: 1 << 20,
        most: &MOST,
    };
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    let stored = runtime.block_on(storage.put(&DefaultUser, zeros, "/f", 0));
    assert_eq!(stored.unwrap(), 1 << 20);
    assert!(MOST.load(Ordering::Relaxed) <= 8192);
}

/// Work-around: our own digests; libunftp's is switched off.
#[test]
fn s15_a_digest_of_what_cannot_be_read_is_given() {
    let bare = Bare::start_with(|options| options.sitemd5(SiteMd5::All));
    fs::create_dir(bare.root().join("directory")).unwrap();
    let reply = bare.session().command("SITE MD5 directory");
    // That of nothing.
    assert!(
        reply.contains("d41d8cd98f00b204e9800998ecf8427e"),
        "{reply}"
    );
}

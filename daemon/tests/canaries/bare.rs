//! libunftp without anything of ours around it, serving a temporary directory.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    thread,
    time::Instant,
};

use libunftp::ServerBuilder;
use tempfile::TempDir;
use tokio::runtime::Builder;
use unftp_core::auth::{DefaultUser, UserDetail};
use unftp_sbe_fs::Filesystem;

use crate::ftp::Ftp;

type Options = ServerBuilder<Filesystem, DefaultUser>;

/// A bare server. Its thread ends with the test's process.
pub(crate) struct Bare {
    pub(crate) address: SocketAddr,
    directory: TempDir,
}

impl Bare {
    pub(crate) fn start() -> Self {
        Self::start_with(|options| options)
    }

    pub(crate) fn start_with(configure: impl FnOnce(Options) -> Options + Send + 'static) -> Self {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), configure)
    }

    /// Listens at a free port of this address.
    pub(crate) fn start_at(
        address: SocketAddr,
        configure: impl FnOnce(Options) -> Options + Send + 'static,
    ) -> Self {
        Self::serve(address, |root| {
            let storage = Box::new(move || Filesystem::new(&root).unwrap());
            configure(ServerBuilder::new(storage))
        })
    }

    /// Serves what `build` makes of the directory.
    pub(crate) fn serve<User: UserDetail + 'static>(
        address: SocketAddr,
        build: impl FnOnce(PathBuf) -> ServerBuilder<Filesystem, User> + Send + 'static,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().to_owned();
        let address = free_address(address);
        thread::spawn(move || {
            let runtime = Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            // Where libunftp stops by itself, nothing is left to be said.
            let _stopped = runtime.block_on(async {
                let server = build(root).build().unwrap();
                server.listen(address.to_string()).await
            });
        });
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(start.elapsed() < crate::PATIENCE, "it does not listen");
            thread::yield_now();
        }
        Self { address, directory }
    }

    pub(crate) fn root(&self) -> &Path {
        self.directory.path()
    }

    /// A session that has logged in; libunftp's default lets everybody in.
    pub(crate) fn session(&self) -> Ftp {
        let mut ftp = Ftp::connect(self.address);
        ftp.log_in("anyone", "x");
        ftp
    }

    /// Connects, takes the greeting, sends `bytes` and returns everything that comes back until
    /// nothing has come for a second.
    pub(crate) fn converse(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(crate::LITTLE_WHILE)).unwrap();
        stream.write_all(bytes).unwrap();
        let mut heard = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            heard.extend_from_slice(&buffer[..count]);
        }
        String::from_utf8_lossy(&heard).into_owned()
    }
}

fn free_address(address: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind(address).unwrap();
    listener.local_addr().unwrap()
}

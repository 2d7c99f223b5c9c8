//! What libunftp lets others build on.

use std::{
    net::TcpStream,
    os::{fd::OwnedFd, unix::net::UnixStream},
    sync::Arc,
};

use async_trait::async_trait;
use libunftp::{
    ServerBuilder,
    options::{Reply, ReplyCode, SiteCommandContext, SiteCommandHandler},
};
use tokio::{io::AsyncReadExt as _, runtime::Builder, time::timeout};
use unftp_core::auth::DefaultUser;
use unftp_sbe_fs::Filesystem;

use crate::{LITTLE_WHILE, bare::Bare};

/// Work-around: the shim, which gives one end of a pair of local sockets the client's address.
#[test]
fn a_connection_without_an_ip_address_is_not_served() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().to_owned();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let [ours, theirs] = <[UnixStream; 2]>::from(UnixStream::pair().unwrap());
        for end in [&ours, &theirs] {
            end.set_nonblocking(true).unwrap();
        }
        let theirs = TcpStream::from(OwnedFd::from(theirs));
        let theirs = tokio::net::TcpStream::from_std(theirs).unwrap();
        let storage = Box::new(move || Filesystem::new(&root).unwrap());
        let server = ServerBuilder::<Filesystem, DefaultUser>::new(storage);
        let service = server.build().unwrap().service(theirs);
        let _ended = timeout(LITTLE_WHILE, service).await.unwrap();
        let mut greeting = Vec::new();
        let mut ours = tokio::net::UnixStream::from_std(ours).unwrap();
        let _reset_or_end = ours.read_to_end(&mut greeting).await;
        assert!(greeting.is_empty());
    });
}

/// Takes the context of a SITE command apart.
#[derive(Debug)]
struct Takes;

#[async_trait]
impl SiteCommandHandler<Filesystem, DefaultUser> for Takes {
    async fn handle(&self, context: &SiteCommandContext<Filesystem, DefaultUser>) -> Reply {
        // This does not compile any more when there is a field for the working directory, or
        // another one.
        let SiteCommandContext {
            command,
            arguments,
            username: _,
            storage: _,
            user: _,
            logger: _,
        } = context;
        Reply::new(ReplyCode::CommandOkay, &format!("{command} {arguments}"))
    }
}

/// Work-around: the gate makes paths absolute and gives them to the storage.
#[test]
fn a_site_command_does_not_know_the_working_directory() {
    let bare = Bare::serve(([127, 0, 0, 1], 0).into(), |root| {
        let storage = Box::new(move || Filesystem::new(&root).unwrap());
        let everybody = Arc::new(unftp_core::auth::DefaultUserDetailProvider {});
        ServerBuilder::<_, DefaultUser>::with_user_detail_provider(storage, everybody)
            .site_command("DO", Takes)
    });
    std::fs::create_dir(bare.root().join("a")).unwrap();
    let mut ftp = bare.session();
    ftp.expect("CWD a", "250");
    assert_eq!(ftp.expect("SITE DO f", "200"), "200 DO f");
}

//! Logins by the accounts of the configuration, and listeners for data connections.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr, TcpStream},
    ops::RangeInclusive,
    os::fd::{AsFd as _, AsRawFd as _},
    sync::Arc,
    time::Instant,
};

use ::libunftp::options::Binder;
use async_trait::async_trait;
use nix::sys::socket::{Shutdown, shutdown};
use protocol::request::Password;
use tokio::{net::TcpSocket, sync::Mutex, time::sleep_until};
use unftp_core::auth::{
    AuthenticationError, Authenticator, ChannelEncryptionState, Credentials, Principal, UserDetail,
    UserDetailError, UserDetailProvider,
};
use unftp_sbe_fs::Filesystem;

use super::Shared;
use crate::{
    accounts::{self, Accounts},
    storage::{errno::io_failure, files::Files},
    task::{Task, blocking},
    transfer::passive::PassiveListener,
};

/// Somebody who has logged in. The account's root is open as long as the session is.
#[derive(Debug)]
pub(super) struct User {
    name: String,
    pub(super) files: Files,
    pub(super) filesystem: Filesystem,
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

impl UserDetail for User {}

/// The logins of a session, one at a time, and who came of the last.
#[derive(Debug)]
pub(super) struct LogIns {
    shared: Arc<Shared>,
    accounts: Arc<Accounts>,
    user: Mutex<Option<User>>,
}

impl LogIns {
    pub(super) fn new(shared: Arc<Shared>, log_ins: accounts::LogIns, client: IpAddr) -> Self {
        Self {
            accounts: Arc::new(Accounts::new(shared.setup.config.clone(), log_ins, client)),
            shared,
            user: Mutex::default(),
        }
    }
}

#[async_trait]
impl Authenticator for LogIns {
    async fn authenticate(
        &self,
        name: &str,
        credentials: &Credentials,
    ) -> Result<Principal, AuthenticationError> {
        let mut user = self.user.lock().await;
        let (accounts, config) = (self.accounts.clone(), self.shared.setup.config.clone());
        let password = Password(credentials.password.clone().unwrap_or_default().into());
        let secure = credentials.command_channel_security == ChannelEncryptionState::Tls;
        let (username, name) = (name.to_owned(), name.to_owned());
        let entered = blocking(move || {
            let log_in = accounts.log_in(&name, &password, secure, &Task::default());
            let Ok(account) = log_in.result else {
                return Ok(Err(log_in.due));
            };
            let filesystem = Filesystem::new(&account.root).map_err(|error| io_failure(&error))?;
            let files = Files::new(Arc::new(account), config)?;
            Ok(Ok(User {
                name,
                files,
                filesystem,
            }))
        });
        match entered.await {
            Ok(Ok(entered)) => *user = Some(entered),
            Ok(Err(due)) => sleep_until(due.unwrap_or_else(Instant::now).into()).await,
            Err(_failure) => {}
        }
        if user.is_none() {
            self.shared.watch.refuse();
            return Err(AuthenticationError::BadPassword);
        }
        self.shared.watch.log_in(&username);
        Ok(Principal { username })
    }
}

#[async_trait]
impl UserDetailProvider for LogIns {
    type User = User;

    async fn provide_user_detail(&self, principal: &Principal) -> Result<User, UserDetailError> {
        let username = principal.username.clone();
        let user = self.user.lock().await.take();
        user.ok_or(UserDetailError::UserNotFound { username })
    }
}

/// Makes the listeners of a session that is reached at this address.
#[derive(Debug)]
pub(super) struct PassivePorts(pub(super) Arc<Shared>, pub(super) SocketAddr);

#[async_trait]
impl Binder for PassivePorts {
    /// The socket listens already, so that its port is this session's alone. The library would keep
    /// the one before for 15 seconds: it is ended.
    async fn bind(&mut self, _: IpAddr, ports: RangeInclusive<u16>) -> io::Result<TcpSocket> {
        if let Some(before) = self.0.set_listener(None) {
            let _ended = shutdown(before.as_fd().as_raw_fd(), Shutdown::Both);
        }
        let opened = PassiveListener::open(self.1, &ports);
        let (listener, _port) = opened.map_err(|_full| io::ErrorKind::AddrInUse)?;
        let socket = TcpStream::from(listener.as_fd().try_clone_to_owned()?);
        self.0.set_listener(Some(listener));
        Ok(TcpSocket::from_std_stream(socket))
    }
}

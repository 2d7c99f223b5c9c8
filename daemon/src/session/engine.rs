//! The FTP engine: the only file that knows libunftp's `ServerBuilder`.
//!
//! libunftp opens, checks and closes data connections, and keeps the order of what uses them. It
//! serves one end of a pair of local sockets; the gate speaks to the other. It starts with the first
//! data connection of a user who has logged in and can be replaced at any time, because everything
//! that it does is in the session's [`Context`] as well. What needs no data connection does without
//! it.

use std::{
    io,
    net::{SocketAddr, TcpStream},
    os::fd::{AsFd as _, OwnedFd},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use libunftp::{
    Server, ServerBuilder,
    options::{ActivePassiveMode, PassiveHost, SiteMd5},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream as EngineStream, UnixStream},
    runtime::Handle,
    task::JoinHandle,
    time::sleep,
};
use tracing::debug;
use unftp_core::auth::{
    AuthenticationError, Authenticator, Credentials, Principal, UserDetailError, UserDetailProvider,
};

use super::{Context, passive::PassivePorts};
use crate::{accounts::Account, storage::Storage, sys::Disguise, sys::stream_pair};

/// The gate has all timers.
const NEVER: Duration = Duration::from_hours(365 * 24);

/// How long an engine gets to give up a data connection that it has not used.
const LEAVING: Duration = Duration::from_secs(1);

/// A running engine. It ends when this is dropped, up to what waits for data connections: that
/// ends within 15 seconds, or with the session's runtime.
#[derive(Debug)]
pub(super) struct Engine {
    stream: UnixStream,
    service: JoinHandle<()>,
    /// Whether it has answered what it was told.
    quiet: bool,
    /// Until the engine has greeted.
    disguise: Disguise,
}

impl Engine {
    /// Starts an engine that sees a client at `client`, connected to `local`.
    ///
    /// # Errors
    /// If there are no sockets, or libunftp refuses its options, which would be a fault of ours.
    pub(super) fn start(
        context: &Arc<Context>,
        storage: &Storage,
        client: SocketAddr,
        local: SocketAddr,
    ) -> Result<Self> {
        let (ours, theirs) = stream_pair().context("no sockets for the engine")?;
        // To tokio and libunftp it is a TCP stream. They only read, write and close it, and ask for
        // its addresses.
        let theirs = TcpStream::from(OwnedFd::from(theirs));
        let disguise = Disguise::put_on(theirs.as_fd(), client, local, {
            let context = context.clone();
            move |connection| context.set_connection(connection)
        });
        let theirs = EngineStream::from_std(theirs)?;
        let server = build(context, storage)?;
        // Boxed, as the session itself is.
        let service = tokio::spawn(Box::pin(async move {
            if let Err(error) = server.service(theirs).await {
                debug!(%error, "the engine has ended");
            }
        }));
        Ok(Self {
            stream: UnixStream::from_std(ours)?,
            service,
            quiet: false,
            disguise,
        })
    }

    /// Waits for something that the engine says; 0 bytes when it has ended.
    pub(super) async fn hear(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(bytes).await?;
        self.quiet = true;
        // It asks for the addresses before it greets, and the numbers of descriptors are used
        // again.
        self.disguise.reveal_control();
        Ok(count)
    }

    /// Sends a line. The engine gets one line at a time, so there is always room for it.
    pub(super) async fn tell(&mut self, line: &str) -> io::Result<()> {
        self.quiet = false;
        self.stream
            .write_all(format!("{line}\r\n").as_bytes())
            .await
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // libunftp keeps a data connection that has come and was not used for five minutes, unless
        // it hears this. One that is busy would not hear it, and might still open a connection.
        let leaves = self.quiet && self.stream.try_write(b"ABOR\r\n").is_ok();
        match Handle::try_current() {
            Ok(runtime) if leaves => {
                let service = self.service.abort_handle();
                runtime.spawn(async move {
                    // It ends before, because its connection does.
                    sleep(LEAVING).await;
                    service.abort();
                });
            }
            _ => self.service.abort(),
        }
    }
}

fn build(context: &Arc<Context>, storage: &Storage) -> Result<Server<Storage, Account>> {
    let user = Arc::new(LoggedIn(context.clone()));
    let storage = {
        let storage = storage.clone();
        Box::new(move || storage.clone())
    };
    ServerBuilder::<Storage, Account>::with_user_detail_provider(storage, user.clone())
        .authenticator(user)
        .idle_session_timeout(NEVER.as_secs())
        .active_passive_mode(ActivePassiveMode::ActiveAndPassive)
        .passive_ports(context.config.passive.ports.0.clone())
        .passive_host(PassiveHost::FromConnection)
        .binder(PassivePorts::new(context.clone()))
        .sitemd5(SiteMd5::None)
        // Its log lines quote what clients send.
        .logger(slog::Logger::root(slog::Discard, slog::o!()))
        .build()
        .context("libunftp refuses its options")
}

/// Whoever has logged in at the gate.
#[derive(Debug)]
struct LoggedIn(Arc<Context>);

#[async_trait]
impl Authenticator for LoggedIn {
    async fn authenticate(
        &self,
        username: &str,
        _credentials: &Credentials,
    ) -> Result<Principal, AuthenticationError> {
        match self.0.account() {
            Some(_) => Ok(Principal {
                username: username.to_owned(),
            }),
            None => Err(AuthenticationError::BadUser),
        }
    }
}

#[async_trait]
impl UserDetailProvider for LoggedIn {
    type User = Account;

    async fn provide_user_detail(&self, principal: &Principal) -> Result<Account, UserDetailError> {
        let account = self.0.account();
        account
            .map(|account| Account::clone(&account))
            .ok_or_else(|| UserDetailError::UserNotFound {
                username: principal.username.clone(),
            })
    }
}

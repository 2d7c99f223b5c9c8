//! The second engine: libunftp and its storage back-end unftp-sbe-fs, whole and unmodified, on the
//! listeners, admission, accounts, rights, roots and certificate of the native one. No other file
//! names these crates; `daemon/LIBUNFTP.md` says what they cannot do.
//!
//! A session has a thread and a runtime of its own: dropping the runtime ends all that the library
//! has started.

mod accounts;
mod storage;

use std::{
    net::SocketAddr,
    os::fd::AsFd as _,
    path::PathBuf,
    pin::pin,
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, Instant},
};

use ::libunftp::{
    Server, ServerBuilder,
    options::{ActivePassiveMode, FtpsRequired, SiteMd5},
};
use anyhow::{Context as _, Result};
use tokio::{
    net::{TcpStream, unix::pipe::Receiver},
    runtime::Builder,
    time::sleep,
};

use self::{
    accounts::{LogIns, PassivePorts, User},
    storage::Storage,
};
use crate::{
    config::Required,
    session::{Session, admission::Permit, setup::Setup, tune, watch::Watch},
    task::{STACK_BYTES, keep},
    transfer::passive::PassiveListener,
};

/// How often the limits of a session are looked at.
const TICK: Duration = Duration::from_millis(500);

/// What the frame shares with what the library calls.
#[derive(Debug)]
struct Shared {
    setup: Arc<Setup>,
    watch: Watch,
    /// The listener of the transfer that is to come.
    listener: Mutex<Option<PassiveListener>>,
}

impl Shared {
    /// Puts a listener in the place of the one before.
    fn set_listener(&self, listener: Option<PassiveListener>) -> Option<PassiveListener> {
        let mut place = self.listener.lock().ok()?;
        std::mem::replace(&mut *place, listener)
    }
}

/// Serves a session until the client leaves or the frame ends it.
///
/// # Errors
/// Why the frame has ended it, or what is missing.
pub(crate) fn serve(session: Session, permit: Arc<Permit>) -> Result<()> {
    tune(&session.stream);
    let shared = Arc::new(Shared {
        setup: session.setup,
        watch: Watch::new(session.status),
        listener: Mutex::default(),
    });
    let runtime = Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(2)
        .thread_stack_size(STACK_BYTES)
        .on_thread_start(move || keep(permit.clone()))
        .build()?;
    let ended = runtime.block_on(async {
        let stream = TcpStream::from_std(session.stream.try_clone()?)?;
        let log_ins = LogIns::new(shared.clone(), session.log_ins, session.peer.ip());
        let server = build(&shared, Arc::new(log_ins), stream.local_addr()?)?;
        let mut service = pin!(server.service(stream));
        let woken = Receiver::from_owned_fd(session.wakeups.as_fd().try_clone_to_owned()?)?;
        loop {
            let limits = &shared.setup.config.limits;
            if !shared.watch.goes_on(limits, Instant::now()) {
                return Ok(());
            }
            tokio::select! {
                ended = &mut service => return ended.context("the engine failed"),
                () = sleep(TICK) => {}
                _ = woken.readable() => {
                    // The second time, this finds nothing and waits again.
                    let _read = woken.try_read(&mut [0; 8]);
                    shared.watch.seen(&session.wakeups);
                }
            }
        }
    });
    shared.watch.finish();
    runtime.shutdown_background();
    ended
}

fn build(
    shared: &Arc<Shared>,
    log_ins: Arc<LogIns>,
    local: SocketAddr,
) -> Result<Server<Storage, User>> {
    // The library wants a text that lives for ever: that of the start stays.
    static GREETING: OnceLock<String> = OnceLock::new();
    let config = &shared.setup.config;
    let storage = Storage(shared.clone());
    let storage = Box::new(move || storage.clone());
    let mut builder = ServerBuilder::with_user_detail_provider(storage, log_ins.clone())
        .authenticator(log_ins)
        .greeting(GREETING.get_or_init(|| config.greeting.clone()))
        .idle_session_timeout(config.limits.idle_seconds.into())
        .passive_ports(config.passive.ports.0.clone())
        .binder(PassivePorts(shared.clone(), local))
        .sitemd5(SiteMd5::None)
        // Its log lines quote what clients send.
        .logger(slog::Logger::root(slog::Discard, slog::o!()));
    if let Some(host) = config.passive.host {
        builder = builder.passive_host(host);
    }
    if config.active.enabled {
        builder = builder.active_passive_mode(ActivePassiveMode::ActiveAndPassive);
    }
    if let (Some(tls), Some(rules)) = (&shared.setup.tls, &config.tls) {
        let control = FtpsRequired::from(rules.required >= Required::Control);
        builder = builder.ftps_manual::<PathBuf>(tls.clone());
        builder = builder.ftps_required(control, FtpsRequired::None);
    }
    builder.build().context("libunftp refuses its options")
}

//! The daemon's side.

use std::{
    convert::Infallible,
    fmt::Write as _,
    fs, io,
    os::unix::{fs::FileTypeExt as _, net::UnixStream as StdUnixStream},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use nix::sys::stat::{Mode, umask};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
    task::{JoinSet, spawn_blocking},
    time::{Instant, sleep, timeout},
};
use tracing::{info, warn};

use super::{MAX_REQUEST_BYTES, OK, Request};
use crate::{
    accounts::guard::BanRow,
    origin::Origin,
    server::Server,
    session::registry::Row,
    storage::leftovers::{self, Part},
    sys::uninterrupted,
};

/// How long whoever asks may take to send the request, and again to read the answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Requests that are served at a time. Further ones wait until one of these has ended.
const MOST_REQUESTS: usize = 8;

/// How long a session that is to end is waited for.
const SESSION_EXIT: Duration = Duration::from_secs(2);

/// How long the removal of a file may take.
const STORAGE_PATIENCE: Duration = Duration::from_secs(5);

/// How often to look whether it is gone.
const BEAT: Duration = Duration::from_millis(10);

/// How long to wait when a connection cannot be accepted.
const BACK_OFF: Duration = Duration::from_secs(1);

/// The socket, bound. Its file goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Listener {
    path: PathBuf,
    listener: UnixListener,
}

impl Listener {
    /// Binds the socket. No thread must make files meanwhile: the mask of the process changes.
    ///
    /// That it cannot be done is logged and no reason not to serve.
    pub(crate) fn bind(path: PathBuf) -> Option<Self> {
        match bind(&path) {
            Ok(listener) => Some(Self { path, listener }),
            Err(error) => {
                warn!(
                    "control-socket: no control socket at {}: {error}; the daemon serves, but its \
                     sessions cannot be listed or ended; look at the directory, or choose another \
                     path",
                    path.display()
                );
                None
            }
        }
    }

    /// Serves requests, several at a time.
    pub(crate) async fn run(&self, server: &Arc<Server>) -> Infallible {
        let mut requests = JoinSet::new();
        loop {
            while requests.len() >= MOST_REQUESTS {
                let _ended = requests.join_next().await;
            }
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    while requests.try_join_next().is_some() {}
                    let server = server.clone();
                    // Whoever breaks off needs no answer.
                    requests.spawn(async move { serve(stream, &server).await });
                }
                Err(error) => {
                    warn!(%error, "the control socket cannot accept for now");
                    sleep(BACK_OFF).await;
                }
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // A daemon that was started after us has none here: ours was in use.
        if let Err(error) = fs::remove_file(&self.path) {
            warn!(path = %self.path.display(), %error, "cannot remove the control socket");
        }
    }
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    make_way(path)?;
    // The file has its mode from its first moment.
    let before = umask(Mode::from_bits_truncate(0o177));
    let bound = UnixListener::bind(path);
    umask(before);
    bound
}

/// Removes the socket of a daemon that is gone.
fn make_way(path: &Path) -> io::Result<()> {
    match uninterrupted(|| fs::symlink_metadata(path)) {
        Ok(file) if !file.file_type().is_socket() => Err(io::Error::other(
            "something else is there; remove it or change control-socket",
        )),
        Ok(_) if StdUnixStream::connect(path).is_ok() => Err(io::Error::other(
            "another daemon uses it; stop that one or change control-socket",
        )),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

async fn serve(mut stream: UnixStream, server: &Server) -> io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut line = String::new();
    let mut reader = BufReader::new(reader.take(MAX_REQUEST_BYTES));
    timeout(PATIENCE, reader.read_line(&mut line)).await??;
    let answer = match Request::parse(&line) {
        Some(Request::Sessions { json }) => sessions(server, json),
        Some(Request::Kill(id)) => kill(server, id).await,
        Some(Request::Bans { json }) => bans(server, json),
        Some(Request::Unban(origin)) => unban(server, origin),
        Some(Request::Written) => written(),
        Some(Request::RemovePart(part)) => remove_part(part).await,
        None => "the daemon knows no such request; was it updated and not restarted?\n".to_owned(),
    };
    let write = async {
        writer.write_all(answer.as_bytes()).await?;
        writer.shutdown().await
    };
    timeout(PATIENCE, write).await?
}

fn sessions(server: &Server, json: bool) -> String {
    let rows = server.sessions.rows();
    if !json {
        return format!("{OK}{}", table(&rows));
    }
    match serde_json::to_string_pretty(&rows) {
        Ok(rows) => format!("{OK}{rows}\n"),
        Err(error) => format!("the sessions cannot be told: {error}\n"),
    }
}

fn table(rows: &[Row]) -> String {
    let mut table = String::new();
    let mut line = |[id, peer, user, tls, data, seconds, state]: [&str; 7]| {
        // Writing to a string does not fail.
        let _written = writeln!(
            table,
            "{id:>6}  {peer:<24}  {user:<16}  {tls:<42}  {data:<5}  {seconds:>8}  {state}"
        );
    };
    line(["ID", "PEER", "USER", "TLS", "DATA", "SECONDS", "STATE"]);
    for row in rows {
        let mut state = row.state.to_owned();
        if let (Some(path), Some(bytes)) = (&row.path, row.bytes) {
            // Clients choose paths: their `Debug` form cannot forge a line.
            let _written = write!(state, " {path:?}, {bytes} bytes");
        }
        let tls = match (row.tls, &row.cipher) {
            (Some(version), Some(cipher)) => format!("{version} {cipher}"),
            _ => "-".to_owned(),
        };
        line([
            &row.id.to_string(),
            &row.peer,
            row.user.as_deref().unwrap_or("-"),
            &tls,
            if row.data_protected { "TLS" } else { "clear" },
            &row.seconds.to_string(),
            &state,
        ]);
    }
    table
}

async fn kill(server: &Server, id: u64) -> String {
    if !server.sessions.kill(id) {
        return format!("there is no session {id}; see: esxftpd sessions\n");
    }
    info!(id, "an administrator ends a session");
    let deadline = Instant::now() + SESSION_EXIT;
    while server.sessions.contains(id) {
        if Instant::now() > deadline {
            return format!("session {id} has been told to end and has not ended yet\n");
        }
        sleep(BEAT).await;
    }
    OK.to_owned()
}

fn bans(server: &Server, json: bool) -> String {
    let rows = server.log_ins.guard.rows();
    if json {
        return match serde_json::to_string_pretty(&rows) {
            Ok(rows) => format!("{OK}{rows}\n"),
            Err(error) => format!("cannot list bans: {error}\n"),
        };
    }
    let mut table = format!("{OK}{:<24}  FAILURES  REFUSED  UNTIL\n", "ADDRESS");
    for row in rows {
        let BanRow {
            address,
            failures,
            refused,
            until,
            ..
        } = row;
        // Writing to a string does not fail.
        let _written = writeln!(table, "{address:<24}  {failures:>8}  {refused:>7}  {until}");
    }
    table
}

fn unban(server: &Server, origin: Option<Origin>) -> String {
    match (server.log_ins.guard.unban(origin), origin) {
        (0, Some(origin)) => format!("{origin} is not banned; see: esxftpd bans\n"),
        _ => OK.to_owned(),
    }
}

fn written() -> String {
    let files = leftovers::written();
    let lines = files
        .iter()
        .map(|(device, inode)| format!("{device} {inode}\n"));
    format!("{OK}{}", lines.collect::<String>())
}

/// The storage may hang, and other requests are not to wait for it.
async fn remove_part(part: Part) -> String {
    let removing = spawn_blocking(move || part.remove());
    match timeout(STORAGE_PATIENCE, removing).await {
        Ok(Ok(Ok(true))) => format!("{OK}removed\n"),
        Ok(Ok(Ok(false))) => format!("{OK}kept\n"),
        Ok(Ok(Err(failure))) => format!("{failure}\n"),
        Ok(Err(_panicked)) => "the daemon failed; see its log\n".to_owned(),
        Err(_elapsed) => "the storage does not answer\n".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn row(path: Option<&str>) -> Row {
        Row {
            id: 7,
            peer: "192.0.2.7:40000".to_owned(),
            user: path.map(|_| "alice".to_owned()),
            tls: path.map(|_| "TLSv1.3"),
            cipher: path.map(|_| "TLS_AES_256_GCM_SHA384".to_owned()),
            data_protected: path.is_some(),
            seconds: 61,
            state: if path.is_some() { "upload" } else { "log-in" },
            path: path.map(str::to_owned),
            bytes: path.map(|_| 5),
        }
    }

    #[test]
    fn a_session_is_one_line_of_the_table() {
        let table = table(&[row(None), row(Some("/a\nb\u{1b}[2J"))]);
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines.len(), 3, "{table}");
        assert!(lines[0].contains("ID  PEER"), "{table}");
        assert!(lines[1].ends_with("61  log-in"), "{table}");
        assert!(
            lines[2].contains("  TLSv1.3 TLS_AES_256_GCM_SHA384  "),
            "{table}"
        );
        assert!(
            lines[2].ends_with(r#"upload "/a\nb\u{1b}[2J", 5 bytes"#),
            "{table}"
        );
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "the kernel leaves the file");
        let live = Listener::bind(path.clone()).expect("a stale socket is in nobody's way");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert!(Listener::bind(path.clone()).is_none());
        assert!(path.exists(), "the live one stays");
        drop(live);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn what_is_no_socket_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        fs::write(&path, "precious").unwrap();
        assert!(Listener::bind(path.clone()).is_none());
        assert_eq!(fs::read(&path).unwrap(), b"precious");
        assert!(Listener::bind(directory.path().join("absent/s")).is_none());
    }
}

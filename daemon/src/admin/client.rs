//! The side of whoever asks.

use std::{
    io::{self, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use thiserror::Error;

use super::{OK, Request};

/// How long the daemon may take for each step. It waits for a session to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most that is read of an answer: a thousand sessions with the longest paths.
const MAX_ANSWER_BYTES: u64 = 16 << 20;

/// Why there is no answer, or a bad one.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(crate) enum Failure {
    /// Nobody is there.
    #[error(
        "cannot connect to {}: {error}; is the daemon running? Check /etc/init.d/esxftpd status, \
         and control-socket in the configuration",
        path.display()
    )]
    NotRunning {
        /// The socket.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Somebody is there and does not answer as a daemon does.
    #[error(
        "the daemon at {} does not answer: {error}; try again, or look into its log",
        path.display()
    )]
    Broken {
        /// The socket.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The daemon does not do it.
    #[error("{0}")]
    Refused(String),
}

/// Asks the daemon at this socket and returns its answer.
///
/// # Errors
/// If there is no daemon, or if it refuses.
pub(crate) fn ask(path: &Path, request: &Request) -> Result<String, Failure> {
    let stream = UnixStream::connect(path).map_err(|error| Failure::NotRunning {
        path: path.to_owned(),
        error,
    })?;
    let answer = converse(&stream, request).map_err(|error| Failure::Broken {
        path: path.to_owned(),
        error,
    })?;
    match answer.strip_prefix(OK) {
        Some(answer) => Ok(answer.to_owned()),
        None => Err(Failure::Refused(answer.trim_end().to_owned())),
    }
}

fn converse(mut stream: &UnixStream, request: &Request) -> io::Result<String> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(request.to_line().as_bytes())?;
    let mut answer = String::new();
    stream.take(MAX_ANSWER_BYTES).read_to_string(&mut answer)?;
    // Each answer ends with a line end; without one, it was cut off.
    if answer.ends_with('\n') {
        Ok(answer)
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

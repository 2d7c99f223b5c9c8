//! The control socket: how an administrator sees the sessions and bans of the daemon that runs, and
//! ends single ones.
//!
//! It is a local stream socket that only root can use. Each connection carries one request, a line,
//! and one answer: a line `ok`, or one that says what is wrong, and then what was asked for. The
//! daemon writes it ready to be read, so `esxftpd sessions` and `esxftpd kill` only pass it on.

mod client;
mod listener;

use std::path::{Path, PathBuf};

use crate::accounts::origin::Origin;

pub(crate) use self::{
    client::{Failure, ask},
    listener::Listener,
};

/// Where the socket is without another word: beside the pid file of the init script.
pub(crate) const DEFAULT_PATH: &str = "/var/run/esxftpd.sock";

/// The first line of an answer if the request was granted.
const OK: &str = "ok\n";

/// The longest line of a request in bytes.
const MAX_REQUEST_BYTES: u64 = 64;

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// All sessions, as a table or as JSON.
    Sessions {
        /// Whether as JSON.
        json: bool,
    },
    /// The end of the session with this number.
    Kill(u64),
    /// All bans, as a table or as JSON.
    Bans {
        /// Whether as JSON.
        json: bool,
    },
    /// The end of the ban of one address, or of all bans.
    Unban(Option<Origin>),
}

impl Request {
    fn to_line(self) -> String {
        match self {
            Self::Sessions { json: false } => "sessions\n".to_owned(),
            Self::Sessions { json: true } => "sessions json\n".to_owned(),
            Self::Kill(id) => format!("kill {id}\n"),
            Self::Bans { json: false } => "bans\n".to_owned(),
            Self::Bans { json: true } => "bans json\n".to_owned(),
            Self::Unban(None) => "unban all\n".to_owned(),
            Self::Unban(Some(origin)) => format!("unban {origin}\n"),
        }
    }

    fn parse(line: &str) -> Option<Self> {
        match line.strip_suffix('\n')? {
            "sessions" => Some(Self::Sessions { json: false }),
            "sessions json" => Some(Self::Sessions { json: true }),
            "bans" => Some(Self::Bans { json: false }),
            "bans json" => Some(Self::Bans { json: true }),
            "unban all" => Some(Self::Unban(None)),
            other => match other.split_once(' ')? {
                ("kill", id) => Some(Self::Kill(id.parse().ok()?)),
                ("unban", address) => Some(Self::Unban(Some(Origin::parse(address)?))),
                _ => None,
            },
        }
    }
}

/// Where the socket of a daemon is that has no configured one: beside its pid file.
pub(crate) fn beside(pid_file: &Path) -> PathBuf {
    pid_file.with_extension("sock")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_default_is_beside_the_pid_file_of_the_init_script() {
        let script = include_str!("../../../init.d/esxftpd");
        let line = script
            .lines()
            .find_map(|line| line.strip_prefix("PID_FILE="));
        assert_eq!(beside(Path::new(line.unwrap())), Path::new(DEFAULT_PATH));
    }

    proptest! {
        #[test]
        fn requests_are_read_as_they_are_written(id: u64, address: std::net::IpAddr) {
            for request in [
                Request::Kill(id),
                Request::Unban(Some(Origin::of(address))),
                Request::Unban(None),
                Request::Bans { json: true },
                Request::Bans { json: false },
                Request::Sessions { json: true },
                Request::Sessions { json: false },
            ] {
                let line = request.to_line();
                prop_assert!(line.len() as u64 <= MAX_REQUEST_BYTES);
                prop_assert_eq!(Request::parse(&line), Some(request));
            }
        }

        #[test]
        fn no_line_makes_the_parser_panic(line: String) {
            let _parsed = Request::parse(&line);
        }
    }

    #[test]
    fn what_is_no_request_is_not_taken_for_one() {
        for line in [
            "",
            "\n",
            "sessions",
            "kill\n",
            "kill \n",
            "kill x\n",
            "kill -1\n",
            "kill 1 2\n",
            "unban\n",
            "unban 192.0.2.0/24\n",
            "bans xml\n",
        ] {
            assert_eq!(Request::parse(line), None, "{line:?}");
        }
    }
}

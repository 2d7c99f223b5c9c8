//! The control socket: how an administrator sees the sessions and bans of the daemon that runs, and
//! ends single ones; and how `esxftpd parts` learns which part files are written.
//!
//! It is a local stream socket that only root can use. Each connection carries one request, a line,
//! and one answer: a line `ok`, or one that says what is wrong, and then what was asked for. The
//! daemon writes it ready to be read, so `esxftpd sessions` and `esxftpd kill` only pass it on.

mod client;
mod listener;

use std::{
    ffi::OsString,
    fmt::Write as _,
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::{Path, PathBuf},
};

use protocol::virtual_path::VirtualPath;

use crate::origin::Origin;

pub(crate) use self::{
    client::{Failure, ask},
    listener::Listener,
};
use crate::storage::leftovers::Part;

/// Where the socket is without another word: beside the pid file of the init script.
pub(crate) const DEFAULT_PATH: &str = "/var/run/esxftpd.sock";

/// The first line of an answer if the request was granted.
const OK: &str = "ok\n";

/// The longest line of a request in bytes: two paths of 4096 bytes in hexadecimal digits.
const MAX_REQUEST_BYTES: u64 = 20 * 1024;

/// What can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// Device and inode of each file that a session writes.
    Written,
    /// The removal of a part file that no session writes and nobody has changed since.
    RemovePart(Part),
}

impl Request {
    fn to_line(&self) -> String {
        match self {
            Self::Sessions { json: false } => "sessions\n".to_owned(),
            Self::Sessions { json: true } => "sessions json\n".to_owned(),
            Self::Kill(id) => format!("kill {id}\n"),
            Self::Bans { json: false } => "bans\n".to_owned(),
            Self::Bans { json: true } => "bans json\n".to_owned(),
            Self::Unban(None) => "unban all\n".to_owned(),
            Self::Unban(Some(origin)) => format!("unban {origin}\n"),
            Self::Written => "written\n".to_owned(),
            Self::RemovePart(part) => {
                let root = hexadecimal(part.root.as_os_str().as_bytes());
                let path = hexadecimal(part.path.as_bytes());
                format!("remove-part {} {root} {path}\n", part.changed)
            }
        }
    }

    fn parse(line: &str) -> Option<Self> {
        match line.strip_suffix('\n')? {
            "sessions" => Some(Self::Sessions { json: false }),
            "sessions json" => Some(Self::Sessions { json: true }),
            "bans" => Some(Self::Bans { json: false }),
            "bans json" => Some(Self::Bans { json: true }),
            "unban all" => Some(Self::Unban(None)),
            "written" => Some(Self::Written),
            other => match other.split_once(' ')? {
                ("kill", id) => Some(Self::Kill(id.parse().ok()?)),
                ("unban", address) => Some(Self::Unban(Some(Origin::parse(address)?))),
                ("remove-part", part) => parse_part(part).map(Self::RemovePart),
                _ => None,
            },
        }
    }
}

fn parse_part(text: &str) -> Option<Part> {
    let mut words = text.split(' ');
    let changed = words.next()?.parse().ok()?;
    let root = OsString::from_vec(bytes(words.next()?)?);
    let path = VirtualPath::root().join(&bytes(words.next()?)?).ok()?;
    let part = Part {
        root: root.into(),
        path,
        size: 0,
        changed,
        file: (0, 0),
    };
    words.next().is_none().then_some(part)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut digits, byte| {
        // Writing to a string does not fail.
        let _written = write!(digits, "{byte:02x}");
        digits
    })
}

/// The bytes that hexadecimal digits stand for.
fn bytes(digits: &str) -> Option<Vec<u8>> {
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let pairs = digits.as_bytes().chunks(2).map(|pair| {
        let pair = str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
        u8::from_str_radix(pair, 16).ok()
    });
    pairs.collect()
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
        fn requests_are_read_as_they_are_written(
            id: u64,
            address: std::net::IpAddr,
            changed: i64,
            root: Vec<u8>,
            name in proptest::collection::vec(1_u8.., 1..255),
        ) {
            let part = Part {
                root: OsString::from_vec(root).into(),
                path: VirtualPath::root().join(&name).unwrap(),
                size: 0,
                changed,
                file: (0, 0),
            };
            for request in [
                Request::Kill(id),
                Request::Unban(Some(Origin::of(address))),
                Request::Unban(None),
                Request::Bans { json: true },
                Request::Bans { json: false },
                Request::Written,
                Request::RemovePart(part),
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
            "written 1\n",
            "remove-part\n",
            "remove-part 1 2f\n",
            "remove-part x 2f 61\n",
            "remove-part 1 2f 6\n",
            "remove-part 1 2f +6\n",
            "remove-part 1 2f 61 61\n",
        ] {
            assert_eq!(Request::parse(line), None, "{line:?}");
        }
    }
}

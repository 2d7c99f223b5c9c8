//! What the daemon does about what a kernel has or lacks.

/// In a few words. `works` tells how the trial ended.
pub(super) fn consequence(call: &str, flag: Option<&str>, works: bool) -> &'static str {
    let (with, without) = pair(call, flag);
    if works { with } else { without }
}

const UNUSED: (&str, &str) = ("not used", "not used");
const MUSL: (&str, &str) = ("used", "musl does without");
const NEEDED: (&str, &str) = ("used", "NEEDED: report this");
const AT: (&str, &str) = (
    "roots by directory handles",
    "roots by paths; see storage.root",
);
const OPTION: (&str, &str) = ("used", "done without");

fn pair(call: &str, flag: Option<&str>) -> (&'static str, &'static str) {
    match (call, flag) {
        (
            "openat" | "newfstatat" | "readlinkat" | "mkdirat" | "unlinkat" | "renameat"
            | "utimensat",
            _,
        )
        | ("open", Some("O_PATH")) => AT,
        ("openat2" | "statx", _) => ("used by cap-std for removals", "cap-std does without"),
        (
            "open" | "stat" | "lstat" | "fstat" | "access" | "rename" | "mkdir" | "rmdir"
            | "unlink" | "readlink" | "fchmod" | "getdents64" | "ftruncate" | "lseek" | "pread64"
            | "pwrite64" | "fsync" | "fdatasync" | "socketpair" | "mprotect" | "clock_gettime"
            | "futex" | "poll",
            None,
        )
        | ("clone", Some("CLONE_DETACHED")) => NEEDED,
        ("lseek", Some("SEEK_HOLE")) => ("holes are skipped", "holes are read as zeros"),
        ("utimes", _) => (
            "used where utimensat is missing",
            "times of files cannot be set by paths",
        ),
        ("statfs" | "fstatfs", _) => (
            "space and reserve are watched",
            "uploads are not checked for space",
        ),
        ("pipe2" | "accept4" | "prctl" | "madvise" | "prlimit64", _)
        | ("socket", Some("SOCK_CLOEXEC" | "SOCK_NONBLOCK"))
        | ("fcntl", Some("F_DUPFD_CLOEXEC")) => MUSL,
        ("futex", Some("FUTEX_WAIT_BITSET")) => (
            "used by std",
            "locks of std spin while they wait; tokio's do not",
        ),
        ("socket", Some("AF_INET6")) => ("used", "IPv4 only"),
        ("socket", Some("AF_UNIX SOCK_STREAM")) => (
            "used for the control socket",
            "no esxftpd sessions, no esxftpd kill",
        ),
        ("setsockopt", Some("SO_REUSEADDR")) => {
            ("used", "a restart may have to wait for old connections")
        }
        ("setsockopt", Some("IPV6_V6ONLY")) => ("used", "IPv6 may need a port of its own"),
        ("setsockopt", Some("TCP_NODELAY")) => ("used", "replies may be slow"),
        ("accept", Some(_)) => ("noted", "set on each connection"),
        ("connect", Some("/dev/log")) => ("logs to the host's syslog", "logs to stderr"),
        ("clone", Some(_)) => ("enough for sessions", "few sessions: lower limits.sessions"),
        ("getrandom", _) => ("used", "/dev/random and /dev/urandom are used instead"),
        ("poll", Some("/dev/random")) => ("noted", "without getrandom, the daemon will not start"),
        ("read", Some("/dev/urandom")) => ("noted", "without getrandom, the daemon cannot run"),
        ("uname", _) => ("logged at the start", "not logged"),
        ("poll", Some("POLLRDHUP")) => (
            "asked for by mio",
            "NEEDED by mio: will not start; report this",
        ),
        ("sched_getaffinity" | "gettimeofday" | "nanosleep", _)
        | ("setsockopt", Some("SO_KEEPALIVE" | "SO_SNDBUF" | "SO_RCVBUF")) => OPTION,
        _ => UNUSED,
    }
}

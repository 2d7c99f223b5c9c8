//! The trials in the order in which they are told.

use nix::{
    errno::Errno::{self, EBADF, EFAULT, EINVAL, ENOENT, ENOTSOCK},
    libc::{self, c_long},
};

use super::{
    Arg::{self, Buffer, Missing, Number, Root},
    Trial, Way, memory, sockets, threads, waiting,
};

const HERE: Arg = Number(libc::AT_FDCWD as i64);
const NONE: Arg = Number(-1);
const ZERO: Arg = Number(0);

const fn once(
    call: &'static str,
    number: c_long,
    arguments: &'static [Arg],
    known: &'static [Errno],
) -> Trial {
    Trial {
        call,
        flag: None,
        way: Way::Once(number, arguments, known),
    }
}

const fn steps(call: &'static str, flag: &'static str, way: fn() -> nix::Result<()>) -> Trial {
    Trial {
        call,
        flag: if flag.is_empty() { None } else { Some(flag) },
        way: Way::Steps(way),
    }
}

/// A call on a path that does not exist.
const fn at_missing(call: &'static str, number: c_long, arguments: &'static [Arg]) -> Trial {
    once(call, number, arguments, &[ENOENT])
}

/// A call on no descriptor.
const fn on_none(call: &'static str, number: c_long, arguments: &'static [Arg]) -> Trial {
    once(call, number, arguments, &[EBADF, EINVAL])
}

/// All trials.
pub(crate) fn trials() -> impl Iterator<Item = &'static Trial> {
    [FILES, OLD, EVENTS, SOCKETS, THREADS, TIME]
        .into_iter()
        .flatten()
}

/// Calls that only older architectures have. aarch64 knows their successors, such as `openat`.
#[cfg(target_arch = "x86_64")]
const OLD: &[Trial] = &[
    at_missing("futimesat", libc::SYS_futimesat, &[HERE, Missing, Buffer]),
    at_missing("open", libc::SYS_open, &[Missing, ZERO]),
    once("stat", libc::SYS_stat, &[Root, Buffer], &[]),
    once("lstat", libc::SYS_lstat, &[Root, Buffer], &[]),
    once("access", libc::SYS_access, &[Root, ZERO], &[Errno::EACCES]),
    at_missing("rename", libc::SYS_rename, &[Missing, Missing]),
    at_missing("mkdir", libc::SYS_mkdir, &[Missing, ZERO]),
    at_missing("rmdir", libc::SYS_rmdir, &[Missing]),
    at_missing("unlink", libc::SYS_unlink, &[Missing]),
    at_missing("symlink", libc::SYS_symlink, &[Missing, Missing]),
    at_missing(
        "readlink",
        libc::SYS_readlink,
        &[Missing, Buffer, Number(4096)],
    ),
    at_missing("chmod", libc::SYS_chmod, &[Missing, ZERO]),
    at_missing("chown", libc::SYS_chown, &[Missing, NONE, NONE]),
    at_missing("utimes", libc::SYS_utimes, &[Missing, Buffer]),
    steps("open", "O_PATH", memory::open_path),
    on_none(
        "epoll_wait",
        libc::SYS_epoll_wait,
        &[NONE, Buffer, Number(1), ZERO],
    ),
    steps("fork", "", threads::fork),
];

#[cfg(not(target_arch = "x86_64"))]
const OLD: &[Trial] = &[];

const FILES: &[Trial] = &[
    steps("openat", "", memory::openat),
    at_missing("mkdirat", libc::SYS_mkdirat, &[HERE, Missing, ZERO]),
    at_missing("mknodat", libc::SYS_mknodat, &[HERE, Missing, ZERO]),
    at_missing("fchownat", libc::SYS_fchownat, &[HERE, Missing, NONE, NONE]),
    at_missing("newfstatat", libc::SYS_newfstatat, &[HERE, Missing, Buffer]),
    at_missing("unlinkat", libc::SYS_unlinkat, &[HERE, Missing, ZERO]),
    at_missing(
        "renameat",
        libc::SYS_renameat,
        &[HERE, Missing, HERE, Missing],
    ),
    at_missing("linkat", libc::SYS_linkat, &[HERE, Missing, HERE, Missing]),
    at_missing("symlinkat", libc::SYS_symlinkat, &[Missing, HERE, Missing]),
    at_missing(
        "readlinkat",
        libc::SYS_readlinkat,
        &[HERE, Missing, Buffer, Number(4096)],
    ),
    at_missing("fchmodat", libc::SYS_fchmodat, &[HERE, Missing, ZERO]),
    at_missing("faccessat", libc::SYS_faccessat, &[HERE, Missing, ZERO]),
    on_none("fstat", libc::SYS_fstat, &[NONE, Buffer]),
    on_none("fchmod", libc::SYS_fchmod, &[NONE, ZERO]),
    on_none("fchown", libc::SYS_fchown, &[NONE, NONE, NONE]),
    steps("openat2", "", memory::openat2),
    steps("openat", "O_PATH", memory::openat_path),
    at_missing(
        "statx",
        libc::SYS_statx,
        &[HERE, Missing, ZERO, Number(0x7ff), Buffer],
    ),
    on_none(
        "getdents64",
        libc::SYS_getdents64,
        &[NONE, Buffer, Number(4096)],
    ),
    on_none("ftruncate", libc::SYS_ftruncate, &[NONE, ZERO]),
    on_none("lseek", libc::SYS_lseek, &[NONE, ZERO, ZERO]),
    steps("lseek", "SEEK_HOLE", memory::seek_hole),
    on_none(
        "pread64",
        libc::SYS_pread64,
        &[NONE, Buffer, Number(1), ZERO],
    ),
    on_none(
        "pwrite64",
        libc::SYS_pwrite64,
        &[NONE, Buffer, Number(1), ZERO],
    ),
    on_none("fsync", libc::SYS_fsync, &[NONE]),
    on_none("fdatasync", libc::SYS_fdatasync, &[NONE]),
    on_none(
        "flock",
        libc::SYS_flock,
        &[NONE, Number(libc::LOCK_SH as i64)],
    ),
    at_missing(
        "utimensat",
        libc::SYS_utimensat,
        &[HERE, Missing, Buffer, ZERO],
    ),
    on_none(
        "fallocate",
        libc::SYS_fallocate,
        &[NONE, ZERO, ZERO, Number(1)],
    ),
    once("statfs", libc::SYS_statfs, &[Root, Buffer], &[]),
    on_none("fstatfs", libc::SYS_fstatfs, &[NONE, Buffer]),
    on_none(
        "sendfile",
        libc::SYS_sendfile,
        &[NONE, NONE, ZERO, Number(1)],
    ),
    on_none(
        "splice",
        libc::SYS_splice,
        &[NONE, ZERO, NONE, ZERO, Number(1), ZERO],
    ),
    on_none("tee", libc::SYS_tee, &[NONE, NONE, Number(1), ZERO]),
    on_none(
        "vmsplice",
        libc::SYS_vmsplice,
        &[NONE, Buffer, Number(1), ZERO],
    ),
    on_none(
        "copy_file_range",
        libc::SYS_copy_file_range,
        &[NONE, ZERO, NONE, ZERO, Number(1), ZERO],
    ),
    on_none(
        "preadv",
        libc::SYS_preadv,
        &[NONE, Buffer, ZERO, ZERO, ZERO],
    ),
    on_none(
        "pwritev",
        libc::SYS_pwritev,
        &[NONE, Buffer, ZERO, ZERO, ZERO],
    ),
    steps("mmap", "MAP_SHARED of a file", memory::map_shared),
    at_missing(
        "renameat2",
        libc::SYS_renameat2,
        &[HERE, Missing, HERE, Missing, ZERO],
    ),
    steps("memfd_create", "", memory::memfd_create),
    at_missing(
        "faccessat2",
        libc::SYS_faccessat2,
        &[HERE, Missing, ZERO, ZERO],
    ),
    steps("inotify_init1", "", memory::inotify_init1),
];

const EVENTS: &[Trial] = &[
    steps("epoll_create1", "", waiting::epoll_create1),
    on_none(
        "epoll_ctl",
        libc::SYS_epoll_ctl,
        &[NONE, Number(1), NONE, Buffer],
    ),
    steps("epoll_ctl", "EPOLLRDHUP", waiting::epoll_rdhup),
    steps("epoll_ctl", "EPOLLET", waiting::epoll_et),
    on_none(
        "epoll_pwait",
        libc::SYS_epoll_pwait,
        &[NONE, Buffer, Number(1), ZERO, ZERO, Number(8)],
    ),
    on_none(
        "epoll_pwait2",
        libc::SYS_epoll_pwait2,
        &[NONE, Buffer, Number(1), ZERO, ZERO, Number(8)],
    ),
    steps("eventfd2", "", waiting::eventfd2),
    steps("poll", "", waiting::poll),
    steps("poll", "POLLRDHUP", waiting::poll_rdhup),
    steps("pipe2", "", waiting::pipe2),
    once(
        "accept4",
        libc::SYS_accept4,
        &[NONE, ZERO, ZERO, ZERO],
        &[EBADF, ENOTSOCK],
    ),
    on_none("dup3", libc::SYS_dup3, &[NONE, Number(1000), ZERO]),
    steps("timerfd_create", "", waiting::timerfd_create),
    steps("signalfd4", "", waiting::signalfd4),
    once(
        "io_uring_setup",
        libc::SYS_io_uring_setup,
        &[ZERO, ZERO],
        &[EINVAL, EFAULT],
    ),
    on_none(
        "recvmmsg",
        libc::SYS_recvmmsg,
        &[NONE, Buffer, Number(1), ZERO, ZERO],
    ),
    on_none(
        "sendmmsg",
        libc::SYS_sendmmsg,
        &[NONE, Buffer, Number(1), ZERO],
    ),
];

const SOCKETS: &[Trial] = &[
    steps("socket", "SOCK_CLOEXEC", sockets::close_on_exec),
    steps("socket", "SOCK_NONBLOCK", sockets::non_blocking),
    steps("socket", "AF_INET6", sockets::inet6),
    steps("socket", "AF_NETLINK", sockets::netlink),
    steps("socket", "AF_UNIX SOCK_STREAM", sockets::unix_stream),
    steps("socketpair", "", sockets::pair),
    steps("fcntl", "F_DUPFD_CLOEXEC", sockets::dup_close_on_exec),
    steps("ioctl", "FIONBIO", sockets::fionbio_on_socket),
    steps(
        "ioctl",
        "FIONBIO, not on a socket",
        sockets::fionbio_on_pipe,
    ),
    steps(
        "ioctl",
        "FIOCLEX, not on a socket",
        sockets::fioclex_on_pipe,
    ),
    steps("setsockopt", "SO_REUSEADDR", sockets::reuse_address),
    steps("setsockopt", "SO_REUSEPORT", sockets::reuse_port),
    steps("setsockopt", "TCP_NODELAY", sockets::no_delay),
    steps("accept", "TCP_NODELAY of the listener", sockets::inherited),
    steps("setsockopt", "TCP_CORK", sockets::cork),
    steps("setsockopt", "TCP_USER_TIMEOUT", sockets::user_timeout),
    steps("setsockopt", "IP_TOS", sockets::type_of_service),
    steps("setsockopt", "SO_KEEPALIVE", sockets::keep_alive),
    steps("setsockopt", "SO_SNDBUF", sockets::send_buffer),
    steps("setsockopt", "SO_RCVBUF", sockets::receive_buffer),
    steps("setsockopt", "IPV6_V6ONLY", sockets::v6_only),
    steps("getsockopt", "SO_PEERCRED", sockets::peer_credentials),
    steps("connect", "/dev/log", sockets::dev_log),
];

const THREADS: &[Trial] = &[
    steps("clone", "CLONE_DETACHED", threads::one),
    steps("clone", "16 threads of 512 KiB", threads::sixteen),
    steps("futex", "", threads::futex_wait),
    steps("futex", "FUTEX_WAIT_BITSET", threads::futex_wait_bitset),
    once("clone3", libc::SYS_clone3, &[Buffer, ZERO], &[EINVAL]),
    once(
        "rseq",
        libc::SYS_rseq,
        &[ZERO, ZERO, Number(-1), ZERO],
        &[EINVAL],
    ),
    once("membarrier", libc::SYS_membarrier, &[ZERO, ZERO, ZERO], &[]),
    steps("pidfd_open", "", threads::pidfd_open),
    once(
        "close_range",
        libc::SYS_close_range,
        &[Number(0xffff_ffff), Number(0xffff_ffff), ZERO],
        &[],
    ),
    once(
        "set_robust_list",
        libc::SYS_set_robust_list,
        &[ZERO, ZERO],
        &[EINVAL],
    ),
    once(
        "sched_getaffinity",
        libc::SYS_sched_getaffinity,
        &[ZERO, Number(4096), Buffer],
        &[],
    ),
    once(
        "prctl",
        libc::SYS_prctl,
        &[Number(libc::PR_GET_NAME as i64), Buffer],
        &[],
    ),
    once(
        "seccomp",
        libc::SYS_seccomp,
        &[Number(2), ZERO, Buffer],
        &[],
    ),
    steps("madvise", "", memory::madvise),
    steps("mincore", "", memory::mincore),
    steps("mprotect", "", memory::mprotect),
    once(
        "prlimit64",
        libc::SYS_prlimit64,
        &[ZERO, Number(libc::RLIMIT_NOFILE as i64), ZERO, Buffer],
        &[],
    ),
    once(
        "getrlimit",
        libc::SYS_getrlimit,
        &[Number(libc::RLIMIT_NOFILE as i64), Buffer],
        &[],
    ),
    steps("setuid", "to what it is", threads::same_user),
    steps("setgroups", "to what they are", threads::same_groups),
];

const TIME: &[Trial] = &[
    once(
        "clock_gettime",
        libc::SYS_clock_gettime,
        &[Number(libc::CLOCK_MONOTONIC as i64), Buffer],
        &[],
    ),
    once("gettimeofday", libc::SYS_gettimeofday, &[Buffer, ZERO], &[]),
    once("nanosleep", libc::SYS_nanosleep, &[Buffer, ZERO], &[]),
    once(
        "clock_nanosleep",
        libc::SYS_clock_nanosleep,
        &[ZERO, ZERO, Buffer, ZERO],
        &[],
    ),
    once(
        "getrandom",
        libc::SYS_getrandom,
        &[Buffer, Number(8), Number(libc::GRND_NONBLOCK as i64)],
        &[],
    ),
    steps("poll", "/dev/random", waiting::dev_random),
    steps("read", "/dev/urandom", waiting::dev_urandom),
    steps(
        "ioctl",
        "on /dev/random or /dev/urandom",
        waiting::random_ioctl,
    ),
    once("uname", libc::SYS_uname, &[Buffer], &[]),
    steps("access", "/proc", waiting::proc_is_there),
    steps("access", "/sys", waiting::sys_is_there),
    steps("access", "/etc/localtime", waiting::localtime_is_there),
];

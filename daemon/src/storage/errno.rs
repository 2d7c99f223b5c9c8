//! What the kernel's errors mean to a client: the only place that decides it.

use std::io;

use nix::errno::Errno;
use protocol::request::Failure;

/// What an error of any call on files means.
pub(crate) fn failure(errno: Errno) -> Failure {
    match errno {
        Errno::ENOENT => Failure::NotFound,
        Errno::EEXIST => Failure::Exists,
        Errno::ENOTDIR => Failure::NotADirectory,
        Errno::EISDIR => Failure::IsADirectory,
        Errno::ENOTEMPTY => Failure::NotEmpty,
        // File systems refuse characters (EINVAL, EILSEQ) or lengths.
        Errno::ENAMETOOLONG | Errno::EILSEQ | Errno::EINVAL => Failure::InvalidName,
        Errno::ELOOP => Failure::LinkRefused,
        Errno::EACCES | Errno::EPERM => Failure::PermissionDenied,
        Errno::EROFS => Failure::ReadOnly,
        Errno::EBUSY | Errno::ETXTBSY | Errno::EAGAIN | Errno::EDEADLK | Errno::ENOLCK => {
            Failure::Locked
        }
        Errno::ENOSPC => Failure::NoSpace,
        Errno::EDQUOT => Failure::Quota,
        Errno::EFBIG | Errno::EOVERFLOW => Failure::TooLarge,
        Errno::ENOSYS | Errno::EOPNOTSUPP | Errno::EXDEV | Errno::EMLINK | Errno::ENOTTY => {
            Failure::Unsupported
        }
        Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM => Failure::Resources,
        // EIO, ESTALE and their like; and an error that we do not know is the storage's, too.
        _ => Failure::Device,
    }
}

/// What an error of opening a file that exists means. VMFS answers EBUSY or EINVAL for a file that
/// a running virtual machine has locked.
pub(super) fn open_failure(errno: Errno) -> Failure {
    match errno {
        Errno::EINVAL => Failure::Locked,
        // A socket, or a device that has gone.
        Errno::ENXIO | Errno::ENODEV => Failure::NotAFile,
        _ => failure(errno),
    }
}

/// What an error of std means.
pub(crate) fn io_failure(error: &io::Error) -> Failure {
    match error.raw_os_error() {
        Some(errno) => failure(Errno::from_raw(errno)),
        None => Failure::Device,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_says_what_a_user_can_do() {
        for (errno, expected) in [
            (Errno::EBUSY, Failure::Locked),
            (Errno::ETXTBSY, Failure::Locked),
            (Errno::EDQUOT, Failure::Quota),
            (Errno::ENOSPC, Failure::NoSpace),
            (Errno::EROFS, Failure::ReadOnly),
            (Errno::EEXIST, Failure::Exists),
            (Errno::ENAMETOOLONG, Failure::InvalidName),
            (Errno::EIO, Failure::Device),
            (Errno::ESTALE, Failure::Device),
            (Errno::ELOOP, Failure::LinkRefused),
            (Errno::EMFILE, Failure::Resources),
            (Errno::EFBIG, Failure::TooLarge),
            (Errno::UnknownErrno, Failure::Device),
        ] {
            assert_eq!(failure(errno), expected, "{errno}");
            let error = io::Error::from_raw_os_error(errno as i32);
            assert_eq!(io_failure(&error), expected, "{errno}");
        }
        assert_eq!(open_failure(Errno::EINVAL), Failure::Locked);
        assert_eq!(io_failure(&io::Error::other("odd")), Failure::Device);
    }
}

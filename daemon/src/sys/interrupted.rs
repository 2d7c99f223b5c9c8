//! Calls that a signal may interrupt.

use std::io::{self, ErrorKind};

use nix::errno::Errno;

/// An error of a system call.
pub(crate) trait CallError {
    /// Whether a signal interrupted the call, which did nothing.
    fn is_interruption(&self) -> bool;
}

impl CallError for io::Error {
    fn is_interruption(&self) -> bool {
        self.kind() == ErrorKind::Interrupted
    }
}

impl CallError for Errno {
    fn is_interruption(&self) -> bool {
        *self == Self::EINTR
    }
}

/// Repeats a call until it was not interrupted. The VMkernel interrupts even `stat` and `access`,
/// which std does not expect; what std repeats by itself, such as `open`, needs no help.
pub(crate) fn uninterrupted<T, E: CallError>(
    mut call: impl FnMut() -> Result<T, E>,
) -> Result<T, E> {
    loop {
        match call() {
            Err(error) if error.is_interruption() => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_repeated<E: CallError>(mut answers: Vec<E>) -> E {
        let error = uninterrupted(|| Err::<(), _>(answers.pop().unwrap())).unwrap_err();
        assert!(answers.is_empty());
        error
    }

    #[test]
    fn interrupted_call_is_repeated_and_another_error_is_not() {
        let interrupted = || ErrorKind::Interrupted.into();
        let error = is_repeated::<io::Error>(vec![
            ErrorKind::NotFound.into(),
            interrupted(),
            interrupted(),
        ]);
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let error = is_repeated(vec![Errno::ENOENT, Errno::EINTR, Errno::EINTR]);
        assert_eq!(error, Errno::ENOENT);
    }
}

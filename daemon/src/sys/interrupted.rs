//! Calls that a signal may interrupt.

use std::io::{self, ErrorKind};

/// Repeats a call until it was not interrupted. The VMkernel interrupts even `stat` and `access`,
/// which std does not expect; what std repeats by itself, such as `open`, needs no help.
pub(crate) fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interrupted_call_is_repeated_and_another_error_is_not() {
        let mut answers = vec![
            ErrorKind::NotFound,
            ErrorKind::Interrupted,
            ErrorKind::Interrupted,
        ];
        let result = uninterrupted(|| Err::<(), _>(answers.pop().unwrap().into()));
        assert_eq!(result.unwrap_err().kind(), ErrorKind::NotFound);
        assert!(answers.is_empty());
    }
}

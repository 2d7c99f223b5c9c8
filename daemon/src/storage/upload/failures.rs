//! What errors mean for an upload.

use std::io;

use protocol::request::Failure;

use crate::storage::errno::io_failure;

/// What it means that an upload's place is not found again.
pub(super) fn displaced(failure: Failure) -> Failure {
    match failure {
        Failure::Device => failure,
        _ => Failure::Displaced,
    }
}

/// What an error of writing means: no name is at fault here.
pub(super) fn write_failure(error: &io::Error) -> Failure {
    match io_failure(error) {
        Failure::InvalidName => Failure::Device,
        failure => failure,
    }
}

//! Trials of single system calls, past the C library, which hides what the kernel lacks.
//!
//! They change nothing: calls that would are given paths that do not exist or no descriptor, and a
//! kernel that knows the call says so.
#![expect(
    unsafe_code,
    reason = "raw system calls with pointers to buffers of this module"
)]

mod memory;
mod sockets;
mod table;
mod threads;
mod waiting;

use std::ffi::CStr;

use nix::{
    errno::Errno,
    libc::{self, c_long},
};

pub(crate) use self::{table::trials, waiting::poll_rdhup};

/// One system call, or one flag of it, that can be tried.
#[derive(Clone, Copy)]
pub(crate) struct Trial {
    /// The name of the call.
    pub(crate) call: &'static str,
    /// What is special about the arguments.
    pub(crate) flag: Option<&'static str>,
    way: Way,
}

#[derive(Clone, Copy)]
enum Way {
    /// One call with these arguments; errors that only a kernel gives that knows it.
    Once(c_long, &'static [Arg], &'static [Errno]),
    /// More than that.
    Steps(fn() -> nix::Result<()>),
}

/// An argument of a call.
#[derive(Clone, Copy)]
enum Arg {
    Number(i64),
    /// A path that does not exist, and whose directory does not.
    Missing,
    /// The directory `/`.
    Root,
    /// A buffer of 4 KiB with zeros.
    Buffer,
}

impl Trial {
    /// Makes the call.
    ///
    /// # Errors
    /// What the kernel says, if it does not do it.
    pub(crate) fn run(&self) -> nix::Result<()> {
        match self.way {
            Way::Steps(steps) => steps(),
            Way::Once(number, arguments, known) => match call(number, arguments) {
                Err(errno) if known.contains(&errno) => Ok(()),
                result => result.map(drop),
            },
        }
    }
}

const MISSING: &CStr = c"/.esxftpd-probe/missing";

fn call(number: c_long, arguments: &[Arg]) -> nix::Result<c_long> {
    // As long as the longest result of any call of the table, and aligned for all.
    let mut buffer = [0_u64; 512];
    let mut words = [0 as c_long; 6];
    for (word, argument) in words.iter_mut().zip(arguments) {
        *word = match argument {
            Arg::Number(number) => *number,
            Arg::Missing => MISSING.as_ptr() as c_long,
            Arg::Root => c"/".as_ptr() as c_long,
            Arg::Buffer => buffer.as_mut_ptr() as c_long,
        };
    }
    let [first, second, third, fourth, fifth, sixth] = words;
    // SAFETY: pointers are to strings that end with NUL, or to the buffer, which outlives the call
    // and is larger than anything that a call of the table writes; none keeps a pointer.
    let result = unsafe { libc::syscall(number, first, second, third, fourth, fifth, sixth) };
    Errno::result(result)
}

/// Closes the descriptor that a call has given.
fn close(descriptor: c_long) -> nix::Result<()> {
    call(libc::SYS_close, &[Arg::Number(descriptor)]).map(drop)
}

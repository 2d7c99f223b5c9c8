//! Raw calls to the kernel that neither std nor a crate wraps as we need them, behind small safe
//! functions. Should one need `unsafe`, this is the only place for it.

mod descriptors;
pub(crate) mod entropy;
mod interrupted;
pub(crate) mod memory;
pub(crate) mod probe;
mod regular_file;
mod sockets;
mod tcp;

pub(crate) use descriptors::{close_inherited, raise_descriptor_limit};
pub(crate) use interrupted::uninterrupted;
pub(crate) use regular_file::{open_regular, read_whole};
pub(crate) use sockets::{
    begin_connect, bind_socket, nonblocking_pipe, set_nonblocking, stream_socket,
};
pub(crate) use tcp::round_trip;

//! Parsers: bytes of the client become lines, lines become commands with their arguments.

pub(crate) mod arguments;
pub(crate) mod command;
pub(crate) mod file_arguments;
pub(crate) mod host_port;
pub(crate) mod line;
pub(crate) mod list_arguments;
pub(crate) mod symbolic_mode;
pub(crate) mod verb;

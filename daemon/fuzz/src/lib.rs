//! What the fuzz targets do with their input. The tests of the crate replay the corpora through the
//! same functions, with a stable compiler.
//!
//! The parsers are private to the gate, so their files are taken in here as they stand.

#![expect(
    dead_code,
    reason = "the gate uses more of these files than the targets do"
)]

use esxftpd::{session::gate, storage, virtual_path, wire_name};

#[path = "../../src/session/gate/tests/answers.rs"]
mod answers;
#[path = "../../src/session/gate/arguments.rs"]
mod arguments;
#[path = "../../src/session/gate/tests/checks.rs"]
mod checks;
#[path = "../../src/session/gate/command.rs"]
mod command;
#[path = "../../src/session/gate/file_arguments.rs"]
mod file_arguments;
#[path = "../../src/session/gate/host_port.rs"]
mod host_port;
#[path = "../../src/session/gate/line.rs"]
mod line;
#[path = "../../src/session/gate/list_arguments.rs"]
mod list_arguments;
#[path = "../../src/session/gate/reply.rs"]
mod reply;
#[path = "../../src/session/gate/verb.rs"]
mod verb;
#[path = "../../src/session/gate/tests/world.rs"]
mod world;

/// Bytes of a client, up to the lines.
pub fn lines(data: &[u8]) {
    checks::lines(data);
}

/// A line, up to the command.
pub fn commands(data: &[u8]) {
    checks::command(data);
}

/// A world that decides about everything around the gate.
pub fn gate(data: &[u8]) {
    world::play(data);
}

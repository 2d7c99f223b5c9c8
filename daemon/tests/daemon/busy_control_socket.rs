//! The control socket while somebody keeps it busy.

use std::{
    io::{ErrorKind, Read as _},
    os::unix::net::UnixStream,
    process::Command,
};

use crate::{
    PATIENCE,
    harness::{Daemon, PROGRAM},
};

/// One after the other, they would have the request wait for longer than it does.
#[test]
fn silent_connections_to_the_control_socket_do_not_keep_an_administrator_out() {
    let daemon = Daemon::start();
    let silent: Vec<_> = (0..12)
        .map(|_| UnixStream::connect(daemon.control_socket()).unwrap())
        .collect();
    let mut sessions = Command::new(PROGRAM);
    sessions.arg("sessions").arg("--config");
    let output = sessions.arg(daemon.config()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    // And they do not stay.
    for mut connection in silent {
        connection.set_read_timeout(Some(PATIENCE)).unwrap();
        match connection.read(&mut [0; 100]) {
            Ok(0) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            other => panic!("{other:?}"),
        }
    }
}

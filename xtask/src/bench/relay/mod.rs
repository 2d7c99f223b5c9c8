//! Connections to a server that is 10 ms away: kernels that can delay packets themselves (netem)
//! are rare where this runs.
//!
//! A connection goes through this program, which holds what it receives for 5 ms, in each direction
//! on its own, while it goes on receiving. The bytes stay in the kernel: they are moved from a
//! socket to a pipe and from there to the other socket (splice), because copying them twice more
//! would take as long as a server does. Up to 64 MiB are held, what comes in 10 ms at 6.7 GB/s; then
//! the sender waits.
//!
//! What a real distance has beside the delay is not here: no bytes are lost, and since they are
//! received nearby, windows and socket buffers of the server limit nothing.

mod held;

use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use self::held::Held;

/// For bytes from one end to the other; a round trip takes twice as long.
pub(super) const ONE_WAY: Duration = Duration::from_millis(5);

/// A connection on which nothing comes, or nothing is taken, for so long has ended.
const PATIENCE: Duration = Duration::from_mins(2);

/// Connects as somebody far away does: returns after a round trip, and the server has the
/// connection half a round trip later. Whatever fails at the server ends the connection.
///
/// # Errors
/// If there is no port, pipe or thread left.
pub(super) fn connect(server: SocketAddr) -> Result<TcpStream> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("a port for the relay")?;
    let client = TcpStream::connect_timeout(&listener.local_addr()?, PATIENCE)?;
    let (near, from) = listener.accept()?;
    ensure!(
        from == client.local_addr()?,
        "{from} connected to the relay"
    );
    near.set_nodelay(true)?;
    near.set_read_timeout(Some(PATIENCE))?;
    near.set_write_timeout(Some(PATIENCE))?;
    let up = Arc::new(Held::default());
    thread::sleep(2 * ONE_WAY);
    let established = Instant::now();
    receive(&near, &up)?;
    spawn(move || {
        sleep_until(established + ONE_WAY);
        let carried = serve(server, &near, &up);
        // Without a server, and without all that both directions need, the connection ends.
        if carried.is_err() {
            up.give_up();
            drop(near.shutdown(Shutdown::Both));
        }
    })?;
    Ok(client)
}

/// Connects to the server and passes on what was received for it, and all that comes back.
fn serve(server: SocketAddr, near: &TcpStream, up: &Held) -> Result<()> {
    let far = TcpStream::connect_timeout(&server, PATIENCE)?;
    far.set_nodelay(true)?;
    far.set_read_timeout(Some(PATIENCE))?;
    far.set_write_timeout(Some(PATIENCE))?;
    let down = Arc::new(Held::default());
    receive(&far, &down)?;
    let (source, sink) = (far.try_clone()?, near.try_clone()?);
    spawn(move || deliver(&down, &source, &sink))?;
    deliver(up, near, &far);
    Ok(())
}

/// Receives until the stream ends, in a thread of its own.
fn receive(source: &TcpStream, held: &Arc<Held>) -> Result<()> {
    let (source, held) = (source.try_clone()?, held.clone());
    spawn(move || {
        while let Some(room) = held.room() {
            let Ok(piece) = room.receive(&source, ONE_WAY) else {
                return held.give_up();
            };
            let ended = piece.is_end();
            held.add(piece);
            if ended {
                return;
            }
        }
        held.give_up();
    })
}

/// Passes on what is held until the stream ends, or breaks, or until nobody takes it any more.
fn deliver(held: &Held, source: &TcpStream, sink: &TcpStream) {
    while let Some(mut piece) = held.next() {
        sleep_until(piece.due());
        if piece.is_end() {
            // The other direction may go on.
            drop(sink.shutdown(Shutdown::Write));
            return;
        }
        if piece.pass_on(sink).is_err() {
            break;
        }
        held.reuse(piece);
    }
    held.give_up();
    for stream in [source, sink] {
        drop(stream.shutdown(Shutdown::Both));
    }
}

fn sleep_until(time: Instant) {
    thread::sleep(time.saturating_duration_since(Instant::now()));
}

fn spawn(work: impl FnOnce() + Send + 'static) -> Result<()> {
    let thread = thread::Builder::new().name("relay".to_owned());
    thread.spawn(work).context("a thread of the relay")?;
    Ok(())
}

#[cfg(test)]
mod tests;

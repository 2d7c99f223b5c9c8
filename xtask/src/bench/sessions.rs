//! Measures of sessions that transfer nothing.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::median;
use super::subject::{Link, Subject};
use super::transfers::SMALL_BYTES;
use super::usage::{Memory, memory_kib};

const IDLE: usize = 300;
pub(super) const LOG_INS: usize = 100;
pub(super) const DISTANT_LOG_INS: usize = 20;
const ROUND_TRIPS: usize = 2_000;

/// Milliseconds from the connection to the reply that welcomes the user, whose client has not been
/// here before.
pub(super) fn log_in(subject: &Subject<'_>, link: Link, count: usize) -> Result<Vec<f64>> {
    // Sessions stay until the end. What a server does when one has ended is not measured: ProFTPD
    // takes nobody for 0.4 s then.
    let mut sessions = Vec::new();
    let mut times = Vec::new();
    for _ in 0..count {
        subject.tickets.forget();
        let start = Instant::now();
        sessions.push(subject.logged_in(link)?);
        times.push(start.elapsed().as_secs_f64() * 1e3);
        thread::sleep(Duration::from_millis(2));
    }
    Ok(vec![median(&mut times)])
}

/// Microseconds.
pub(super) fn noop(subject: &Subject<'_>) -> Result<Vec<f64>> {
    let mut client = subject.client(Link::NEAR)?;
    let mut times = Vec::new();
    for _ in 0..ROUND_TRIPS {
        let start = Instant::now();
        client.expect("NOOP", "2")?;
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
    Ok(vec![median(&mut times)])
}

/// Seconds, and KiB of private memory for each session: before its first transfer, and after it.
pub(super) fn many_log_ins(subject: &Subject<'_>) -> Result<Vec<f64>> {
    subject.file("small", SMALL_BYTES as u64)?;
    let first = subject.client(Link::NEAR)?;
    let before = memory_kib(subject.server, Memory::Private)?;
    let start = Instant::now();
    let clients: Result<Vec<_>> = (0..IDLE).map(|_| subject.client(Link::NEAR)).collect();
    let mut clients = clients?;
    let time = start.elapsed().as_secs_f64();
    let each = || {
        // Until they idle.
        thread::sleep(Duration::from_secs(3));
        let now = memory_kib(subject.server, Memory::Private)?;
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        Ok::<_, anyhow::Error>((now - before) / IDLE as f64)
    };
    let idle = each()?;
    let mut buffer = vec![0; SMALL_BYTES];
    for client in &mut clients {
        client.download("RETR small", &mut buffer)?;
    }
    let used = each()?;
    drop((first, clients));
    Ok(vec![time, idle, used])
}

//! Measures of transfers.

use std::fs;
use std::iter::{once, repeat_n};
use std::os::unix::fs::MetadataExt as _;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};

use super::client::{BLOCK_BYTES, Client};
use super::subject::{GIB, Link, MIB, Subject, megabytes_per_second, per_second};
use super::tickets;
use super::usage::{Memory, cpu_seconds, memory_kib, own_cpu_seconds};

/// A server has just been started, and its first transfer touches buffers for the first time; it is
/// not counted.
const FIRST_BLOCKS: usize = 64;
pub(super) const SMALL_BYTES: usize = 10 << 10;
const SMALL: Batch = Batch {
    bytes: SMALL_BYTES,
    files: 500,
};
const SMALL_TLS: Batch = Batch {
    bytes: SMALL_BYTES,
    files: 300,
};
/// A file takes three or four round trips of 10 ms.
const SMALL_DISTANT: Batch = Batch {
    bytes: SMALL_BYTES,
    files: 60,
};
/// Between the small files and the large one.
pub(super) const KIB_64: Batch = Batch {
    bytes: 64 << 10,
    files: 2_048,
};
pub(super) const MIB_1: Batch = Batch {
    bytes: 1 << 20,
    files: 256,
};
const PARALLEL: usize = 8;
/// What each of the parallel sessions stores.
const PARALLEL_BLOCKS: usize = 512;
const THIN_BYTES: u64 = 8 * GIB;
/// One block in so many of the thin disk has data: 5 %.
const THIN_DATA: u64 = 20;
const ACTIVE: usize = 50;

/// What is stored at one time, for [`super::measures::Measure::stores`].
pub(super) const STORES: u64 = GIB + FIRST_BLOCKS as u64 * MIB;
pub(super) const STORES_IN_PARALLEL: u64 = PARALLEL as u64 * PARALLEL_BLOCKS as u64 * MIB;
pub(super) const STORES_THIN: u64 = THIN_BYTES;

/// Files of one size that one session moves one after the other.
#[derive(Clone, Copy)]
pub(super) struct Batch {
    /// Of each; at most [`BLOCK_BYTES`].
    bytes: usize,
    files: usize,
}

impl Batch {
    /// Bytes of all files.
    pub(super) const fn total(self) -> u64 {
        self.bytes as u64 * self.files as u64
    }
}

/// MB/s, and seconds of the processor time of the server and of the client per GiB.
pub(super) fn retrieve(subject: &Subject<'_>, link: Link) -> Result<Vec<f64>> {
    subject.file("first", FIRST_BLOCKS as u64 * MIB)?;
    subject.file("large", GIB)?;
    let mut client = subject.client(link)?;
    let mut buffer = vec![0; BLOCK_BYTES];
    client.download("RETR first", &mut buffer)?;
    of_a_gibibyte(subject, || {
        let bytes = client.download("RETR large", &mut buffer)?;
        ensure!(bytes == GIB, "{bytes} bytes came");
        Ok(())
    })
}

/// MB/s; the relay uses processor time, too, so that of the others says little.
pub(super) fn retrieve_distant(subject: &Subject<'_>) -> Result<Vec<f64>> {
    let mut figures = retrieve(subject, Link::DISTANT)?;
    figures.truncate(1);
    Ok(figures)
}

/// MB/s.
pub(super) fn store_distant(subject: &Subject<'_>) -> Result<Vec<f64>> {
    let mut figures = store(subject, Link::DISTANT)?;
    figures.truncate(1);
    Ok(figures)
}

/// MB/s, and seconds of the processor time of the server and of the client per GiB.
pub(super) fn store(subject: &Subject<'_>, link: Link) -> Result<Vec<f64>> {
    let mut client = subject.client(link)?;
    client.upload("STOR first-stored", repeat_n(subject.block, FIRST_BLOCKS))?;
    subject.remove("first-stored")?;
    let figures = of_a_gibibyte(subject, || {
        client.upload("STOR stored", repeat_n(subject.block, 1024))
    })?;
    let stored = subject.size("stored")?;
    ensure!(stored == GIB, "{stored} bytes were stored");
    subject.remove("stored")?;
    Ok(figures)
}

/// MB/s of a transfer of a GiB, and seconds of the processor time of server and client.
fn of_a_gibibyte(subject: &Subject<'_>, transfer: impl FnOnce() -> Result<()>) -> Result<Vec<f64>> {
    let (server, client) = (cpu_seconds(subject.server)?, own_cpu_seconds()?);
    let start = Instant::now();
    transfer()?;
    let time = start.elapsed();
    let client = own_cpu_seconds()? - client;
    let server = cpu_seconds(subject.server)? - server;
    Ok(vec![megabytes_per_second(GIB, time), server, client])
}

/// Files a second.
pub(super) fn retrieve_small(subject: &Subject<'_>) -> Result<Vec<f64>> {
    let time = retrieve_batch(subject, SMALL, Link::NEAR)?;
    Ok(vec![per_second(SMALL.files, time)])
}

/// Files a second.
pub(super) fn store_small(subject: &Subject<'_>) -> Result<Vec<f64>> {
    let time = store_batch(subject, SMALL, Link::NEAR)?;
    Ok(vec![per_second(SMALL.files, time)])
}

/// Files a second.
pub(super) fn retrieve_small_distant(subject: &Subject<'_>) -> Result<Vec<f64>> {
    let time = retrieve_batch(subject, SMALL_DISTANT, Link::DISTANT)?;
    Ok(vec![per_second(SMALL_DISTANT.files, time)])
}

/// Files a second.
pub(super) fn store_small_distant(subject: &Subject<'_>) -> Result<Vec<f64>> {
    let time = store_batch(subject, SMALL_DISTANT, Link::DISTANT)?;
    Ok(vec![per_second(SMALL_DISTANT.files, time)])
}

/// Files a second; each data connection has its handshake, which resumes the session of the
/// control connection where the server allows it.
pub(super) fn retrieve_small_tls(subject: &Subject<'_>) -> Result<Vec<f64>> {
    tickets::collect(subject, SMALL_TLS.files)?;
    let time = retrieve_batch(subject, SMALL_TLS, Link::NEAR_TLS)?;
    Ok(vec![per_second(SMALL_TLS.files, time)])
}

/// The same the other way.
pub(super) fn store_small_tls(subject: &Subject<'_>) -> Result<Vec<f64>> {
    tickets::collect(subject, SMALL_TLS.files)?;
    let time = store_batch(subject, SMALL_TLS, Link::NEAR_TLS)?;
    Ok(vec![per_second(SMALL_TLS.files, time)])
}

/// MB/s.
pub(super) fn retrieve_files(subject: &Subject<'_>, batch: Batch) -> Result<Vec<f64>> {
    let time = retrieve_batch(subject, batch, Link::NEAR)?;
    Ok(vec![megabytes_per_second(batch.total(), time)])
}

/// MB/s.
pub(super) fn store_files(subject: &Subject<'_>, batch: Batch) -> Result<Vec<f64>> {
    let time = store_batch(subject, batch, Link::NEAR)?;
    Ok(vec![megabytes_per_second(batch.total(), time)])
}

/// Retrieves one file again and again.
fn retrieve_batch(subject: &Subject<'_>, batch: Batch, link: Link) -> Result<Duration> {
    let name = format!("file-of-{}", batch.bytes);
    subject.file(&name, batch.bytes as u64)?;
    let mut client = subject.client(link)?;
    let mut buffer = vec![0; BLOCK_BYTES];
    let command = format!("RETR {name}");
    let start = Instant::now();
    let mut came = 0;
    for _ in 0..batch.files {
        came += client.download(&command, &mut buffer)?;
    }
    let time = start.elapsed();
    ensure!(came == batch.total(), "{came} bytes came");
    Ok(time)
}

/// Stores files of different names in one session.
fn store_batch(subject: &Subject<'_>, batch: Batch, link: Link) -> Result<Duration> {
    let mut client = subject.client(link)?;
    let content = subject.block.get(..batch.bytes).unwrap_or_default();
    let start = Instant::now();
    for number in 0..batch.files {
        client.upload(&format!("STOR stored{number}"), once(content))?;
    }
    let time = start.elapsed();
    for number in 0..batch.files {
        let name = format!("stored{number}");
        let stored = subject.size(&name)?;
        ensure!(
            stored == batch.bytes as u64,
            "{stored} bytes of {name} were stored"
        );
        subject.remove(&name)?;
    }
    Ok(time)
}

pub(super) fn retrieve_in_parallel(subject: &Subject<'_>) -> Result<Vec<f64>> {
    subject.file("large", GIB)?;
    let (bytes, time) = in_parallel(subject, |client, _| {
        client.download("RETR large", &mut vec![0; BLOCK_BYTES])
    })?;
    ensure!(bytes == PARALLEL as u64 * GIB, "{bytes} bytes came");
    Ok(vec![megabytes_per_second(bytes, time)])
}

pub(super) fn store_in_parallel(subject: &Subject<'_>) -> Result<Vec<f64>> {
    let names = |number: usize| format!("parallel{number}");
    let (sent, time) = in_parallel(subject, |client, number| {
        let blocks = repeat_n(subject.block, PARALLEL_BLOCKS);
        client.upload(&format!("STOR {}", names(number)), blocks)?;
        Ok(PARALLEL_BLOCKS as u64 * MIB)
    })?;
    let mut stored = 0;
    for number in 0..PARALLEL {
        stored += subject.size(&names(number))?;
        subject.remove(&names(number))?;
    }
    ensure!(stored == sent, "{stored} of {sent} bytes were stored");
    Ok(vec![megabytes_per_second(stored, time)])
}

/// Transfers at the same time, each in a session of its own; the sum of what `transfer` returns.
fn in_parallel(
    subject: &Subject<'_>,
    transfer: impl Fn(&mut Client, usize) -> Result<u64> + Sync,
) -> Result<(u64, Duration)> {
    let clients: Result<Vec<_>> = (0..PARALLEL).map(|_| subject.client(Link::NEAR)).collect();
    let clients = clients?;
    let transfer = &transfer;
    let start = Instant::now();
    let bytes = thread::scope(|scope| {
        let transfers: Vec<_> = clients
            .into_iter()
            .enumerate()
            .map(|(number, mut client)| scope.spawn(move || transfer(&mut client, number)))
            .collect();
        let mut bytes = 0;
        for transfer in transfers {
            bytes += transfer
                .join()
                .map_err(|_| anyhow!("a client panicked"))??;
        }
        Ok::<_, anyhow::Error>(bytes)
    })?;
    Ok((bytes, start.elapsed()))
}

/// Seconds, and MiB that the file takes.
pub(super) fn store_thin(subject: &Subject<'_>) -> Result<Vec<f64>> {
    let zeros = vec![0; BLOCK_BYTES];
    let blocks = (0..THIN_BYTES / MIB).map(|number| {
        if number % THIN_DATA == 0 {
            subject.block
        } else {
            &zeros
        }
    });
    let mut client = subject.client(Link::NEAR)?;
    let start = Instant::now();
    client.upload("STOR thin", blocks)?;
    let time = start.elapsed().as_secs_f64();
    let stored = fs::metadata(subject.server.root.join("thin"))?;
    ensure!(
        stored.len() == THIN_BYTES,
        "{} bytes were stored",
        stored.len()
    );
    subject.remove("thin")?;
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let used = (stored.blocks() * 512 / MIB) as f64;
    Ok(vec![time, used])
}

/// MiB of the whole server.
pub(super) fn memory_of_transfers(subject: &Subject<'_>) -> Result<Vec<f64>> {
    subject.file("large", GIB)?;
    let mut sessions = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    for _ in 0..ACTIVE {
        let mut client = subject.client(Link::NEAR)?;
        let mut data = client.open("RETR large")?;
        ensure!(data.read(&mut buffer)? > 0, "nothing comes");
        sessions.push((client, data));
    }
    thread::sleep(Duration::from_millis(300));
    let kib = memory_kib(subject.server, Memory::Proportional)?;
    Ok(vec![kib / 1024.0])
}

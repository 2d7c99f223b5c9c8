//! What is measured, one function each.

use std::fs::{self, File};
use std::iter::{once, repeat_n};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::client::{BLOCK_BYTES, Client};
use super::usage::{Memory, cpu_seconds, memory_kib};
use crate::conformance::Tls;
use crate::peers::Server;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

const SMALL_FILES: usize = 500;
const SMALL_BYTES: usize = 10 << 10;
const PARALLEL: usize = 8;
const ENTRIES: usize = 100_000;
const THIN_BYTES: u64 = 8 * GIB;
/// One block in so many of the thin disk has data: 5 %.
const THIN_DATA: u64 = 20;
const ACTIVE: usize = 50;
const IDLE: usize = 300;
const LOG_INS: usize = 100;
const ROUND_TRIPS: usize = 2_000;

/// Whether more is better.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Better {
    Higher,
    Lower,
}

/// One measure.
pub(super) struct Measure {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    pub(super) better: Better,
    /// What is asked of ours.
    pub(super) bar: Bar,
    run: fn(&Subject<'_>) -> Result<Vec<f64>>,
}

/// What is asked of ours.
#[derive(Clone, Copy)]
pub(super) enum Bar {
    /// So many times as good as the best peer.
    Ratio(f64),
    /// No worse than this.
    Value(f64),
}

/// A server under measurement and what the measures need.
pub(super) struct Subject<'a> {
    pub(super) server: &'a Server,
    pub(super) tls: &'a Tls,
    /// For uploads: a block without long runs of zeros.
    pub(super) block: &'a [u8],
}

impl Measure {
    /// Measures once. Several values are those of [`FOLLOWERS`].
    pub(super) fn run(&self, subject: &Subject<'_>) -> Result<Vec<f64>> {
        (self.run)(subject)
            .with_context(|| format!("{} of {}", self.name, subject.server.peer.name()))
    }
}

const fn measure(
    name: &'static str,
    unit: &'static str,
    better: Better,
    bar: Bar,
    run: fn(&Subject<'_>) -> Result<Vec<f64>>,
) -> Measure {
    Measure {
        name,
        unit,
        better,
        bar,
        run,
    }
}

/// A measure may give further values; these are their names and kinds, by the name of the measure.
pub(super) const FOLLOWERS: &[(&str, &str, &str, Better, Bar)] = &[
    (
        "RETR 1 GiB",
        "RETR, CPU of the server per GiB",
        "s",
        Better::Lower,
        Bar::Ratio(1.0),
    ),
    (
        "STOR 1 GiB",
        "STOR, CPU of the server per GiB",
        "s",
        Better::Lower,
        Bar::Ratio(1.0),
    ),
    (
        "LIST 100,000 entries",
        "LIST, growth of memory",
        "MiB",
        Better::Lower,
        Bar::Value(40.0),
    ),
    (
        "MLSD 100,000 entries",
        "MLSD, growth of memory",
        "MiB",
        Better::Lower,
        Bar::Value(40.0),
    ),
    (
        "STOR of a thin 8 GiB disk",
        "thin disk, space used",
        "MiB",
        Better::Lower,
        Bar::Value(420.0),
    ),
    (
        "300 log-ins",
        "private memory of an idle session",
        "KiB",
        Better::Lower,
        Bar::Value(64.0),
    ),
];

/// All measures, in the order of the table.
pub(super) const MEASURES: &[Measure] = &[
    measure(
        "RETR 1 GiB",
        "MB/s",
        Better::Higher,
        Bar::Ratio(1.4),
        |subject| retrieve(subject, false),
    ),
    measure(
        "STOR 1 GiB",
        "MB/s",
        Better::Higher,
        Bar::Ratio(1.2),
        |subject| store(subject, false),
    ),
    measure(
        "RETR 1 GiB, TLS 1.3",
        "MB/s",
        Better::Higher,
        Bar::Ratio(1.2),
        |subject| retrieve(subject, true),
    ),
    measure(
        "STOR 1 GiB, TLS 1.3",
        "MB/s",
        Better::Higher,
        Bar::Ratio(1.2),
        |subject| store(subject, true),
    ),
    measure(
        "RETR 10 KiB",
        "files/s",
        Better::Higher,
        Bar::Ratio(1.0),
        retrieve_small,
    ),
    measure(
        "STOR 10 KiB",
        "files/s",
        Better::Higher,
        Bar::Ratio(1.0),
        store_small,
    ),
    measure(
        "RETR, 8 sessions",
        "MB/s",
        Better::Higher,
        Bar::Ratio(1.0),
        retrieve_in_parallel,
    ),
    measure(
        "LIST 100,000 entries",
        "s",
        Better::Lower,
        Bar::Ratio(1.0),
        |subject| list(subject, "LIST"),
    ),
    measure(
        "MLSD 100,000 entries",
        "s",
        Better::Lower,
        Bar::Ratio(1.0),
        |subject| list(subject, "MLSD"),
    ),
    measure(
        "STOR of a thin 8 GiB disk",
        "s",
        Better::Lower,
        Bar::Ratio(2.0),
        store_thin,
    ),
    measure(
        "memory at 50 transfers",
        "MiB",
        Better::Lower,
        Bar::Value(64.0),
        memory_of_transfers,
    ),
    measure("log-in", "ms", Better::Lower, Bar::Value(1.0), log_in),
    measure("NOOP", "µs", Better::Lower, Bar::Value(60.0), noop),
    measure(
        "300 log-ins",
        "s",
        Better::Lower,
        Bar::Value(0.3),
        many_log_ins,
    ),
];

impl Subject<'_> {
    fn client(&self, tls: bool) -> Result<Client> {
        Client::log_in(&self.server.target, tls.then_some(self.tls))
    }

    fn cpu(&self) -> Result<f64> {
        cpu_seconds(self.server.group())
    }

    /// A file in the server's root.
    fn file(&self, name: &str, bytes: u64) -> Result<()> {
        let path = self.server.root.join(name);
        if path.exists() {
            return Ok(());
        }
        let mut file = File::create(&path)?;
        let mut left = usize::try_from(bytes)?;
        while left > 0 {
            let part = self
                .block
                .get(..left.min(self.block.len()))
                .unwrap_or_default();
            std::io::Write::write_all(&mut file, part)?;
            left -= part.len();
        }
        Ok(fs::set_permissions(
            &path,
            fs::Permissions::from_mode(0o644),
        )?)
    }

    fn remove(&self, name: &str) -> Result<()> {
        fs::remove_file(self.server.root.join(name)).with_context(|| name.to_owned())
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn megabytes_per_second(bytes: u64, time: Duration) -> f64 {
    bytes as f64 / 1e6 / time.as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn per_second(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

fn retrieve(subject: &Subject<'_>, tls: bool) -> Result<Vec<f64>> {
    subject.file("large", GIB)?;
    let mut client = subject.client(tls)?;
    let mut buffer = vec![0; BLOCK_BYTES];
    let cpu = subject.cpu()?;
    let start = Instant::now();
    let bytes = client.download("RETR large", &mut buffer)?;
    let time = start.elapsed();
    ensure!(bytes == GIB, "{bytes} bytes came");
    // Servers with a process for each session count its time when it has ended.
    let cpu = subject.cpu()? - cpu;
    Ok(rate_and_cpu(megabytes_per_second(bytes, time), cpu, tls))
}

fn store(subject: &Subject<'_>, tls: bool) -> Result<Vec<f64>> {
    let mut client = subject.client(tls)?;
    let cpu = subject.cpu()?;
    let start = Instant::now();
    client.upload("STOR stored", repeat_n(subject.block, 1024))?;
    let time = start.elapsed();
    let cpu = subject.cpu()? - cpu;
    let stored = fs::metadata(subject.server.root.join("stored"))?.len();
    ensure!(stored == GIB, "{stored} bytes were stored");
    subject.remove("stored")?;
    Ok(rate_and_cpu(megabytes_per_second(GIB, time), cpu, tls))
}

fn rate_and_cpu(rate: f64, cpu: f64, tls: bool) -> Vec<f64> {
    if tls { vec![rate] } else { vec![rate, cpu] }
}

fn retrieve_small(subject: &Subject<'_>) -> Result<Vec<f64>> {
    subject.file("small", SMALL_BYTES as u64)?;
    let mut client = subject.client(false)?;
    let mut buffer = vec![0; BLOCK_BYTES];
    let start = Instant::now();
    for _ in 0..SMALL_FILES {
        client.download("RETR small", &mut buffer)?;
    }
    Ok(vec![per_second(SMALL_FILES, start.elapsed())])
}

fn store_small(subject: &Subject<'_>) -> Result<Vec<f64>> {
    let mut client = subject.client(false)?;
    let content = subject.block.get(..SMALL_BYTES).unwrap_or_default();
    let start = Instant::now();
    for number in 0..SMALL_FILES {
        client.upload(&format!("STOR small{number}"), once(content))?;
    }
    let time = start.elapsed();
    for number in 0..SMALL_FILES {
        subject.remove(&format!("small{number}"))?;
    }
    Ok(vec![per_second(SMALL_FILES, time)])
}

fn retrieve_in_parallel(subject: &Subject<'_>) -> Result<Vec<f64>> {
    subject.file("large", GIB)?;
    let clients: Result<Vec<_>> = (0..PARALLEL).map(|_| subject.client(false)).collect();
    let start = Instant::now();
    let bytes = thread::scope(|scope| {
        let transfers: Vec<_> = clients?
            .into_iter()
            .map(|mut client| {
                scope.spawn(move || client.download("RETR large", &mut vec![0; BLOCK_BYTES]))
            })
            .collect();
        let mut bytes = 0;
        for transfer in transfers {
            bytes += transfer
                .join()
                .map_err(|_| anyhow::anyhow!("a client panicked"))??;
        }
        Ok::<_, anyhow::Error>(bytes)
    })?;
    Ok(vec![megabytes_per_second(bytes, start.elapsed())])
}

fn list(subject: &Subject<'_>, command: &str) -> Result<Vec<f64>> {
    let directory = subject.server.root.join("many");
    if !directory.exists() {
        fs::create_dir(&directory)?;
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755))?;
        for number in 0..ENTRIES {
            File::create(directory.join(format!("file number {number:06}.vmdk")))?;
        }
    }
    let mut client = subject.client(false)?;
    client.expect("CWD /many", "2")?;
    let group = subject.server.group();
    let before = memory_kib(group, Memory::Private)?;
    let done = AtomicBool::new(false);
    let (time, lines, most) = thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut most = before;
            while !done.load(Ordering::Relaxed) {
                most = most.max(memory_kib(group, Memory::Private).unwrap_or(0.0));
                thread::sleep(Duration::from_millis(10));
            }
            most
        });
        let start = Instant::now();
        let listed = count_lines(&mut client, command);
        let time = start.elapsed();
        done.store(true, Ordering::Relaxed);
        let most = watcher.join().unwrap_or(before);
        listed.map(|lines| (time, lines, most))
    })?;
    ensure!(
        lines >= ENTRIES,
        "only {lines} of {ENTRIES} entries were listed"
    );
    Ok(vec![time.as_secs_f64(), (most - before) / 1024.0])
}

fn count_lines(client: &mut Client, command: &str) -> Result<usize> {
    let mut data = client.open(command)?;
    let mut buffer = vec![0; BLOCK_BYTES];
    let mut lines = 0;
    loop {
        let count = data.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        let part = buffer.get(..count).unwrap_or_default();
        lines += part.split(|&byte| byte == b'\n').count() - 1;
    }
    client.finished()?;
    Ok(lines)
}

fn store_thin(subject: &Subject<'_>) -> Result<Vec<f64>> {
    let zeros = vec![0; BLOCK_BYTES];
    let blocks = (0..THIN_BYTES / MIB).map(|number| {
        if number % THIN_DATA == 0 {
            subject.block
        } else {
            &zeros
        }
    });
    let mut client = subject.client(false)?;
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

fn memory_of_transfers(subject: &Subject<'_>) -> Result<Vec<f64>> {
    subject.file("large", GIB)?;
    let mut sessions = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    for _ in 0..ACTIVE {
        let mut client = subject.client(false)?;
        let mut data = client.open("RETR large")?;
        ensure!(data.read(&mut buffer)? > 0, "nothing comes");
        sessions.push((client, data));
    }
    thread::sleep(Duration::from_millis(300));
    Ok(vec![
        memory_kib(subject.server.group(), Memory::Proportional)? / 1024.0,
    ])
}

fn log_in(subject: &Subject<'_>) -> Result<Vec<f64>> {
    let mut times = Vec::new();
    for _ in 0..LOG_INS {
        let start = Instant::now();
        let client = subject.client(false)?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
        drop(client);
        // The session ends in its own time, not in that of the next log-in.
        thread::sleep(Duration::from_millis(2));
    }
    Ok(vec![super::median(&mut times)])
}

fn noop(subject: &Subject<'_>) -> Result<Vec<f64>> {
    let mut client = subject.client(false)?;
    let mut times = Vec::new();
    for _ in 0..ROUND_TRIPS {
        let start = Instant::now();
        client.expect("NOOP", "2")?;
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
    Ok(vec![super::median(&mut times)])
}

fn many_log_ins(subject: &Subject<'_>) -> Result<Vec<f64>> {
    let group = subject.server.group();
    let first = subject.client(false)?;
    let before = memory_kib(group, Memory::Private)?;
    let start = Instant::now();
    let clients: Result<Vec<_>> = (0..IDLE).map(|_| subject.client(false)).collect();
    let clients = clients?;
    let time = start.elapsed().as_secs_f64();
    // Until they idle.
    thread::sleep(Duration::from_secs(3));
    let after = memory_kib(group, Memory::Private)?;
    drop((first, clients));
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let each = (after - before) / IDLE as f64;
    Ok(vec![time, each])
}

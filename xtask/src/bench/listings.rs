//! Measures of listings.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::time::Instant;

use anyhow::{Result, ensure};
use memchr::memchr_iter;

use super::client::{BLOCK_BYTES, Client};
use super::subject::{Link, Subject};
use super::usage::Peak;

const ENTRIES: usize = 100_000;

/// Seconds, and MiB by which the server has grown.
pub(super) fn list(subject: &Subject<'_>, command: &str) -> Result<Vec<f64>> {
    let directory = subject.server.root.join("many");
    if !directory.exists() {
        fs::create_dir(&directory)?;
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755))?;
        for number in 0..ENTRIES {
            File::create(directory.join(format!("file number {number:06}.vmdk")))?;
        }
    }
    let mut client = subject.client(Link::NEAR)?;
    client.expect("CWD /many", "2")?;
    let peak = Peak::of(subject.server)?;
    let start = Instant::now();
    let lines = count_lines(&mut client, command)?;
    let time = start.elapsed().as_secs_f64();
    let growth = peak.growth_mib()?;
    ensure!(
        lines >= ENTRIES,
        "only {lines} of {ENTRIES} entries were listed"
    );
    Ok(vec![time, growth])
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
        lines += memchr_iter(b'\n', part).count();
    }
    client.finished()?;
    Ok(lines)
}

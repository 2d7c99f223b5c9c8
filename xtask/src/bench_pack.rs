//! `cargo xtask bench-pack`: how fast packing and verifying are beside `tar | gzip -6` on the same
//! files, and how much memory they take.

use std::{
    fmt,
    fs::{self, File},
    io::{self, BufWriter, Read as _, Seek as _, Write as _},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use serde_json::{Value, json};

use crate::process;

/// Most memory that packing and verifying may take, whatever the size of the package, in bytes.
const MOST_MEMORY: u64 = 64 << 20;
/// A file of the package, in MiB. Several of them, so that more than one header is written.
const FILE_MIB: u64 = 256;

/// One round: what each of the three took.
#[derive(Debug)]
struct Round {
    tar_gzip: Duration,
    package: Duration,
    verify: Duration,
}

/// All rounds over the same files.
#[derive(Debug)]
struct Report {
    mib: u64,
    rounds: Vec<Round>,
    /// The most that `package` and `verify` had in memory, in bytes.
    package_memory: u64,
    verify_memory: u64,
    tar_gz_bytes: u64,
    vib_bytes: u64,
}

/// Packs `mib` MiB in each round, in turn with `tar | gzip -6`, and prints what they took.
///
/// # Errors
/// If a program fails, or if packing or verifying takes more memory than it may. Times are told,
/// not judged.
pub(crate) fn run(mib: u64, rounds: u32, out: Option<&Path>) -> Result<()> {
    ensure!(mib > 0 && rounds > 0, "there is nothing to measure");
    let work =
        tempfile::tempdir().context("no temporary directory; set TMPDIR to a disk with room")?;
    let folder = work.path();
    eprintln!("writing {mib} MiB of samples");
    let files = samples(folder, mib)?;
    fs::write(folder.join("package.toml"), description(&files))?;

    let mut report = Report {
        mib,
        rounds: Vec::new(),
        package_memory: 0,
        verify_memory: 0,
        tar_gz_bytes: 0,
        vib_bytes: 0,
    };
    for number in 1..=rounds {
        eprintln!("round {number} of {rounds}");
        report.round(folder, &files)?;
    }
    print!("{report}");
    if let Some(path) = out {
        let text = format!("{:#}\n", report.json());
        fs::write(path, text).with_context(|| path.display().to_string())?;
    }
    for (what, bytes) in [
        ("package", report.package_memory),
        ("verify", report.verify_memory),
    ] {
        ensure!(
            bytes <= MOST_MEMORY,
            "{what} took {} MiB of memory, {} are allowed; something is kept as a whole",
            bytes >> 20,
            MOST_MEMORY >> 20
        );
    }
    Ok(())
}

impl Report {
    fn round(&mut self, folder: &Path, files: &[String]) -> Result<()> {
        // Ours first: memory is told of the largest child so far.
        let package = timed(ours(&["package", "package.toml", "--out", "out"]), folder)?;
        self.package_memory = self.package_memory.max(children_memory()?);
        let vib = folder.join("out/bench-1.0-1.vib");
        self.vib_bytes = fs::metadata(&vib)?.len();
        let verify = timed(ours(&["verify", "out/bench-1.0-1.vib"]), folder)?;
        self.verify_memory = self.verify_memory.max(children_memory()?);
        let tar_gzip = tar_gzip(folder, files)?;
        self.tar_gz_bytes = fs::metadata(folder.join("tar.gz"))?.len();
        self.rounds.push(Round {
            tar_gzip,
            package,
            verify,
        });
        Ok(())
    }

    /// MB/s of the rounds' median.
    fn speed(&self, of: fn(&Round) -> Duration) -> f64 {
        let mut took: Vec<_> = self.rounds.iter().map(of).collect();
        took.sort_unstable();
        let median = took
            .get(took.len() / 2)
            .map_or(f64::NAN, Duration::as_secs_f64);
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let megabytes = (self.mib << 20) as f64 / 1e6;
        megabytes / median
    }

    fn rows(&self) -> [(&'static str, f64, Option<u64>); 3] {
        [
            ("tar | gzip -6", self.speed(|round| round.tar_gzip), None),
            (
                "package",
                self.speed(|round| round.package),
                Some(self.package_memory),
            ),
            (
                "verify",
                self.speed(|round| round.verify),
                Some(self.verify_memory),
            ),
        ]
    }

    fn json(&self) -> Value {
        let rows = self.rows();
        let base = rows[0].1;
        let rows = rows.map(|(name, speed, memory)| {
            json!({
                "name": name,
                "megabytes-per-second": speed,
                "ratio": speed / base,
                "peak-memory-bytes": memory,
            })
        });
        json!({
            "format": 1,
            "mib": self.mib,
            "rounds": self.rounds.len(),
            "tar-gz-bytes": self.tar_gz_bytes,
            "vib-bytes": self.vib_bytes,
            "results": rows,
        })
    }
}

/// `package` writes the VIB and the bundle around it; `verify` reads the VIB.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} MiB, medians of {}; tar.gz {} bytes, VIB {} bytes",
            self.mib,
            self.rounds.len(),
            self.tar_gz_bytes,
            self.vib_bytes
        )?;
        let rows = self.rows();
        let base = rows[0].1;
        for (name, speed, memory) in rows {
            write!(f, "{name:<13} {speed:>7.1} MB/s  ratio {:.2}", speed / base)?;
            match memory {
                Some(bytes) => writeln!(f, "  peak memory {} MiB", bytes.div_ceil(1 << 20))?,
                None => writeln!(f)?,
            }
        }
        Ok(())
    }
}

/// This program, with other arguments.
fn ours(arguments: &[&str]) -> Command {
    let mut command = process::this_program();
    command.args(arguments);
    command
}

fn timed(mut command: Command, folder: &Path) -> Result<Duration> {
    let started = Instant::now();
    let output = command.current_dir(folder).stdin(Stdio::null()).output()?;
    let took = started.elapsed();
    ensure!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(took)
}

fn tar_gzip(folder: &Path, files: &[String]) -> Result<Duration> {
    let started = Instant::now();
    let mut tar = process::command("tar")
        .arg("-cf-")
        .args(files)
        .current_dir(folder)
        .stdout(Stdio::piped())
        .spawn()
        .context("tar cannot be started")?;
    let archive = tar.stdout.take().context("tar has no output")?;
    let packed = process::command("gzip")
        .arg("-6")
        .stdin(archive)
        .stdout(File::create(folder.join("tar.gz"))?)
        .status()
        .context("gzip cannot be started")?;
    let archived = tar.wait()?;
    if !packed.success() || !archived.success() {
        bail!("tar | gzip failed");
    }
    Ok(started.elapsed())
}

/// The most memory that one of the programs started so far had, in bytes.
fn children_memory() -> Result<u64> {
    let kib = getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss();
    Ok(u64::try_from(kib)? * 1024)
}

/// Files that compress like the ones in packages: half text, a quarter programs, a quarter that
/// does not compress. The same on every machine but for the programs, which are this one.
fn samples(folder: &Path, mib: u64) -> io::Result<Vec<String>> {
    const WORDS: [&str; 16] = [
        "datastore",
        "host",
        "=",
        "{",
        "}\n",
        "\n",
        " ",
        "true",
        "false",
        "return",
        "if",
        "the",
        "control",
        "connection",
        "0x1f",
        ";\n",
    ];
    // Read in pieces: what this process has in memory is told of its children, too.
    let mut program = File::open(process::this_path())?;
    let mut random = Random(1);
    let mut names = Vec::new();
    let mut left = mib;
    while left > 0 {
        let name = format!("file{}", names.len());
        let mut file = BufWriter::new(File::create(folder.join(&name))?);
        let size = left.min(FILE_MIB);
        for piece in 0..size {
            let mut bytes = Vec::with_capacity(1 << 20);
            while bytes.len() < 1 << 20 {
                let number = random.next();
                match piece % 4 {
                    0 | 1 => {
                        // A number now and then, as texts have them.
                        let word = WORDS.get((number % 16) as usize).unwrap_or(&"");
                        bytes.extend(word.bytes());
                        if number.is_multiple_of(5) {
                            bytes.extend((number >> 40).to_string().bytes());
                        }
                    }
                    2 => {
                        let count = (&program).take(4096).read_to_end(&mut bytes)?;
                        if count == 0 {
                            program.rewind()?;
                        }
                    }
                    _ => bytes.extend(number.to_le_bytes()),
                }
            }
            bytes.truncate(1 << 20);
            file.write_all(&bytes)?;
        }
        file.flush()?;
        names.push(name);
        left -= size;
    }
    Ok(names)
}

/// xorshift64*, by Marsaglia and Vigna: even enough for samples.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

fn description(files: &[String]) -> String {
    let head = r#"
        name = "bench"
        version = "1.0"
        release = "1"
        release-date = 2026-01-15T00:00:00Z
        vendor = "example"
        vendor-code = "exa"
        summary = "Samples"
        description = "Samples to measure packing with"
        payloads = [{ name = "bench" }]
        platforms = ["8.*"]
        component = { name = "bench", ui-string = "Samples" }
        bulletin = { kb-url = "https://www.example.org", contact = "https://www.example.org" }
    "#;
    files.iter().fold(head.to_owned(), |text, file| {
        text + &format!(
            "[[contents]]\nsource = {file:?}\ndestination = \"opt/bench/{file}\"\nmode = \"0444\"\n"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_those_of_the_medians() {
        let round = |tar_gzip, package, verify| Round {
            tar_gzip: Duration::from_secs(tar_gzip),
            package: Duration::from_secs(package),
            verify: Duration::from_secs(verify),
        };
        let report = Report {
            mib: 100,
            rounds: vec![round(4, 2, 1), round(4, 100, 1), round(4, 2, 1)],
            package_memory: 1 << 20,
            verify_memory: 5 << 20,
            tar_gz_bytes: 7,
            vib_bytes: 8,
        };
        let text = report.to_string();
        assert!(
            text.contains("package          52.4 MB/s  ratio 2.00  peak memory 1 MiB"),
            "{text}"
        );
        assert!(
            text.contains("verify          104.9 MB/s  ratio 4.00  peak memory 5 MiB"),
            "{text}"
        );
        assert_eq!(report.json()["results"][1]["ratio"], 2.0);
    }

    #[test]
    fn samples_have_the_size_that_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let names = samples(folder.path(), 3).unwrap();
        assert_eq!(names, ["file0"]);
        let path = folder.path().join("file0");
        assert_eq!(fs::metadata(path).unwrap().len(), 3 << 20);
    }
}

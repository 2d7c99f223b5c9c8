//! One client: what it does one after the other, and what it compares.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};

use super::Stage;
use super::content::{Content, Random};
use crate::bench::client::{Client, Route};

/// What is read at once.
const READ_BYTES: usize = 64 << 10;
/// Sizes of small files: around what the daemon sends at once, and what fits into a block.
const SMALL: [u64; 10] = [
    0, 1, 1_000, 10_240, 32_767, 32_768, 32_769, 65_536, 100_003, 262_145,
];
const LARGE_MIN: u64 = 1 << 20;
const LARGE_MAX: u64 = 8 << 20;
/// Files of a session at one time.
const FILES: usize = 6;

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) sessions: u64,
    pub(super) uploads: u64,
    pub(super) downloads: u64,
    pub(super) listings: u64,
    pub(super) aborts: u64,
    /// Compared.
    pub(super) bytes: u64,
}

/// What a session does at one time.
#[derive(Debug, Clone, Copy)]
enum Step {
    Small,
    Large,
    Shared,
    List,
    AbortDownload,
    CloseDownload,
    AbortUpload,
    CutUpload,
    Leave,
}

/// More of what clients do most.
const STEPS: [Step; 16] = [
    Step::Small,
    Step::Small,
    Step::Small,
    Step::Small,
    Step::Small,
    Step::Large,
    Step::Large,
    Step::Shared,
    Step::List,
    Step::List,
    Step::AbortDownload,
    Step::CloseDownload,
    Step::AbortUpload,
    Step::CutUpload,
    Step::Leave,
    Step::Small,
];

/// A client with a directory of its own.
pub(super) struct Session<'s> {
    stage: &'s Stage<'s>,
    directory: String,
    client: Client,
    tls: bool,
    random: Random,
    /// What is in the directory.
    files: BTreeMap<String, Content>,
    buffer: Vec<u8>,
    pub(super) counts: Counts,
}

impl<'s> Session<'s> {
    /// Logs in and makes the directory.
    pub(super) fn begin(stage: &'s Stage<'s>, number: usize) -> Result<Self> {
        let mut random = Random::new(number as u64 + 1);
        let directory = format!("session-{number}");
        let tls = number % 2 == 1;
        let mut client = connect(stage, tls)?;
        client.expect(&format!("MKD /{directory}"), "257")?;
        client.expect(&format!("CWD /{directory}"), "2")?;
        random.next();
        Ok(Self {
            stage,
            directory,
            client,
            tls,
            random,
            files: BTreeMap::new(),
            buffer: vec![0; READ_BYTES],
            counts: Counts {
                sessions: 1,
                ..Counts::default()
            },
        })
    }

    /// Everything that a session can do, once.
    pub(super) fn each_step(&mut self) -> Result<()> {
        STEPS.iter().try_for_each(|step| self.run(*step))
    }

    /// Something that a session can do.
    pub(super) fn any_step(&mut self) -> Result<()> {
        let step = self.random.below(STEPS.len() as u64);
        let step = STEPS.get(usize::try_from(step)?).copied();
        self.run(step.unwrap_or(Step::Small))
    }

    fn run(&mut self, step: Step) -> Result<()> {
        let done = match step {
            Step::Small => {
                let bytes = self.random.below(SMALL.len() as u64);
                let bytes = SMALL.get(usize::try_from(bytes)?).copied();
                self.round_trip(bytes.unwrap_or_default(), false)
            }
            Step::Large => {
                let bytes = LARGE_MIN + self.random.below(LARGE_MAX - LARGE_MIN);
                let thin = self.random.below(2) == 0;
                self.round_trip(bytes, thin)
            }
            Step::Shared => self.download_shared(),
            Step::List => self.list(),
            Step::AbortDownload => self.abort_download(),
            Step::CloseDownload => self.close_download(),
            Step::AbortUpload => self.abort_upload(),
            Step::CutUpload => self.cut_upload(),
            Step::Leave => self.leave(),
        };
        let protection = if self.tls { "TLS" } else { "no TLS" };
        done.with_context(|| format!("{}, {protection}, {step:?}", self.directory))
    }

    /// Stores a file, perhaps over another one, and reads it back.
    fn round_trip(&mut self, bytes: u64, thin: bool) -> Result<()> {
        let content = Content::new(self.random.next(), bytes, thin);
        let name = format!("file {}", self.random.below(FILES as u64));
        self.store(&name, content)?;
        let size = self.client.expect(&format!("SIZE {name}"), "213")?;
        ensure!(size == format!("213 {bytes}"), "{size}: {bytes} were sent");
        self.compare(&name, content, 0)?;
        if self.random.below(4) == 0 {
            self.client.expect(&format!("DELE {name}"), "2")?;
            self.files.remove(&name);
        }
        Ok(())
    }

    fn store(&mut self, name: &str, content: Content) -> Result<()> {
        let pieces = self.stage.source.pieces(content);
        self.client.upload(&format!("STOR {name}"), pieces)?;
        self.files.insert(name.to_owned(), content);
        self.counts.uploads += 1;
        Ok(())
    }

    /// Downloads from an offset on.
    fn compare(&mut self, path: &str, content: Content, offset: u64) -> Result<()> {
        if offset > 0 {
            self.client.expect(&format!("REST {offset}"), "350")?;
        }
        let mut data = self.client.open(&format!("RETR {path}"))?;
        let mut comparison = content.compare(self.stage.source, offset);
        loop {
            let count = data.read(&mut self.buffer)?;
            if count == 0 {
                break;
            }
            let came = self.buffer.get(..count).unwrap_or_default();
            comparison.came(came).with_context(|| path.to_owned())?;
        }
        comparison.ended().with_context(|| path.to_owned())?;
        self.client.finished()?;
        self.counts.downloads += 1;
        self.counts.bytes += content.bytes - offset;
        Ok(())
    }

    /// Downloads what all sessions download, from its beginning or from somewhere else on.
    fn download_shared(&mut self) -> Result<()> {
        let content = self.stage.shared;
        let offset = match self.random.below(2) {
            0 => 0,
            _ => self.random.below(content.bytes),
        };
        self.compare(Stage::SHARED, content, offset)
    }

    /// Compares names and sizes of the session's directory, and the names of a larger one.
    fn list(&mut self) -> Result<()> {
        let mut names = self.lines("NLST")?;
        names.sort();
        let expected: Vec<_> = self.files.keys().cloned().collect();
        ensure!(names == expected, "NLST: {names:?} for {expected:?}");

        let facts = self.lines("MLSD")?;
        for (name, content) in &self.files {
            let size = format!("size={};", content.bytes);
            let line = facts
                .iter()
                .find(|line| line.ends_with(&format!(" {name}")));
            let line = line.with_context(|| format!("MLSD does not show {name}: {facts:?}"))?;
            ensure!(line.to_lowercase().contains(&size), "{line}: not {size}");
        }
        let lines = self.lines(&format!("LIST {}", Stage::MANY))?;
        ensure!(
            lines.len() == Stage::MANY_ENTRIES,
            "LIST: {} of {} entries",
            lines.len(),
            Stage::MANY_ENTRIES
        );
        for number in 0..Stage::MANY_ENTRIES {
            let name = Stage::entry(number);
            let line = lines.get(number).map(String::as_str).unwrap_or_default();
            ensure!(line.ends_with(&name), "LIST: {line} for {name}");
        }
        self.counts.listings += 3;
        Ok(())
    }

    fn lines(&mut self, command: &str) -> Result<Vec<String>> {
        let mut data = self.client.open(command)?;
        let mut text = Vec::new();
        loop {
            let count = data.read(&mut self.buffer)?;
            if count == 0 {
                break;
            }
            text.extend_from_slice(self.buffer.get(..count).unwrap_or_default());
        }
        self.client.finished()?;
        let text = String::from_utf8(text).with_context(|| command.to_owned())?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// ABOR in the middle of a download.
    fn abort_download(&mut self) -> Result<()> {
        let mut data = self.client.open(&format!("RETR {}", Stage::SHARED))?;
        ensure!(data.read(&mut self.buffer)? > 0, "nothing comes");
        self.client.expect("ABOR", "426")?;
        self.client.finished()?;
        self.counts.aborts += 1;
        Ok(())
    }

    /// The data connection is closed in the middle of a download.
    fn close_download(&mut self) -> Result<()> {
        let mut data = self.client.open(&format!("RETR {}", Stage::SHARED))?;
        ensure!(data.read(&mut self.buffer)? > 0, "nothing comes");
        drop(data);
        self.client.expect_reply("4")?;
        self.counts.aborts += 1;
        Ok(())
    }

    /// ABOR in the middle of an upload; the file that was there stays.
    fn abort_upload(&mut self) -> Result<()> {
        let before = Content::new(self.random.next(), 50_000, false);
        self.store("target", before)?;
        let mut data = self.client.open("STOR target")?;
        self.send_some(&mut data)?;
        self.client.expect("ABOR", "426")?;
        self.client.finished()?;
        drop(data);
        self.counts.aborts += 1;
        self.still("target", before)
    }

    /// An upload whose data connection ends without the end of TLS; the file that was there stays.
    /// Without TLS, such an end cannot be told from a good one.
    fn cut_upload(&mut self) -> Result<()> {
        if !self.tls {
            return Ok(());
        }
        let before = Content::new(self.random.next(), 50_000, false);
        self.store("target", before)?;
        let mut data = self.client.open("STOR target")?;
        self.send_some(&mut data)?;
        drop(data);
        self.client.expect_reply("4")?;
        self.counts.aborts += 1;
        self.still("target", before)
    }

    fn send_some(&mut self, data: &mut crate::bench::client::Data) -> Result<()> {
        let content = Content::new(self.random.next(), 300_000, false);
        for piece in self.stage.source.pieces(content) {
            data.write(piece)?;
        }
        Ok(())
    }

    /// Compares, replaces, compares and removes: what was sent of the interrupted upload is kept to
    /// be resumed, until a complete one takes its place.
    fn still(&mut self, name: &str, content: Content) -> Result<()> {
        self.compare(name, content, 0)?;
        let complete = Content::new(self.random.next(), 70_000, false);
        let stored = self.store(name, complete);
        stored.context("after an interrupted upload")?;
        self.compare(name, complete, 0)?;
        self.client.expect(&format!("DELE {name}"), "2")?;
        self.files.remove(name);
        Ok(())
    }

    /// Leaves, with or without a word and perhaps in the middle of a download; comes back with or
    /// without TLS.
    fn leave(&mut self) -> Result<()> {
        let mut data = None;
        match self.random.below(3) {
            0 => drop(self.client.expect("QUIT", "221")?),
            1 => {}
            _ => {
                let data = data.insert(self.client.open(&format!("RETR {}", Stage::SHARED))?);
                ensure!(data.read(&mut self.buffer)? > 0, "nothing comes");
                self.counts.aborts += 1;
            }
        }
        self.tls = self.random.below(2) == 0;
        self.client = connect(self.stage, self.tls)?;
        drop(data);
        self.client
            .expect(&format!("CWD /{}", self.directory), "2")?;
        self.counts.sessions += 1;
        Ok(())
    }

    /// Compares all that is left, and leaves.
    pub(super) fn end(mut self) -> Result<Counts> {
        let files: Vec<_> = self.files.clone().into_iter().collect();
        for (name, content) in files {
            self.compare(&name, content, 0)?;
            self.client.expect(&format!("DELE {name}"), "2")?;
        }
        self.client.expect("CWD /", "2")?;
        self.client
            .expect(&format!("RMD /{}", self.directory), "2")?;
        self.client.expect("QUIT", "221")?;
        Ok(self.counts)
    }
}

fn connect(stage: &Stage<'_>, tls: bool) -> Result<Client> {
    let tls = tls.then_some(&stage.tls);
    Client::ready(&stage.server.target, tls, Route::Direct)
}

impl Counts {
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            sessions: self.sessions + other.sessions,
            uploads: self.uploads + other.uploads,
            downloads: self.downloads + other.downloads,
            listings: self.listings + other.listings,
            aborts: self.aborts + other.aborts,
            bytes: self.bytes + other.bytes,
        }
    }
}

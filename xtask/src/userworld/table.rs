//! The table of system calls: what each profile answers, read from `xtask/userworld/*.toml`.

use std::fmt;

use anyhow::{Context as _, Result, bail, ensure};
use nix::errno::Errno;
use serde::Deserialize;
use syscalls::Sysno;

/// The files of the table; they are part of the program.
const FILES: &[(&str, &str)] = &[
    ("files.toml", include_str!("../../userworld/files.toml")),
    ("network.toml", include_str!("../../userworld/network.toml")),
    ("threads.toml", include_str!("../../userworld/threads.toml")),
    ("time.toml", include_str!("../../userworld/time.toml")),
];
const TOGGLES: &str = include_str!("../../userworld/toggles.toml");

/// What no answer of a system call can stand for; see [`super::surroundings`].
pub(super) const DEV_RANDOM: &str = "dev-random";
pub(super) const NEVER_READABLE: &str = "never-readable";

/// What is imitated: the cautious answers for one family of releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Profile {
    /// 5.5 to 6.7
    #[value(name = "esxi-6")]
    Esxi6,
    /// 7.x and 8.x
    #[value(name = "esxi-7")]
    Esxi7,
}

impl Profile {
    pub(crate) const ALL: [Self; 2] = [Self::Esxi6, Self::Esxi7];
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Esxi6 => "esxi-6",
            Self::Esxi7 => "esxi-7",
        })
    }
}

/// What the kernel answers to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// What Linux answers.
    Allow,
    /// This error, and nothing is done.
    Refuse(Errno),
}

impl Answer {
    pub(super) fn parse(text: &str) -> Result<Self> {
        const ERRNOS: &[Errno] = &[
            Errno::EINTR,
            Errno::EINVAL,
            Errno::ENOTTY,
            Errno::ENOSYS,
            Errno::ENOPROTOOPT,
            Errno::EAFNOSUPPORT,
        ];
        if text == "allow" {
            return Ok(Self::Allow);
        }
        let errno = ERRNOS.iter().find(|errno| format!("{errno:?}") == text);
        let errno =
            errno.with_context(|| format!("{text:?} is neither \"allow\" nor a known errno"))?;
        Ok(Self::Refuse(*errno))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allow => f.write_str("allow"),
            Self::Refuse(errno) => write!(f, "{errno:?}"),
        }
    }
}

/// A test of one argument of a call, of its lower 32 bits.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Condition {
    /// From 0 to 5.
    pub(super) argument: u8,
    #[serde(default = "all_bits")]
    pub(super) mask: u32,
    pub(super) is: u32,
}

fn all_bits() -> u32 {
    u32::MAX
}

/// What a filter cannot see, because it lies in memory or behind a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Inspection {
    /// The event of argument 3 asks for EPOLLRDHUP.
    EpollRdhup,
    /// It is the seventh such call, or the fourteenth, and so on.
    EverySeventh,
    /// The path is /proc or /sys, or below one of them.
    KernelFiles,
    /// The descriptor of argument 0 is no socket.
    NotASocket,
    /// An entry of the array of argument 0 asks for POLLRDHUP.
    PollRdhup,
    /// The descriptor of argument 0 is one of the kernel's random devices.
    RandomDevice,
    /// Always true; the answer names another kernel.
    Uname,
}

/// One row of the table.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) calls: Vec<Sysno>,
    /// The row holds only for some arguments; this says which, for people.
    pub(crate) flag: Option<String>,
    pub(super) conditions: Vec<Condition>,
    pub(super) inspection: Option<Inspection>,
    pub(super) toggle: Option<String>,
    /// Why the daemon must not make the call, even where it is allowed.
    pub(crate) unwanted: Option<String>,
    answers: [Answer; 2],
}

impl Row {
    pub(crate) fn answer(&self, profile: Profile) -> Answer {
        match profile {
            Profile::Esxi6 => self.answers[0],
            Profile::Esxi7 => self.answers[1],
        }
    }
}

/// A thing that can be answered in several ways.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Toggle {
    pub(crate) name: String,
    pub(crate) values: Vec<String>,
}

/// The whole table.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) rows: Vec<Row>,
    pub(crate) toggles: Vec<Toggle>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RowsFile {
    row: Vec<RowText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RowText {
    calls: Vec<String>,
    flag: Option<String>,
    #[serde(default, rename = "where")]
    conditions: Vec<Condition>,
    inspect: Option<Inspection>,
    #[serde(rename = "esxi-6")]
    esxi_6: String,
    #[serde(rename = "esxi-7")]
    esxi_7: String,
    toggle: Option<String>,
    unwanted: Option<String>,
    evidence: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TogglesFile {
    toggle: Vec<Toggle>,
}

impl Table {
    /// Reads the table that is part of this program.
    ///
    /// # Errors
    /// If a row is malformed or contradicts another one.
    pub(crate) fn load() -> Result<Self> {
        let toggles: TogglesFile =
            toml::from_str(TOGGLES).context("xtask/userworld/toggles.toml")?;
        let mut rows = Vec::new();
        for (name, text) in FILES {
            let file: RowsFile =
                toml::from_str(text).with_context(|| format!("xtask/userworld/{name}"))?;
            for row in file.row {
                let of = row.calls.join(", ");
                let row = row
                    .parse(&toggles.toggle)
                    .with_context(|| format!("xtask/userworld/{name}: the row of {of}"))?;
                rows.push(row);
            }
        }
        let table = Self {
            rows,
            toggles: toggles.toggle,
        };
        table.check()?;
        Ok(table)
    }

    /// Every call that has a row for some of its arguments has one for the others, and no call has
    /// two; every toggle changes something.
    fn check(&self) -> Result<()> {
        for call in self.rows.iter().flat_map(|row| &row.calls) {
            let plain = self
                .rows
                .iter()
                .filter(|row| row.flag.is_none() && row.calls.contains(call))
                .count();
            ensure!(
                plain == 1,
                "xtask/userworld: {call} has {plain} rows without `flag`; it needs one"
            );
        }
        for toggle in &self.toggles {
            let used = |row: &Row| row.toggle.as_ref() == Some(&toggle.name);
            ensure!(
                toggle.name == DEV_RANDOM || self.rows.iter().any(used),
                "xtask/userworld/toggles.toml: no row carries the toggle {}",
                toggle.name
            );
        }
        Ok(())
    }
}

impl RowText {
    fn parse(self, toggles: &[Toggle]) -> Result<Row> {
        let conditional = !self.conditions.is_empty() || self.inspect.is_some();
        ensure!(
            conditional == self.flag.is_some(),
            "`flag` belongs to rows with `where` or `inspect`, and to all of them"
        );
        ensure!(!self.evidence.is_empty(), "`evidence` is empty");
        if let Some(condition) = self.conditions.iter().find(|c| c.argument > 5) {
            bail!("argument {} does not exist", condition.argument);
        }
        if let Some(name) = &self.toggle {
            ensure!(
                toggles.iter().any(|toggle| toggle.name == *name),
                "the toggle {name} is not in toggles.toml"
            );
        }
        let calls = self.calls.iter().map(|name| {
            name.parse()
                .ok()
                .with_context(|| format!("there is no system call {name}"))
        });
        Ok(Row {
            calls: calls.collect::<Result<_>>()?,
            flag: self.flag,
            conditions: self.conditions,
            inspection: self.inspect,
            toggle: self.toggle,
            unwanted: self.unwanted,
            answers: [Answer::parse(&self.esxi_6)?, Answer::parse(&self.esxi_7)?],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_well_formed() {
        let table = Table::load().unwrap();
        assert!(table.rows.len() > 50);
        for toggle in table.toggles.iter().filter(|t| t.name != DEV_RANDOM) {
            for value in &toggle.values {
                Answer::parse(value).unwrap();
            }
        }
    }

    #[test]
    fn unknown_answers_are_named() {
        let error = Answer::parse("EBANANA").unwrap_err().to_string();
        assert!(error.contains("EBANANA"), "{error}");
    }
}

//! One profile with its toggles: what is answered to which call.

use std::fmt;

use anyhow::{Context as _, Result, bail, ensure};
use syscalls::Sysno;

use super::table::{Answer, DEV_RANDOM, Inspection, NEVER_READABLE, Profile, Row, Table, Toggle};

/// `NAME=VALUE`, as on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) toggle: String,
    pub(crate) value: String,
}

impl std::str::FromStr for Setting {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (toggle, value) = text
            .split_once('=')
            .with_context(|| format!("{text:?} is not of the form NAME=VALUE"))?;
        Ok(Self {
            toggle: toggle.to_owned(),
            value: value.to_owned(),
        })
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.toggle, self.value)
    }
}

/// A row of the table with the answer that holds now.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) row: Row,
    pub(crate) answer: Answer,
}

impl Rule {
    /// Whether the supervisor makes the answer instead of the kernel.
    pub(super) fn emulated(&self) -> bool {
        self.row.inspection == Some(Inspection::Uname)
    }

    /// Whether only some of the calls get the answer, however their arguments are.
    pub(super) fn interrupts(&self) -> bool {
        self.row.inspection == Some(Inspection::EverySeventh)
    }
}

/// All rules that hold now.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) rules: Vec<Rule>,
    pub(super) random_never_readable: bool,
}

impl Policy {
    /// The answers of `profile`, changed by `settings`.
    ///
    /// # Errors
    /// If a toggle or a value does not exist, or if a toggle is set twice.
    pub(crate) fn new(table: &Table, profile: Profile, settings: &[Setting]) -> Result<Self> {
        let mut policy = Self {
            rules: Vec::new(),
            random_never_readable: false,
        };
        for (index, setting) in settings.iter().enumerate() {
            check(setting, &table.toggles)?;
            let twice = settings[..index].iter().any(|s| s.toggle == setting.toggle);
            ensure!(!twice, "the toggle {} is set twice", setting.toggle);
            if setting.toggle == DEV_RANDOM {
                policy.random_never_readable = setting.value == NEVER_READABLE;
            }
        }
        for row in &table.rows {
            let setting = settings
                .iter()
                .find(|s| row.toggle.as_ref() == Some(&s.toggle));
            let answer = match setting {
                Some(setting) => Answer::parse(&setting.value)?,
                None => row.answer(profile),
            };
            policy.rules.push(Rule {
                row: row.clone(),
                answer,
            });
        }
        Ok(policy)
    }

    /// The rule for the call whatever its arguments are.
    pub(super) fn plain(&self, call: Sysno) -> Option<&Rule> {
        self.of(call).find(|rule| rule.row.flag.is_none())
    }

    /// The rules for the call with some arguments.
    pub(super) fn flagged(&self, call: Sysno) -> impl Iterator<Item = &Rule> {
        self.of(call).filter(|rule| rule.row.flag.is_some())
    }

    fn of(&self, call: Sysno) -> impl Iterator<Item = &Rule> {
        self.rules
            .iter()
            .filter(move |rule| rule.row.calls.contains(&call))
    }

    /// Whether two policies answer differently to anything.
    pub(crate) fn differs_from(&self, other: &Self) -> bool {
        let answers =
            |policy: &Self| -> Vec<_> { policy.rules.iter().map(|rule| rule.answer).collect() };
        answers(self) != answers(other) || self.random_never_readable != other.random_never_readable
    }
}

fn check(setting: &Setting, toggles: &[Toggle]) -> Result<()> {
    let Some(toggle) = toggles.iter().find(|t| t.name == setting.toggle) else {
        let names: Vec<_> = toggles.iter().map(|t| t.name.as_str()).collect();
        bail!(
            "there is no toggle {:?}; there are: {}",
            setting.toggle,
            names.join(", ")
        );
    };
    ensure!(
        toggle.values.contains(&setting.value),
        "the toggle {} cannot be {:?}; it can be: {}",
        toggle.name,
        setting.value,
        toggle.values.join(", ")
    );
    Ok(())
}

/// Every single change of one toggle that makes a difference to `profile`.
///
/// # Errors
/// If the table is inconsistent.
pub(crate) fn single_changes(table: &Table, profile: Profile) -> Result<Vec<Setting>> {
    let base = Policy::new(table, profile, &[])?;
    let mut changes = Vec::new();
    for toggle in &table.toggles {
        for value in &toggle.values {
            let setting = Setting {
                toggle: toggle.name.clone(),
                value: value.clone(),
            };
            let other = Policy::new(table, profile, std::slice::from_ref(&setting))?;
            if other.differs_from(&base) {
                changes.push(setting);
            }
        }
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::*;

    fn policy(settings: &[&str]) -> Result<Policy> {
        let settings: Vec<_> = settings.iter().map(|s| s.parse().unwrap()).collect();
        Policy::new(&Table::load().unwrap(), Profile::Esxi6, &settings)
    }

    #[test]
    fn toggles_overrule_the_profile() {
        let answer = |policy: &Policy| policy.plain(Sysno::openat).unwrap().answer;
        assert_eq!(answer(&policy(&[]).unwrap()), Answer::Refuse(Errno::ENOSYS));
        assert_eq!(answer(&policy(&["at=allow"]).unwrap()), Answer::Allow);
    }

    #[test]
    fn what_does_not_exist_is_named_with_what_does() {
        for (settings, part) in [
            (&["banana=allow"][..], "there are: at, "),
            (&["at=EINVAL"], "it can be: allow, ENOSYS"),
            (&["at=allow", "at=allow"], "set twice"),
        ] {
            let error = policy(settings).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        assert!("at".parse::<Setting>().is_err());
    }

    #[test]
    fn every_toggle_changes_a_profile() {
        let table = Table::load().unwrap();
        let changed: Vec<_> = Profile::ALL
            .iter()
            .flat_map(|profile| single_changes(&table, *profile).unwrap())
            .map(|setting| setting.toggle)
            .collect();
        for toggle in &table.toggles {
            assert!(changed.contains(&toggle.name), "{}", toggle.name);
        }
    }
}

//! `boot.cfg`, as the boot loader reads it (FORMAT.md M1). An edit changes the bytes of one value
//! and leaves all others as they are.

use std::ops::Range;

use super::MediaError;
use crate::rules::{BOOT_CONFIG, BOOT_OPTIONS, Finding};

/// Most bytes of a file.
pub(super) const MOST_BYTES: u64 = 1 << 20;
/// Most modules of a list. Media have fewer than 200.
const MOST_MODULES: usize = 4096;
/// Most bytes of a boot line; above, hosts may cut it.
const MOST_OPTIONS: usize = 4096;
/// What separates modules.
const SEPARATOR: &str = "---";

/// Keys in the order in which the loader compares them: a key that is cut short is the first one
/// that begins like it.
const KEYS: [&str; 20] = [
    "bootstate",
    "title",
    "timeout",
    "prefix",
    "kernel",
    "kernelopt",
    "modules",
    "build",
    "updated",
    "quickboot",
    "nobootif",
    "noquirks",
    "norts",
    "crypto",
    "nativehttp",
    "runtimewd",
    "runtimewdtimeout",
    "tftpblksize",
    "skip",
    "errtimeout",
];
/// Those whose value is a number.
const NUMBERS: [&str; 12] = [
    "bootstate",
    "timeout",
    "updated",
    "quickboot",
    "nobootif",
    "noquirks",
    "norts",
    "nativehttp",
    "runtimewdtimeout",
    "tftpblksize",
    "skip",
    "errtimeout",
];

/// A module of the list, or rather what is written about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// File name as written.
    pub file: String,
    /// Options behind it; usually none.
    pub options: String,
    range: Range<usize>,
}

impl Module {
    /// The name without its folder, by which the kernel knows the module.
    pub fn base_name(&self) -> &str {
        base_name(&self.file)
    }
}

/// A file name without its folder.
pub(super) fn base_name(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or(file)
}

/// A `boot.cfg`.
#[derive(Debug, Clone)]
pub struct BootConfig {
    text: String,
    /// Keys and places of values, in the order of the file.
    values: Vec<(&'static str, Range<usize>)>,
    modules: Vec<Module>,
}

impl BootConfig {
    /// Reads a file.
    ///
    /// # Errors
    /// A finding against FORMAT.md M1, for what the loader would stop at or could not be told apart
    /// from damage.
    pub fn parse(bytes: &[u8]) -> Result<Self, MediaError> {
        if bytes.len() as u64 > MOST_BYTES {
            return Err(refused(
                "boot.cfg",
                format!("has more than {MOST_BYTES} bytes"),
            ));
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Err(refused("boot.cfg", "is not text in UTF-8"));
        };
        if let Some(stray) = text
            .chars()
            .find(|c| c.is_control() && !c.is_ascii_whitespace())
        {
            return Err(refused(
                "boot.cfg",
                format!("holds the character {stray:?}"),
            ));
        }
        let mut config = Self {
            text: text.to_owned(),
            values: Vec::new(),
            modules: Vec::new(),
        };
        let mut start = 0;
        for line in text.split('\n') {
            config.line(line, start)?;
            start += line.len() + 1;
        }
        if config.kernel().is_none() {
            return Err(refused("boot.cfg", "names no kernel"));
        }
        config.modules = config.list()?;
        Ok(config)
    }

    fn line(&mut self, line: &str, start: usize) -> Result<(), MediaError> {
        let inner = line.trim();
        if inner.is_empty() || inner.starts_with('#') {
            return Ok(());
        }
        let Some((key, value)) = line.split_once('=') else {
            return Ok(());
        };
        let (key, value_start) = (key.trim(), start + key.len() + 1);
        let Some(known) = known(key) else {
            return Ok(());
        };
        let trimmed = value.trim();
        let from = value_start + (value.len() - value.trim_start().len());
        if NUMBERS.contains(&known) && !trimmed.is_empty() && trimmed.parse::<u64>().is_err() {
            return Err(refused(
                format!("boot.cfg {known}={trimmed:?}"),
                "is not a number, at which the boot loader stops",
            ));
        }
        // Blanks at both ends stay where they are; an empty value has its place behind the sign.
        let from = if trimmed.is_empty() {
            value_start
        } else {
            from
        };
        self.values.push((known, from..from + trimmed.len()));
        Ok(())
    }

    fn list(&self) -> Result<Vec<Module>, MediaError> {
        let Some(range) = self.range("modules") else {
            return Ok(Vec::new());
        };
        let value = self.text.get(range.clone()).unwrap_or_default();
        let mut modules = Vec::new();
        let mut place = range.start;
        for item in value.split(SEPARATOR) {
            let inner = item.trim();
            let start = place + (item.len() - item.trim_start().len());
            place += item.len() + SEPARATOR.len();
            if inner.is_empty() {
                continue;
            }
            if modules.len() >= MOST_MODULES {
                return Err(refused(
                    "boot.cfg modules",
                    format!("lists more than {MOST_MODULES}"),
                ));
            }
            let (file, options) = inner.split_once(char::is_whitespace).unwrap_or((inner, ""));
            modules.push(Module {
                file: file.to_owned(),
                options: options.trim().to_owned(),
                range: start..start + inner.len(),
            });
        }
        Ok(modules)
    }

    /// The last value of a key counts.
    fn range(&self, key: &str) -> Option<Range<usize>> {
        let mut values = self.values.iter().rev();
        values
            .find(|(known, _)| *known == key)
            .map(|(_, range)| range.clone())
    }

    /// The value of a key in its full spelling, runs of blanks being one; `None` where it is empty.
    pub fn value(&self, key: &str) -> Option<String> {
        let text = self.text.get(self.range(key)?)?;
        let words: Vec<_> = text.split_whitespace().collect();
        (!words.is_empty()).then(|| words.join(" "))
    }

    /// The file of the kernel.
    pub fn kernel(&self) -> Option<String> {
        self.value("kernel")
    }

    /// The modules, in their order.
    pub fn modules(&self) -> &[Module] {
        &self.modules
    }

    /// The file as it stands.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Puts modules in front of the one with this base name.
    ///
    /// # Errors
    /// If there is none, or a name cannot stand in a list.
    pub fn insert_before(&self, base: &str, files: &[String]) -> Result<Self, MediaError> {
        let found = |module: &&Module| module.base_name().eq_ignore_ascii_case(base);
        let Some(module) = self.modules.iter().find(found) else {
            return Err(refused(
                "boot.cfg modules",
                format!("do not name {base}, in front of which others belong"),
            ));
        };
        let mut inserted = String::new();
        for file in files {
            inserted.extend([file.as_str(), " ", SEPARATOR, " "]);
        }
        let edited = self.spliced(module.range.start..module.range.start, &inserted)?;
        let expected = self.modules.len() + files.len();
        if edited.modules.len() != expected {
            return Err(refused(
                "boot.cfg modules",
                "would not list what was put into them",
            ));
        }
        Ok(edited)
    }

    /// Takes the modules with this base name out of the list.
    ///
    /// # Errors
    /// If the rest is no list any more.
    pub fn without(&self, base: &str) -> Result<Self, MediaError> {
        let mut config = self.clone();
        while let Some(place) = config
            .modules
            .iter()
            .position(|module| module.base_name().eq_ignore_ascii_case(base))
        {
            let range = |place: usize| config.modules.get(place).map(|one| one.range.clone());
            let Some(own) = range(place) else { break };
            // With the separator behind it, so that this is the reverse of putting it there.
            let cut = match (range(place + 1), place.checked_sub(1).and_then(range)) {
                (Some(next), _) => own.start..next.start,
                (None, Some(before)) => before.end..own.end,
                (None, None) => own,
            };
            config = config.spliced(cut, "")?;
        }
        Ok(config)
    }

    /// Adds options to the boot line. One whose key is there takes the place of the old one.
    ///
    /// # Errors
    /// A finding against FORMAT.md M12.
    pub fn with_options(&self, options: &str) -> Result<Self, MediaError> {
        let finding = |problem: String, remedy: &str| {
            let place = format!("kernelopt {options:?}");
            MediaError::Refused(vec![Finding::new(BOOT_OPTIONS, place, problem, remedy)])
        };
        let stray =
            |c: &char| matches!(c, '"' | '\'' | '\\' | '`') || !c.is_ascii() || c.is_control();
        if let Some(stray) = options.chars().find(stray) {
            return Err(finding(
                format!("contains {stray:?}, which ends the installation or changes the line"),
                "write words of printable ASCII without quotes and backslashes, such as KEY=VALUE",
            ));
        }
        let old = self.value("kernelopt").unwrap_or_default();
        let mut words: Vec<&str> = old.split(' ').filter(|word| !word.is_empty()).collect();
        let key = |word: &str| word.split('=').next().unwrap_or(word).to_ascii_lowercase();
        for word in options.split_whitespace() {
            match words.iter_mut().find(|old| key(old) == key(word)) {
                Some(old) => *old = word,
                None => words.push(word),
            }
        }
        let line = words.join(" ");
        if line.len() >= MOST_OPTIONS {
            return Err(finding(
                format!("makes a boot line of {} bytes", line.len()),
                "stay below 4096 bytes, above which hosts may cut the line",
            ));
        }
        if let Some(range) = self.range("kernelopt") {
            return self.spliced(range, &line);
        }
        let Some(kernel) = self.range("kernel") else {
            return Err(refused("boot.cfg", "names no kernel"));
        };
        let end = self.text.get(kernel.end..).and_then(|rest| rest.find('\n'));
        let end = end.map_or(self.text.len(), |length| kernel.end + length);
        let ending = self
            .text
            .get(kernel.end..end)
            .filter(|rest| rest.ends_with('\r'));
        let ending = ending.map_or("", |_| "\r");
        // In front of the line break, which is then that of the new line.
        self.spliced(end..end, &format!("\nkernelopt={line}{ending}"))
    }

    fn spliced(&self, range: Range<usize>, with: &str) -> Result<Self, MediaError> {
        let mut text = self.text.clone();
        text.replace_range(range, with);
        Self::parse(text.as_bytes())
    }
}

fn known(key: &str) -> Option<&'static str> {
    if key.is_empty() {
        return None;
    }
    KEYS.into_iter().find(|known| {
        known
            .get(..key.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(key))
    })
}

fn refused(place: impl Into<String>, problem: impl Into<String>) -> MediaError {
    MediaError::Refused(vec![Finding::new(
        BOOT_CONFIG,
        place,
        problem,
        "take the file from sound media of this release",
    )])
}

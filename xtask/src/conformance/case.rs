//! Reads the case files: `xtask/conformance/*.toml`.

use std::collections::BTreeSet;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use super::disk::Setup;
use super::script::{self, DataCheck, State, Step};

/// Variables that every case has; `script.rs` adds those that patterns set.
pub(crate) const VARIABLES: &[&str] =
    &["base", "comma", "dir", "local", "name", "password", "user"];

/// How long a reply may take unless the case says otherwise: a busy machine, but no hang.
const PATIENCE: Duration = Duration::from_secs(6);
/// The most that a case may ask for; the whole suite has to end within a minute.
const MAX_PATIENCE: u64 = 40;

/// The cases of one file.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) title: String,
    pub(crate) cases: Vec<Case>,
}

/// One case.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) id: String,
    /// What decides: document and section.
    pub(crate) source: String,
    /// Commands that a server need not know; it says so with 500, 502 or 504.
    pub(crate) optional: Vec<String>,
    /// What FEAT has to name; the case is about nothing else.
    pub(crate) feature: Option<String>,
    pub(crate) state: State,
    /// The client's address, where the server is on the loopback network.
    pub(crate) from: Option<Ipv4Addr>,
    /// Whether it is played over IPv6, at the loopback address.
    pub(crate) ipv6: bool,
    pub(crate) patience: Duration,
    /// Whether it is played when no other is: it hangs servers that are one thread.
    pub(crate) alone: bool,
    pub(crate) end: Ending,
    pub(crate) setup: Vec<Setup>,
    pub(crate) steps: Vec<(usize, Step)>,
}

/// What must hold of every session after the last step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ending {
    /// It answers NOOP, and nothing else has come.
    #[default]
    Alive,
    /// Nothing is asked.
    Any,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct FileForm {
    topic: String,
    case: Vec<CaseForm>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct CaseForm {
    id: String,
    source: String,
    /// Makes a case of each entry, `TEXT` or `TEXT => OTHER`: `{each}` and `{then}` in the script.
    each: Option<Vec<String>>,
    #[serde(default)]
    optional: Vec<String>,
    feature: Option<String>,
    state: Option<State>,
    from: Option<Ipv4Addr>,
    #[serde(default)]
    ipv6: bool,
    patience_seconds: Option<u64>,
    #[serde(default)]
    alone: bool,
    #[serde(default)]
    end: Ending,
    #[serde(default)]
    disk: Vec<String>,
    script: String,
}

/// Reads all files of a directory, in the order of their names.
///
/// # Errors
/// Names the file, and the case, line or key that is malformed; also if two cases have one id.
pub(crate) fn load(dir: &Path) -> Result<Vec<Topic>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            paths.push(path);
        }
    }
    paths.sort();
    ensure!(!paths.is_empty(), "there are no cases in {}", dir.display());
    let mut topics = Vec::new();
    let mut ids = BTreeSet::new();
    for path in paths {
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let topic = parse(&text).with_context(|| path.display().to_string())?;
        for case in &topic.cases {
            let new = ids.insert(case.id.clone());
            ensure!(new, "{}: the id {} exists twice", path.display(), case.id);
        }
        topics.push(topic);
    }
    Ok(topics)
}

/// Reads the text of one file.
pub(crate) fn parse(text: &str) -> Result<Topic> {
    let form: FileForm = toml::from_str(text)?;
    let mut cases = Vec::new();
    for form in form.case {
        let id = form.id.clone();
        cases.extend(expand(&form).with_context(|| format!("case {id:?}"))?);
    }
    ensure!(!cases.is_empty(), "there are no cases");
    Ok(Topic {
        title: form.topic,
        cases,
    })
}

fn expand(form: &CaseForm) -> Result<Vec<Case>> {
    let Some(entries) = &form.each else {
        let case = build(form, form.id.clone(), &|text| text.to_owned())?;
        return Ok(vec![case]);
    };
    ensure!(
        form.script.contains("{each}") || form.script.contains("{then}"),
        "`each` without {{each}} or {{then}} in the script"
    );
    let mut taken = BTreeSet::new();
    let case = |(index, entry): (usize, &String)| {
        let (each, then) = entry.split_once(" => ").unwrap_or((entry, ""));
        let mut slug = slug(each);
        if slug.is_empty() || !taken.insert(slug.clone()) {
            slug = format!("{slug}-{}", index + 1);
        }
        let id = format!("{}:{}", form.id, slug.trim_start_matches('-'));
        build(form, id, &|text| {
            text.replace("{each}", each).replace("{then}", then)
        })
        .with_context(|| format!("each {entry:?}"))
    };
    entries.iter().enumerate().map(case).collect()
}

fn build(form: &CaseForm, id: String, put_in: &dyn Fn(&str) -> String) -> Result<Case> {
    ensure!(!form.source.trim().is_empty(), "`source` names no section");
    let patience = match form.patience_seconds {
        None => PATIENCE,
        Some(seconds @ 1..=MAX_PATIENCE) => Duration::from_secs(seconds),
        Some(other) => bail!("patience-seconds is {other}, not within 1 to {MAX_PATIENCE}"),
    };
    let setup = form.disk.iter().map(|line| {
        let line = put_in(line);
        Setup::parse(&line).with_context(|| format!("disk: {line}"))
    });
    ensure!(
        !(form.ipv6 && form.from.is_some()),
        "`from` is an IPv4 address, the case is over IPv6"
    );
    let steps = script::parse(&put_in(&form.script)).context("script")?;
    expect_variables(&steps)?;
    Ok(Case {
        id,
        source: form.source.clone(),
        optional: form.optional.iter().map(|verb| put_in(verb)).collect(),
        feature: form.feature.as_deref().map(put_in),
        state: form.state.unwrap_or(State::Ready),
        from: form.from,
        ipv6: form.ipv6,
        patience,
        alone: form.alone,
        end: form.end,
        setup: setup.collect::<Result<_>>()?,
        steps,
    })
}

/// Every variable has a value when its line is reached.
fn expect_variables(steps: &[(usize, Step)]) -> Result<()> {
    let mut known: BTreeSet<String> = VARIABLES.iter().map(ToString::to_string).collect();
    for (line, step) in steps {
        for name in names(step) {
            ensure!(
                known.contains(name),
                "script: line {line}: the variable {{{name}}} is set nowhere before"
            );
        }
        let pattern = match step {
            Step::Expect(expectation) => expectation.pattern.as_ref(),
            Step::Data(DataCheck::Matches(pattern)) => Some(pattern),
            _ => None,
        };
        if let Some(pattern) = pattern {
            known.extend(pattern.captures()?);
        }
    }
    Ok(())
}

fn names(step: &Step) -> Vec<&str> {
    match step {
        Step::Send { text, .. } | Step::Fetch(text) => text.names(),
        Step::Put(content)
        | Step::Blind(content)
        | Step::Push(content)
        | Step::Clear(content)
        | Step::Data(DataCheck::Is(content)) => content.names(),
        Step::Store { command, content } => [command.names(), content.names()].concat(),
        Step::Disk { name, .. } => name.names(),
        Step::Data(DataCheck::Matches(pattern)) => pattern.names(),
        Step::Expect(expectation) => {
            let pattern = expectation.pattern.iter();
            pattern.flat_map(|pattern| pattern.names()).collect()
        }
        _ => Vec::new(),
    }
}

/// Lower-case letters and digits, joined by hyphens.
fn slug(text: &str) -> String {
    let spaced: String = text
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                ' '
            }
        })
        .collect();
    spaced.split_whitespace().collect::<Vec<_>>().join("-")
}

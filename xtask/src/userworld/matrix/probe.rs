//! What `esxftpd probe` finds in a case, beside what the table promises.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use serde::Deserialize;
use syscalls::Sysno;

use super::Case;
use crate::{
    e2e::Trial,
    host::DAEMON,
    process,
    userworld::{
        policy::{Policy, Rule},
        table::{Answer, Table},
    },
};

/// The daemon promises five seconds, but not under a supervisor on a busy machine.
const LIMIT: Duration = Duration::from_mins(1);

/// Fewer rows than this are not the whole table.
const LEAST_ROWS: usize = 100;

/// What the daemon prints.
#[derive(Deserialize)]
struct Found {
    calls: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    id: String,
    call: String,
    flag: Option<String>,
    /// `ok` or the name of an errno.
    result: String,
}

/// Rows that can be tried only with what another call gives: the row, and the call and flag before
/// it.
const PREREQUISITES: &[(&str, &str, Option<&str>)] = &[
    ("epoll_ctl EPOLLRDHUP", "epoll_create1", None),
    ("setsockopt IPV6_V6ONLY", "socket", Some("AF_INET6")),
];

/// Rows that show something else than what the kernel answers: the row, the answer, what is seen.
const SEEN_OTHERWISE: &[(&str, &str, &str)] = &[
    // musl's `pthread_create` has one error for everything.
    ("clone CLONE_DETACHED", "EINVAL", "EAGAIN"),
    // The device is no socket either, and that row comes first.
    ("ioctl on /dev/random or /dev/urandom", "EINVAL", "ENOTTY"),
];

/// Runs the probe under the case's policy and compares each row that the table has.
///
/// # Errors
/// Names every row that differs.
pub(super) fn compare(case: &Case, trial: &Trial) -> Result<()> {
    let table = Table::load()?;
    let policy = Policy::new(&table, case.profile, case.setting.as_slice())?;
    let found = run(case, trial)?;
    let mut compared = 0;
    let mut differences = Vec::new();
    for row in &found.calls {
        let call = || row.call.parse::<Sysno>();
        let call = call().map_err(|_unknown| anyhow!("no system call is called {}", row.call))?;
        let Some(expected) = expected(&policy, row, call) else {
            continue;
        };
        compared += 1;
        if row.result != expected {
            differences.push(format!("{}: {} instead of {expected}", row.id, row.result));
        }
    }
    ensure!(differences.is_empty(), differences.join("\n"));
    ensure!(
        compared >= LEAST_ROWS,
        "only {compared} rows could be compared"
    );
    Ok(())
}

fn run(case: &Case, trial: &Trial) -> Result<Found> {
    let mut supervisor = case.supervisor(trial);
    supervisor.args(["--", DAEMON, "probe", "--json"]);
    let finished = process::run(&mut supervisor, b"", LIMIT)?.success()?;
    serde_json::from_str(&finished.stdout).context("what the probe printed")
}

/// What the row should show; nothing if the table does not tell.
fn expected(policy: &Policy, row: &Row, call: Sysno) -> Option<String> {
    let before = PREREQUISITES.iter().find(|(id, ..)| *id == row.id);
    if let Some(&(_, call, flag)) = before
        && let Some(Answer::Refuse(errno)) = answer(policy, call.parse::<Sysno>().ok(), flag)
    {
        return Some(format!("{errno:?}"));
    }
    let shown = match answer(policy, Some(call), row.flag.as_deref())? {
        Answer::Allow => "ok".to_owned(),
        Answer::Refuse(errno) => format!("{errno:?}"),
    };
    let otherwise = SEEN_OTHERWISE
        .iter()
        .find(|(id, answer, _)| *id == row.id && *answer == shown);
    Some(otherwise.map_or(shown, |(_, _, seen)| (*seen).to_owned()))
}

/// The answer to a call with some arguments. Where the call is refused whatever they are, that
/// comes first.
fn answer(policy: &Policy, call: Option<Sysno>, flag: Option<&str>) -> Option<Answer> {
    let call = call?;
    let plain = policy.plain(call).map(|rule| rule.answer);
    match (plain, flag) {
        (Some(Answer::Refuse(errno)), _) => Some(Answer::Refuse(errno)),
        (plain, None) => plain,
        (_, Some(flag)) => {
            let has_flag = |rule: &&Rule| rule.row.flag.as_deref() == Some(flag);
            policy.flagged(call).find(has_flag).map(|rule| rule.answer)
        }
    }
}

//! Python's ftplib: one script, one line of output per case.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, ensure};

use super::report::{NotOffered, Report};
use super::samples::Samples;
use super::{Security, Target, fresh_name, run_client};
use crate::process;

const SCRIPT: &str = include_str!("../../clients/ftplib_suite.py");

/// Runs the script and adds what it reports.
pub(super) fn run(
    target: &Target,
    samples: &Samples,
    work: &Path,
    report: &mut Report,
) -> Result<()> {
    fs::create_dir_all(work)?;
    let script = work.join("ftplib_suite.py");
    fs::write(&script, SCRIPT)?;
    let mut command = process::command("python3");
    command
        .arg(&script)
        .arg("--host")
        .arg(&target.host)
        .arg("--port")
        .arg(target.port.to_string());
    command
        .arg("--user")
        .arg(&target.user)
        .arg("--directory")
        .arg(&target.directory);
    command
        .arg("--name")
        .arg(fresh_name("ftplib"))
        .arg("--work")
        .arg(work);
    if target.security == Security::Tls {
        command.arg("--tls");
    }
    for sample in [
        &samples.big,
        &samples.empty,
        &samples.accented,
        &samples.half,
    ] {
        command.arg(&sample.path);
    }
    command.env("LC_ALL", "C.UTF-8");
    // The script reads one line from its standard input: the password.
    let password = format!("{}\n", target.password);
    let finished = run_client(target, &mut command, password.as_bytes())?;
    ensure!(
        finished.code == Some(0),
        "{} failed:\n{}",
        script.display(),
        finished.stderr
    );
    for line in finished.stdout.lines() {
        let (case, result) = parse(&target.redact(line))?;
        report.add("ftplib", &case, result);
    }
    Ok(())
}

/// `case TAB ok|not offered|failed TAB detail`.
fn parse(line: &str) -> Result<(String, Result<()>)> {
    let mut fields = line.splitn(3, '\t');
    let mut field = || {
        fields
            .next()
            .with_context(|| format!("unexpected output of the ftplib script: {line:?}"))
    };
    let (case, word, detail) = (field()?, field()?, field()?);
    let result = match word {
        "ok" => Ok(()),
        "not offered" => Err(NotOffered.into()),
        _ => Err(anyhow!("{detail}")),
    };
    Ok((case.to_owned(), result))
}

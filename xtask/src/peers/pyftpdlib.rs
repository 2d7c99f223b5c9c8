//! pyftpdlib, driven by a script.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{Caps, DATA_SECONDS, Launch, Packages, Settings, write_private};
use crate::process;

const SCRIPT: &str = include_str!("../../peers/pyftpdlib_server.py");
const VERSION: &str = "import pyftpdlib; print(pyftpdlib.__ver__)";

pub(super) fn launch(packages: &Packages, settings: &Settings<'_>) -> Result<Launch> {
    let Caps {
        sessions,
        per_address,
    } = settings.caps;
    let script = settings.work.join("pyftpdlib_server.py");
    fs::write(&script, SCRIPT)?;
    let options = settings.work.join("options.json");
    let (first, last) = settings.passive;
    let values = serde_json::json!({
        "port": settings.port,
        "user": settings.account.name,
        "password": settings.account.password,
        "root": settings.root,
        "passive": [first, last],
        "certificate": settings.certificate.both,
        "sessions": sessions,
        "sessions_per_address": per_address,
        "data_seconds": DATA_SECONDS,
    });
    write_private(&options, &values.to_string())?;
    let python = || {
        let mut command = process::command("python3");
        command
            .env("PYTHONPATH", &packages.python)
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command
    };
    let asked = process::run(python().args(["-c", VERSION]), b"", Duration::from_secs(20))?;
    let version = asked.success().context("pyftpdlib's version")?.stdout;
    let mut command = python();
    command.arg(&script).arg(&options);
    Ok(Launch {
        command,
        version: version.trim().to_owned(),
    })
}

//! basic-ftp of npm: one run of a script per step, which gets the account on its standard input.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::round::{Client, Place};
use super::samples::Sample;
use super::{Security, listing, run_client};
use crate::process::{self, Finished};

const SCRIPT: &str = include_str!("../../clients/basic_ftp_round.mjs");
const PACKAGE: &str = "basic-ftp@6";
const INSTALL_LIMIT: Duration = Duration::from_mins(3);

/// The client, with the directory into which npm has installed it.
pub(super) struct BasicFtp {
    modules: PathBuf,
}

impl BasicFtp {
    /// Installs the package below `target/`, unless it is there.
    pub(super) fn install() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/clients");
        let modules = root.join("npm");
        if !modules.is_dir() {
            let partial = root.join("npm.partial");
            fs::create_dir_all(&partial)?;
            fs::write(partial.join("package.json"), "{\"private\": true}\n")?;
            println!("installing from npm into {}: {PACKAGE}", root.display());
            let mut npm = process::command("npm");
            npm.args(["install", "--silent", "--no-audit", "--no-fund", PACKAGE])
                .current_dir(&partial)
                .env("HOME", &partial);
            process::run(&mut npm, b"", INSTALL_LIMIT)?
                .success()
                .context("npm; the registry must be reachable")?;
            fs::rename(&partial, &modules)?;
        }
        Ok(Self { modules })
    }

    pub(super) fn run(&self, at: &Place<'_>, mut step: Value) -> Result<Finished> {
        let target = at.target;
        let script = at.work.join("round.mjs");
        fs::write(&script, SCRIPT)?;
        let common = [
            ("host", json!(target.host)),
            ("port", json!(target.port)),
            ("user", json!(target.user)),
            ("password", json!(target.password)),
            ("secure", json!(target.security == Security::Tls)),
            ("directory", json!(target.directory)),
        ];
        for (key, value) in common {
            step[key] = value;
        }
        let mut command = process::command("node");
        command
            .arg(&script)
            .arg(self.modules.join("package.json"))
            .current_dir(&at.work);
        run_client(target, &mut command, step.to_string().as_bytes())?
            .success()
            .context("basic-ftp")
    }
}

impl Client for BasicFtp {
    fn name(&self) -> &'static str {
        "basic-ftp"
    }

    fn knows_tls(&self) -> bool {
        true
    }

    fn upload(&self, at: &Place<'_>, samples: &[&Sample]) -> Option<Result<()>> {
        let pairs: Vec<_> = samples
            .iter()
            .map(|sample| json!([sample.path, sample.name]))
            .collect();
        Some(self.run(at, json!({ "put": pairs })).map(drop))
    }

    fn download(&self, at: &Place<'_>, names: &[&str], into: &Path) -> Result<()> {
        let pairs: Vec<_> = names
            .iter()
            .map(|name| json!([into.join(name), name]))
            .collect();
        self.run(at, json!({ "get": pairs })).map(drop)
    }

    fn list(&self, at: &Place<'_>) -> Result<Vec<String>> {
        let finished = self.run(at, json!({ "list": true }))?;
        Ok(listing::nlst(&finished.stdout))
    }
}

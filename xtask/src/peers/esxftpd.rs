//! Our own daemon.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{Caps, DATA_SECONDS, Launch, Settings, write_private};
use crate::process;

const LIMIT: Duration = Duration::from_secs(20);

/// The section of the configuration that chooses the other engine.
pub(super) const LIBUNFTP: &str = "[server]\nengine = \"libunftp\"\n\n";

/// `engine` goes before the rest of the configuration.
pub(super) fn launch(daemon: &Path, settings: &Settings<'_>, engine: &str) -> Result<Launch> {
    let Caps {
        sessions,
        per_address,
    } = settings.caps;
    let program = daemon
        .to_str()
        .context("the path of the daemon is not UTF-8")?;
    let mut asked = process::command(program);
    let asked = process::run(asked.arg("--version"), b"", LIMIT)?.success();
    let version = asked.context("esxftpd --version")?.stdout;
    let (first, last) = settings.passive;
    let config = settings.work.join("esxftpd.toml");
    let text = format!(
        r#"{engine}[listen]
addresses = ["127.0.0.1:{port}", "[::1]:{port}"]

[passive]
ports = "{first}-{last}"

[limits]
sessions = {sessions}
sessions-per-address = {per_address}
data-connection-seconds = {DATA_SECONDS}

[active]
enabled = true

[tls]
certificate = "{certificate}"
key = "{key}"

[[users]]
name = "{name}"
password-hash = "{hash}"
root = "{root}"
"#,
        port = settings.port,
        certificate = settings.certificate.server.display(),
        key = settings.certificate.key.display(),
        name = settings.account.name,
        hash = settings.account.argon2,
        root = settings.root.display(),
    );
    write_private(&config, &text)?;
    let mut command = process::command(program);
    command
        .args(["serve", "--log-to-stderr", "--config"])
        .arg(&config);
    Ok(Launch {
        command,
        version: version.trim().trim_start_matches("esxftpd ").to_owned(),
    })
}

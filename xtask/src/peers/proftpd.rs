//! ProFTPD with a user file of its own.

use std::fs;

use anyhow::Result;

use super::{Account, Caps, Launch, Packages, Settings, write_private};

pub(super) fn launch(packages: &Packages, settings: &Settings<'_>) -> Result<Launch> {
    let Caps {
        sessions,
        per_address,
    } = settings.caps;
    let work = settings.work;
    let (uid, gid) = (Account::UID, Account::GID);
    let (name, hash) = (&settings.account.name, &settings.account.hash);
    let users = work.join("users");
    let root = settings.root.display();
    write_private(
        &users,
        &format!("{name}:{hash}:{uid}:{gid}::{root}:/bin/false\n"),
    )?;
    let groups = work.join("groups");
    write_private(&groups, &format!("nogroup:x:{gid}:\n"))?;
    let (first, last) = settings.passive;
    let config = work.join("proftpd.conf");
    let text = format!(
        r#"ServerName "conformance"
ServerType standalone
DefaultAddress 127.0.0.1
Port {port}
UseIPv6 off
UseReverseDNS off
User nobody
Group nogroup
Umask 022
MaxInstances {sessions}
MaxConnectionsPerHost {per_address}
ModulePath {modules}
LoadModule mod_tls.c
LoadModule mod_copy.c
LoadModule mod_digest.c
LoadModule mod_site_misc.c
PidFile {work}/pid
ScoreboardFile {work}/scoreboard
DelayEngine off
WtmpLog off
TransferLog none
SystemLog {work}/log
SyslogLevel warn
AuthOrder mod_auth_file.c
AuthUserFile {users}
AuthGroupFile {groups}
RequireValidShell off
DefaultRoot ~
AllowOverwrite on
AllowOverride off
AllowStoreRestart on
AllowRetrieveRestart on
PassivePorts {first} {last}
TimeoutNoTransfer 600
TimeoutStalled 20
TimesGMT on
UseSendfile on
TLSEngine on
TLSRequired off
TLSProtocol TLSv1.2 TLSv1.3
TLSOptions NoSessionReuseRequired
TLSECCertificateFile {certificate}
TLSECCertificateKeyFile {key}
TLSCACertificateFile {ca}
TLSLog none
"#,
        port = settings.port,
        modules = packages.path("usr/lib/proftpd").display(),
        work = work.display(),
        users = users.display(),
        groups = groups.display(),
        certificate = settings.certificate.server.display(),
        key = settings.certificate.key.display(),
        // Each session would read all CAs of the machine.
        ca = settings.certificate.ca.display(),
    );
    fs::write(&config, text)?;
    let mut command = packages.command("usr/sbin/proftpd")?;
    command.arg("--nodaemon").arg("--config").arg(&config);
    Ok(Launch {
        command,
        version: packages.version("proftpd-core"),
    })
}

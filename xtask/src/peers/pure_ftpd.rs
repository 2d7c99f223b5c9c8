//! Pure-FTPd with a user database of its own.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{Account, Caps, Launch, Packages, Settings, write_private};
use crate::process;

pub(super) fn launch(packages: &Packages, settings: &Settings<'_>) -> Result<Launch> {
    let Caps {
        sessions,
        per_address,
    } = settings.caps;
    let work = settings.work;
    let (uid, gid) = (Account::UID, Account::GID);
    let (name, hash) = (&settings.account.name, &settings.account.hash);
    let users = work.join("users");
    // Name, hash, ids, gecos, home, and thirteen limits that are not set.
    let root = settings.root.display();
    let line = format!("{name}:{hash}:{uid}:{gid}::{root}/./::::::::::::\n");
    write_private(&users, &line)?;
    let database = work.join("users.pdb");
    let mut make = packages.command("usr/bin/pure-pw")?;
    make.arg("mkdb").arg(&database).arg("-f").arg(&users);
    process::run(&mut make, b"", Duration::from_secs(20))?
        .success()
        .context("pure-pw")?;
    let (first, last) = settings.passive;
    let mut command = packages.command("usr/sbin/pure-ftpd")?;
    command
        .arg(format!("--bind=127.0.0.1,{}", settings.port))
        .arg(format!("--login=puredb:{}", database.display()))
        .arg(format!("--passiveportrange={first}:{last}"))
        .arg(format!("--maxclientsnumber={sessions}"))
        .arg(format!("--maxclientsperip={per_address}"))
        .arg(format!(
            "--certfile={}",
            settings.certificate.both.display()
        ))
        .arg(format!("--pidfile={}", work.join("pid").display()))
        .args([
            "--tls=1",
            "--chrooteveryone",
            "--dontresolve",
            "--noanonymous",
            "--minuid=1",
            "--syslogfacility=none",
            // Names of one listing, and levels of a recursive one.
            "--limitrecursion=1000000:16",
        ])
        .args(["--umask=022:022", "--ipv4only", "--maxidletime=15"]);
    Ok(Launch {
        command,
        version: packages.version("pure-ftpd"),
    })
}

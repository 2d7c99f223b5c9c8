//! vsftpd. It knows local users only, so it runs in a mount namespace with files of accounts and a
//! PAM service of its own.

use std::fs;

use anyhow::{Context as _, Result};

use super::{Account, Caps, DATA_SECONDS, Launch, Packages, Settings, write_private};
use crate::process;

/// `$1` to `$3` are put over the machine's files, in this process and its children only.
const PRIVATE_ACCOUNTS: &str = "\
mount --bind \"$1\" /etc/passwd && \
mount --bind \"$2\" /etc/shadow && \
mount --bind \"$3\" /etc/pam.d && \
shift 3 && exec \"$@\"";

pub(super) fn launch(packages: &Packages, settings: &Settings<'_>) -> Result<Launch> {
    let Caps {
        sessions,
        per_address,
    } = settings.caps;
    let work = settings.work;
    let (uid, gid) = (Account::UID, Account::GID);
    let (name, hash) = (&settings.account.name, &settings.account.hash);
    let root = settings.root.display();
    let users = format!(
        "root:x:0:0::/:/bin/sh\nnobody:x:{uid}:{gid}::/:/bin/sh\n{name}:x:{uid}:{gid}::{root}:/bin/sh\n"
    );
    fs::write(work.join("passwd"), users)?;
    write_private(
        &work.join("shadow"),
        &format!("root:*:19000::::::\nnobody:*:19000::::::\n{name}:{hash}:19000::::::\n"),
    )?;
    let pam = work.join("pam.d");
    fs::create_dir_all(&pam)?;
    fs::write(
        pam.join("vsftpd"),
        "auth required pam_unix.so\naccount required pam_permit.so\nsession required pam_permit.so\n",
    )?;
    let empty = work.join("empty");
    fs::create_dir_all(&empty)?;
    let (first, last) = settings.passive;
    let config = work.join("vsftpd.conf");
    let text = format!(
        "background=NO
listen=YES
listen_address=127.0.0.1
listen_port={port}
max_clients={sessions}
max_per_ip={per_address}
anonymous_enable=NO
local_enable=YES
write_enable=YES
local_umask=022
file_open_mode=0666
local_root={root}
chroot_local_user=YES
allow_writeable_chroot=YES
secure_chroot_dir={empty}
pam_service_name=vsftpd
check_shell=NO
session_support=NO
isolate=NO
isolate_network=NO
seccomp_sandbox=NO
utf8_filesystem=YES
mdtm_write=YES
ls_recurse_enable=YES
async_abor_enable=YES
connect_from_port_20=NO
pasv_min_port={first}
pasv_max_port={last}
accept_timeout={DATA_SECONDS}
connect_timeout={DATA_SECONDS}
data_connection_timeout=30
xferlog_enable=NO
use_sendfile=YES
ssl_enable=YES
ssl_tlsv1=YES
force_local_logins_ssl=NO
force_local_data_ssl=NO
require_ssl_reuse=NO
ssl_ciphers=HIGH
rsa_cert_file={certificate}
rsa_private_key_file={key}
",
        port = settings.port,
        empty = empty.display(),
        certificate = settings.certificate.server.display(),
        key = settings.certificate.key.display(),
    );
    fs::write(&config, text)?;
    let mut command = process::command("unshare");
    command
        .args([
            "--mount",
            "--propagation",
            "private",
            "--",
            "sh",
            "-c",
            PRIVATE_ACCOUNTS,
            "sh",
        ])
        .args([work.join("passwd"), work.join("shadow"), pam])
        .arg(packages.path("usr/sbin/vsftpd"))
        .arg(&config);
    let libraries = packages.libraries().context("libraries")?;
    command.env("LD_LIBRARY_PATH", libraries);
    Ok(Launch {
        command,
        version: packages.version("vsftpd"),
    })
}

//! The account that every server knows.

use std::fs::File;
use std::io::Read as _;
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use argon2::password_hash::PasswordHasher as _;
use argon2::{Algorithm, Argon2, Params, Version};

use crate::process;

/// A name, a password, and its hashes.
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) password: String,
    /// In the form of crypt(3): SHA-512, few rounds: log-ins are not what is compared.
    pub(crate) hash: String,
    /// argon2id with the least work, for the same reason.
    pub(crate) argon2: String,
}

impl Account {
    /// `nobody`: servers that change their user change to this one.
    pub(crate) const UID: u32 = 65534;
    /// `nogroup`.
    pub(crate) const GID: u32 = 65534;

    /// An account with a fresh password.
    pub(crate) fn new() -> Result<Self> {
        let mut bytes = [0; 16];
        File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        let password = format!("{:032x}", u128::from_le_bytes(bytes));
        let mut openssl = process::command("openssl");
        openssl.args(["passwd", "-6", "-salt", "rounds=1000$conformance", "-stdin"]);
        let line = format!("{password}\n");
        let hashed = process::run(&mut openssl, line.as_bytes(), Duration::from_secs(10))?;
        let hash = hashed.success()?.stdout.trim_end().to_owned();
        ensure!(
            hash.starts_with("$6$"),
            "not a SHA-512 hash of openssl: {hash:?}"
        );
        let params = Params::new(8, 1, 1, None).map_err(|error| anyhow!("{error}"))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password(password.as_bytes())
            .map_err(|error| anyhow!("argon2: {error}"))?
            .to_string();
        Ok(Self {
            name: "alice".to_owned(),
            password,
            hash,
            argon2,
        })
    }
}

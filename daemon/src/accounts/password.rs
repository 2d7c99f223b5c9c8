//! Password hashes: argon2id in PHC form.

use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use argon2::{
    Argon2, Params,
    password_hash::{Error, PasswordHasher as _, PasswordVerifier as _, phc},
};

use crate::config::PasswordHash;

/// Longest password in bytes. Longer ones are not passwords, and hashing them is work for nothing.
pub(super) const MAX_PASSWORD_BYTES: usize = 1024;

/// Hashes a password with argon2id, a fresh random salt, and the parameters that OWASP recommends
/// (19 MiB, two passes).
///
/// # Errors
/// If the password is empty, longer than 1024 bytes or contains a line break or NUL, which an FTP
/// client cannot send; or if the system gives no random bytes.
pub fn hash(password: &str) -> Result<String> {
    if password.is_empty() {
        bail!("the password is empty; type one, or send one on stdin");
    }
    if password.len() > MAX_PASSWORD_BYTES {
        bail!("the password is longer than {MAX_PASSWORD_BYTES} bytes; choose a shorter one");
    }
    if password.contains(['\r', '\n', '\0']) {
        bail!(
            "the password contains a line break or NUL, which FTP cannot carry; choose one without"
        );
    }
    let hash: phc::PasswordHash = Argon2::default()
        .hash_password(password.as_bytes())
        .map_err(|error| anyhow!("the password cannot be hashed: {error}"))?;
    Ok(hash.to_string())
}

/// What a pass over one KiB takes on a host of common speed, and about what a round of SHA-512 does.
const STEP: Duration = Duration::from_micros(1);

/// How long so many passes over one KiB, or rounds of SHA-512, take on a host of common speed.
pub(super) fn common_steps(steps: u32) -> Duration {
    STEP * steps
}

/// How long a check of this hash takes on a host of common speed; nothing if it cannot be checked.
pub(super) fn common_time(hash: &PasswordHash) -> Duration {
    let parsed = phc::PasswordHash::new(hash.as_str());
    let params = parsed.ok().and_then(|it| Params::try_from(&it).ok());
    let steps = params.map_or(0, |it| it.m_cost().saturating_mul(it.t_cost()));
    common_steps(steps)
}

/// Whether `password` is the one that `hash` was made of.
///
/// # Errors
/// If the hash cannot be read, or if there is not enough memory.
pub(super) fn matches(hash: &PasswordHash, password: &[u8]) -> Result<bool> {
    if password.len() > MAX_PASSWORD_BYTES {
        return Ok(false);
    }
    let hash =
        phc::PasswordHash::new(hash.as_str()).map_err(|error| anyhow!("the hash: {error}"))?;
    match Argon2::default().verify_password(password, &hash) {
        Ok(()) => Ok(true),
        Err(Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(anyhow!("{error}")),
    }
}

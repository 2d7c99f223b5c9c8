//! `/etc/shadow`: nine fields a line, see shadow(5).

use std::{fmt, time::Duration};

use anyhow::{Result, anyhow};
use sha_crypt::{Params, PasswordVerifier as _, ShaCrypt, password_hash::Error};

use super::HostCause;
use crate::{
    accounts::password::{MAX_PASSWORD_BYTES, common_steps},
    config::Day,
};

/// The most rounds of a hash. More would occupy a core for seconds.
const MOST_ROUNDS: u32 = 1_000_000;

/// Fields of a line.
const FIELDS: usize = 9;

/// A hash of `crypt(3)`: SHA-512 (`$6$`) or SHA-256 (`$5$`).
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ShadowHash {
    text: String,
    rounds: u32,
}

/// Without the hash, which can be attacked offline.
impl fmt::Debug for ShadowHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShadowHash(..)")
    }
}

impl ShadowHash {
    fn parse(field: &[u8]) -> Result<Self, HostCause> {
        let text = str::from_utf8(field).map_err(|_no_text| HostCause::UnknownHash)?;
        match text {
            "" => return Err(HostCause::NoPassword),
            text if text.starts_with(['*', '!']) => return Err(HostCause::Locked),
            _ => {}
        }
        let mut parts = text.split('$');
        let length = match (parts.next(), parts.next()) {
            (Some(""), Some("5")) => 43,
            (Some(""), Some("6")) => 86,
            _ => return Err(HostCause::UnknownHash),
        };
        let mut salt = parts.next();
        let rounds = match salt.and_then(|salt| salt.strip_prefix("rounds=")) {
            Some(rounds) => {
                salt = parts.next();
                Self::rounds(rounds)?
            }
            None => Params::RECOMMENDED_ROUNDS,
        };
        let is_plain = |text: &str| {
            let mut bytes = text.bytes();
            bytes.all(|byte| byte.is_ascii_alphanumeric() || b"./".contains(&byte))
        };
        let has_form = |salt: &str, hash: &str| {
            (1..=16).contains(&salt.len())
                && hash.len() == length
                && [salt, hash].iter().all(|part| is_plain(part))
        };
        match (salt, parts.next(), parts.next()) {
            (Some(salt), Some(hash), None) if has_form(salt, hash) => Ok(Self {
                text: text.to_owned(),
                rounds,
            }),
            _ => Err(HostCause::UnknownHash),
        }
    }

    fn rounds(text: &str) -> Result<u32, HostCause> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let rounds = text.parse().ok().filter(|_| digits);
        match rounds {
            Some(Params::ROUNDS_MIN..=MOST_ROUNDS) => rounds.ok_or(HostCause::UnknownHash),
            _ => Err(HostCause::Rounds),
        }
    }

    /// How long a check takes on a host of common speed.
    pub(crate) fn common_time(&self) -> Duration {
        common_steps(self.rounds)
    }

    /// Whether `password` is the one that the hash was made of.
    ///
    /// # Errors
    /// If the hash cannot be checked.
    pub(crate) fn matches(&self, password: &[u8]) -> Result<bool> {
        if password.len() > MAX_PASSWORD_BYTES {
            return Ok(false);
        }
        match ShaCrypt::default().verify_password(password, self.text.as_str()) {
            Ok(()) => Ok(true),
            Err(Error::PasswordInvalid) => Ok(false),
            Err(error) => Err(anyhow!("the hash of the host's account: {error}")),
        }
    }
}

/// The hash of the account with this name, if it may log in on this day. The first line with the name
/// counts.
pub(crate) fn find(file: &[u8], name: &str, today: Day) -> Result<ShadowHash, HostCause> {
    let lines = file.split(|byte| *byte == b'\n');
    let mut lines = lines.map(|line| line.split(|byte| *byte == b':'));
    let mut fields = lines
        .find_map(|mut fields| (fields.next() == Some(name.as_bytes())).then_some(fields))
        .ok_or(HostCause::NoAccount)?;
    let mut rest = [&[][..]; FIELDS - 1];
    for place in &mut rest {
        *place = fields.next().ok_or(HostCause::Malformed)?;
    }
    if fields.next().is_some() {
        return Err(HostCause::Malformed);
    }
    let [
        hash,
        changed,
        _least,
        most,
        _warning,
        _inactive,
        expires,
        _reserved,
    ] = rest;
    let hash = ShadowHash::parse(hash)?;
    let [changed, most, expires] = [days(changed)?, days(most)?, days(expires)?];
    let today = today.days();
    if expires.is_some_and(|expires| expires <= today) {
        return Err(HostCause::AccountExpired);
    }
    match (changed, most) {
        (Some(0), _) => Err(HostCause::MustChange),
        (Some(changed), Some(most)) if changed + most < today => Err(HostCause::PasswordExpired),
        _ => Ok(hash),
    }
}

/// A number of days; absent, or -1, for none.
fn days(field: &[u8]) -> Result<Option<i64>, HostCause> {
    match field {
        b"" | b"-1" => Ok(None),
        field if field.len() <= 9 && field.iter().all(u8::is_ascii_digit) => {
            let digits = field.iter().map(|byte| i64::from(byte - b'0'));
            Ok(Some(digits.fold(0, |number, digit| number * 10 + digit)))
        }
        _ => Err(HostCause::Malformed),
    }
}

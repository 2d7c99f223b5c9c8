//! `/etc/security/access.conf`: who may log in from where, see access.conf(5). The host writes it in
//! lockdown mode.
//!
//! Each line is `permission : users : origins`, and the first that matches counts. Understood are `ALL`
//! and plain names of users, `ALL`, `LOCAL` and addresses as origins. A rule with anything else matches
//! if it denies, and does not if it permits.

use std::net::IpAddr;

use super::HostCause;

/// What a list says about somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Match {
    Yes,
    No,
    /// It has something that is not understood.
    Unknown,
}

/// Whether the user may log in from this address. All of the file has to be well-formed.
pub(crate) fn check(file: &[u8], name: &str, client: IpAddr) -> Result<(), HostCause> {
    let text = str::from_utf8(file).map_err(|_no_text| HostCause::MalformedAccess)?;
    let mut first = None;
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut fields = line.splitn(3, ':').map(str::trim);
        let (permits, users, origins) = match (fields.next(), fields.next(), fields.next()) {
            (Some("+"), Some(users), Some(origins)) => (true, users, origins),
            (Some("-"), Some(users), Some(origins)) => (false, users, origins),
            _ => return Err(HostCause::MalformedAccess),
        };
        if users.is_empty()
            || origins.is_empty()
            || line.contains(|c: char| c.is_control() && c != '\t')
        {
            return Err(HostCause::MalformedAccess);
        }
        let user = of_list(users, |token| match token {
            "ALL" => Match::Yes,
            token if token == name => Match::Yes,
            token if is_plain_name(token) => Match::No,
            _ => Match::Unknown,
        });
        let origin = of_list(origins, |token| match (token, token.parse::<IpAddr>()) {
            ("ALL", _) => Match::Yes,
            // All clients come over the network.
            ("LOCAL", _) => Match::No,
            (_, Ok(address)) if address.to_canonical() == client => Match::Yes,
            (_, Ok(_other)) => Match::No,
            _ => Match::Unknown,
        });
        let matches = match (user, origin) {
            (Match::No, _) | (_, Match::No) => false,
            (Match::Yes, Match::Yes) => true,
            _ => !permits,
        };
        if matches && first.is_none() {
            first = Some(permits);
        }
    }
    match first {
        Some(false) => Err(HostCause::Denied),
        // As pam_access does when no rule matches.
        Some(true) | None => Ok(()),
    }
}

/// What a list of tokens says: the best that one says, unless there is something that changes the
/// meaning of the others.
fn of_list(list: &str, of_token: impl Fn(&str) -> Match) -> Match {
    let tokens = list
        .split([' ', '\t', ','])
        .filter(|token| !token.is_empty());
    let said: Vec<_> = tokens.map(of_token).collect();
    if said.is_empty() || said.contains(&Match::Unknown) {
        Match::Unknown
    } else if said.contains(&Match::Yes) {
        Match::Yes
    } else {
        Match::No
    }
}

/// Whether a token names one user, and is not a keyword or a group.
fn is_plain_name(token: &str) -> bool {
    let of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    token != "EXCEPT" && token.bytes().all(of_name)
}

//! The server to talk to.

use std::fmt;

use anyhow::{Context as _, Result, ensure};

/// The password's variable for `cargo xtask clients`, so that it need not stand on the command
/// line.
const PASSWORD_VARIABLE: &str = "FTP_PASSWORD";

/// What the clients ask of their connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Security {
    /// Nothing.
    Plain,
    /// AUTH TLS before the log-in, and TLS for every transfer and listing. Certificates are not
    /// checked: those of hosts vouch for nobody.
    Tls,
}

impl Security {
    /// The scheme of a URL that asks for it.
    fn scheme(self) -> &'static str {
        match self {
            Self::Plain => "ftp://",
            Self::Tls => "ftpes://",
        }
    }
}

/// An FTP server and an account on it that may write.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: String,
    /// Where to work: relative to the directory after login (empty for that one), or absolute with
    /// a leading slash.
    pub(crate) directory: String,
    pub(crate) security: Security,
}

/// Without the password.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}{}@{}:{}/{}",
            self.security.scheme(),
            self.user,
            self.host,
            self.port,
            self.directory
        )
    }
}

impl Target {
    /// Reads `ftp://user[:password]@host[:port][/directory]`, percent-encoded as in RFC 1738: a
    /// directory that starts with `%2F` is absolute. `ftpes://` asks for TLS. Without a password in
    /// the URL it is taken from the environment variable `FTP_PASSWORD`.
    ///
    /// # Errors
    /// If a part is missing or malformed.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let mut target = Self::parse_parts(url)
            .context("expected ftp[es]://user[:password]@host[:port][/directory]")?;
        if target.password.is_empty() {
            target.password = std::env::var(PASSWORD_VARIABLE).with_context(|| {
                format!("no password in the URL; put it into the variable {PASSWORD_VARIABLE}")
            })?;
        }
        Ok(target)
    }

    fn parse_parts(url: &str) -> Result<Self> {
        let (security, rest) = [Security::Plain, Security::Tls]
            .into_iter()
            .find_map(|security| Some((security, url.strip_prefix(security.scheme())?)))
            .context("it does not start with ftp:// or ftpes://")?;
        let (authority, directory) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, place) = authority.rsplit_once('@').context("no user")?;
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let (host, port) = split_port(place)?;
        ensure!(
            !user.is_empty() && !host.is_empty(),
            "user and host must not be empty"
        );
        Ok(Self {
            host: host.to_owned(),
            port,
            user: decode(user)?,
            password: decode(password)?,
            directory: decode(directory.trim_end_matches('/'))?,
            security,
        })
    }

    /// The same account in the subdirectory `name`.
    pub(crate) fn below(&self, name: &str) -> Self {
        let directory = if self.directory.is_empty() {
            name.to_owned()
        } else {
            format!("{}/{name}", self.directory.trim_end_matches('/'))
        };
        Self {
            directory,
            ..self.clone()
        }
    }

    /// The same account with other connections.
    pub(crate) fn with(&self, security: Security) -> Self {
        Self {
            security,
            ..self.clone()
        }
    }

    /// The URL of a path below the target's directory, without the account; `path` may end with a
    /// slash.
    pub(crate) fn url(&self, path: &str) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        let directory = match self.directory.strip_prefix('/') {
            Some(absolute) => format!("%2F{}", encode(absolute)),
            None => encode(&self.directory),
        };
        let slash = if directory.is_empty() { "" } else { "/" };
        format!(
            "ftp://{host}:{}/{directory}{slash}{}",
            self.port,
            encode(path)
        )
    }

    /// `text` without the password, for messages.
    pub(crate) fn redact(&self, text: &str) -> String {
        if self.password.is_empty() {
            text.to_owned()
        } else {
            text.replace(&self.password, "********")
        }
    }
}

/// Splits `host:port` or `[IPv6]:port`; the port defaults to 21.
fn split_port(place: &str) -> Result<(&str, u16)> {
    let (host, port) = match place.strip_prefix('[') {
        Some(bracketed) => {
            let (host, rest) = bracketed.split_once(']').context("no ] after [")?;
            (host, rest.strip_prefix(':'))
        }
        None => place
            .split_once(':')
            .map_or((place, None), |(host, port)| (host, Some(port))),
    };
    let port = port
        .map_or(Ok(21), str::parse)
        .context("the port is not a number up to 65535")?;
    Ok((host, port))
}

/// Percent-encodes everything but unreserved characters and slashes.
fn encode(path: &str) -> String {
    let byte = |byte: u8| {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    path.bytes().map(byte).collect::<Vec<_>>().concat()
}

fn decode(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut parts = text.split('%');
    bytes.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        let digits = part
            .get(..2)
            .context("two hexadecimal digits must follow %")?;
        bytes.push(u8::from_str_radix(digits, 16).context("two hexadecimal digits must follow %")?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).context("it is not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_round_trip() {
        let target = Target::parse("ftp://ann:p%40ss:w@[::1]:2121/%2Fa%20b/c/").unwrap();
        assert_eq!((target.host.as_str(), target.port), ("::1", 2121));
        assert_eq!(
            (target.user.as_str(), target.password.as_str()),
            ("ann", "p@ss:w")
        );
        assert_eq!(target.directory, "/a b/c");
        assert_eq!(
            target.url("№ 1"),
            "ftp://[::1]:2121/%2Fa%20b/c/%E2%84%96%201"
        );
        assert_eq!(target.below("d").directory, "/a b/c/d");
        assert_eq!(
            Target::parse("ftp://ann:x@h").unwrap().url("d/"),
            "ftp://h:21/d/"
        );
    }

    #[test]
    fn scheme_says_whether_there_is_tls() {
        let security = |url| Target::parse(url).unwrap().security;
        assert_eq!(security("ftp://ann:x@h/"), Security::Plain);
        assert_eq!(security("ftpes://ann:x@h/"), Security::Tls);
    }

    #[test]
    fn malformed_urls_are_refused() {
        for url in [
            "http://a:b@c",
            "ftp://c/",
            "ftp://a:b@",
            "ftp://a:b@c:x",
            "ftp://a:b@c/%4",
            "ftp://a:b@[::1",
        ] {
            assert!(Target::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn password_is_not_printed() {
        let target = Target::parse("ftp://ann:secret@h").unwrap();
        assert!(!format!("{target:?}").contains("secret"));
        assert_eq!(target.redact("> PASS secret"), "> PASS ********");
    }
}

//! One session of a case: a control connection, its data connection, and how it gets going.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use regex::bytes::Regex;

use super::data::{Data, Protection, Then};
use super::literal::show;
use super::script::{Codes, How, Open, State};
use super::tls::Tls;
use super::wire::{Control, Reply};

/// The server under test and the account.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// What the certificate must name.
    pub(crate) host: String,
    pub(crate) user: String,
    pub(crate) password: String,
    /// Without it, there are no cases with TLS.
    pub(crate) tls: Option<Tls>,
}

/// The server's answer was not the expected one. Other errors are those of connections.
#[derive(Debug)]
pub(crate) struct Unexpected {
    /// The line that was answered.
    pub(crate) command: String,
    pub(crate) code: u16,
    message: String,
}

impl std::fmt::Display for Unexpected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Unexpected {}

pub(crate) struct Session {
    pub(crate) control: Control,
    pub(crate) data: Data,
    host: String,
    tls: Option<Tls>,
    /// Whether PROT P is in force.
    protected: bool,
    last: Vec<u8>,
    patience: Duration,
}

impl Session {
    /// Connects and brings the session to `state`; `dir` is the directory of the case.
    pub(crate) fn start(
        server: &Server,
        state: State,
        from: Option<IpAddr>,
        dir: &[u8],
        patience: Duration,
    ) -> Result<Self> {
        let mut session = Self {
            control: Control::connect(server.address, from, patience)?,
            data: Data::None,
            host: server.host.clone(),
            tls: server.tls.clone(),
            protected: false,
            last: Vec::new(),
            patience,
        };
        session.bring_to(server, state, dir).with_context(|| {
            let record = session.control.record().join("\n    ");
            format!("bringing the session to {state:?}\n    {record}")
        })?;
        Ok(session)
    }

    fn bring_to(&mut self, server: &Server, state: State, dir: &[u8]) -> Result<()> {
        if state == State::Raw {
            return Ok(());
        }
        self.expect("220")?;
        if matches!(state, State::Auth | State::Tls) {
            self.command(b"AUTH TLS", "234")?;
            self.start_tls()?;
        }
        if matches!(state, State::Ready | State::Tls) {
            self.log_in(server)?;
        }
        if state == State::Tls {
            self.command(b"PBSZ 0", "200")?;
            self.command(b"PROT P", "200")?;
        }
        if matches!(state, State::Ready | State::Tls) {
            self.command(&[b"CWD ", dir].concat(), "250")?;
            self.command(b"TYPE I", "200")?;
        }
        Ok(())
    }

    pub(crate) fn log_in(&mut self, server: &Server) -> Result<()> {
        self.send_line(format!("USER {}", server.user).as_bytes())?;
        if self.expect("331|230|232")?.code == 331 {
            self.send_line(format!("PASS {}", server.password).as_bytes())?;
            self.expect("230")?;
        }
        Ok(())
    }

    /// Sends a line and expects one reply.
    pub(crate) fn command(&mut self, line: &[u8], codes: &str) -> Result<Reply> {
        self.send_line(line)?;
        self.expect(codes)
    }

    pub(crate) fn send_line(&mut self, line: &[u8]) -> Result<()> {
        self.last = line.to_vec();
        self.control.send(&[line, b"\r\n"].concat())
    }

    /// Sends bytes; the last line in them is what the next reply answers, as far as it is known.
    pub(crate) fn send_raw(&mut self, bytes: &[u8], urgent: bool) -> Result<()> {
        if let Some(line) = bytes
            .split(|&byte| byte == b'\n')
            .rfind(|line| !line.is_empty())
        {
            self.last = line.to_vec();
        }
        if urgent {
            self.control.send_urgent(bytes)
        } else {
            self.control.send(bytes)
        }
    }

    /// The next reply, which must have one of the codes, as in `226|250`.
    pub(crate) fn expect(&mut self, codes: &str) -> Result<Reply> {
        self.expect_codes(&Codes::parse(codes)?)
    }

    /// The next reply, which must have one of the codes.
    pub(crate) fn expect_codes(&mut self, codes: &Codes) -> Result<Reply> {
        let reply = self
            .control
            .reply()
            .with_context(|| format!("expected {codes}"))?;
        if !codes.contain(reply.code) {
            return Err(self.unexpected(&format!("expected {codes}"), &reply));
        }
        let last = self.last.to_ascii_uppercase();
        if reply.code == 200 && last.starts_with(b"PROT ") {
            self.protected = last.ends_with(b" P");
        }
        Ok(reply)
    }

    /// The error for a reply that does not do.
    pub(crate) fn unexpected(&self, wanted: &str, reply: &Reply) -> anyhow::Error {
        Unexpected {
            command: show(&self.last, 80),
            code: reply.code,
            message: format!("{wanted}, got \"{}\"", show(&reply.text, 300)),
        }
        .into()
    }

    pub(crate) fn start_tls(&mut self) -> Result<()> {
        let tls = self
            .tls
            .clone()
            .context("there is no CA certificate for TLS; give --ca")?;
        self.control.start_tls(&tls, &self.host)
    }

    /// Announces a data connection and, in passive mode, connects.
    pub(crate) fn open(&mut self, open: &Open) -> Result<()> {
        let local = self.control.socket()?.local_addr()?.ip();
        let peer = self.control.socket()?.peer_addr()?.ip();
        match open.how {
            How::Pasv => {
                let reply = self.command(b"PASV", "227")?;
                let port = pasv_port(&reply.text)
                    .ok_or_else(|| self.unexpected("expected h1,h2,h3,h4,p1,p2", &reply))?;
                self.data = Data::Announced(SocketAddr::new(peer, port));
            }
            How::Epsv => {
                let reply = self.command(b"EPSV", "229")?;
                let port = epsv_port(&reply.text)
                    .ok_or_else(|| self.unexpected("expected (|||port|)", &reply))?;
                self.data = Data::Announced(SocketAddr::new(peer, port));
            }
            How::Port | How::Eprt => {
                let (data, address) = Data::listen(local)?;
                self.data = data;
                let line = if open.how == How::Port {
                    port(address)?
                } else {
                    eprt(address)
                };
                self.command(line.as_bytes(), "200")?;
                return Ok(());
            }
        }
        if open.connect {
            self.data.connect(open.from, self.patience)?;
        }
        Ok(())
    }

    /// The everyday way: PASV, or EPSV where the address has no IPv4 form.
    pub(crate) fn open_simply(&mut self) -> Result<()> {
        let is_ipv4 = self.control.socket()?.peer_addr()?.is_ipv4();
        let how = if is_ipv4 { How::Pasv } else { How::Epsv };
        self.open(&Open {
            how,
            connect: true,
            from: None,
        })
    }

    pub(crate) fn connect_data(&mut self) -> Result<()> {
        self.data.connect(None, self.patience)
    }

    pub(crate) fn read(&mut self, limit: Option<usize>) -> Result<Vec<u8>> {
        let protection = protection(self.protected, self.tls.as_ref(), &self.host);
        self.data.read(limit, protection.as_ref(), self.patience)
    }

    pub(crate) fn write(&mut self, bytes: &[u8], then: Then) -> Result<()> {
        let protection = protection(self.protected, self.tls.as_ref(), &self.host);
        self.data
            .write(bytes, then, protection.as_ref(), self.patience)
    }

    /// Whether the session answers, and nothing came that nobody asked for.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        ensure!(
            self.control.is_quiet(Duration::from_millis(1))?,
            "a reply that nobody asked for"
        );
        self.command(b"NOOP", "2xx|530")
            .context("after the last step")?;
        Ok(())
    }
}

fn protection<'a>(on: bool, tls: Option<&'a Tls>, host: &'a str) -> Option<Protection<'a>> {
    tls.filter(|_| on).map(|tls| Protection { tls, host })
}

/// The port of a 227 reply: six numbers, wherever they stand (RFC 1123, section 4.1.2.6).
pub(crate) fn pasv_port(text: &[u8]) -> Option<u16> {
    let regex = Regex::new(r"(\d+),(\d+),(\d+),(\d+),(\d+),(\d+)").ok()?;
    let captures = regex.captures(text)?;
    let number = |at| std::str::from_utf8(&captures[at]).ok()?.parse::<u8>().ok();
    Some(u16::from_be_bytes([number(5)?, number(6)?]))
}

/// The port of a 229 reply: `(|||port|)` with any delimiter (RFC 2428, section 3).
pub(crate) fn epsv_port(text: &[u8]) -> Option<u16> {
    let regex = Regex::new(r"\(([!-/:-~])([!-/:-~])([!-/:-~])(\d+)([!-/:-~])\)").ok()?;
    let captures = regex.captures(text)?;
    if [2, 3, 5].iter().any(|&at| captures[at] != captures[1]) {
        return None;
    }
    std::str::from_utf8(&captures[4]).ok()?.parse().ok()
}

fn port(address: SocketAddr) -> Result<String> {
    let IpAddr::V4(ip) = address.ip() else {
        bail!("PORT knows IPv4 addresses only");
    };
    let [high, low] = address.port().to_be_bytes();
    Ok(format!("PORT {},{high},{low}", comma(ip)))
}

/// An address as PORT writes it.
pub(crate) fn comma(ip: Ipv4Addr) -> String {
    ip.octets().map(|octet| octet.to_string()).join(",")
}

fn eprt(address: SocketAddr) -> String {
    let family = if address.is_ipv4() { 1 } else { 2 };
    format!("EPRT |{family}|{}|{}|", address.ip(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_found_in_replies() {
        assert_eq!(pasv_port(b"227 Entering (127,0,0,1,4,210)."), Some(1234));
        assert_eq!(pasv_port(b"227 =1,2,3,4,5,6"), Some(1286));
        assert_eq!(pasv_port(b"227 (1,2,3,4,5,256)"), None);
        assert_eq!(epsv_port(b"229 ok (|||6446|)"), Some(6446));
        assert_eq!(epsv_port(b"229 ok (!!!6446!)"), Some(6446));
        assert_eq!(epsv_port(b"229 ok (||!6446|)"), None);
        assert_eq!(epsv_port(b"229 ok (|||66446|)"), None);
    }

    #[test]
    fn addresses_are_written_as_the_commands_want_them() {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1234));
        assert_eq!(port(address).unwrap(), "PORT 127,0,0,1,4,210");
        assert_eq!(eprt(address), "EPRT |1|127.0.0.1|1234|");
    }
}

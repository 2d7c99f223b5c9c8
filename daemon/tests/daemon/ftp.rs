//! Just enough of an FTP client to say exactly what a test wants to say.

use std::{
    io::{BufRead as _, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
};

use socket2::{Domain, Socket, Type};

use crate::PATIENCE;

/// A connection, with or without TLS.
pub(crate) trait Wire: Read + Write + Send {
    fn tcp(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

/// A control connection.
pub(crate) struct Ftp {
    stream: BufReader<Box<dyn Wire>>,
}

impl Ftp {
    /// Connects, without waiting for the greeting.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self::over(Box::new(stream))
    }

    /// A session over a connection that stands.
    pub(crate) fn over(wire: Box<dyn Wire>) -> Self {
        Self {
            stream: BufReader::new(wire),
        }
    }

    /// Another handle to the TCP connection.
    pub(crate) fn tcp(&self) -> TcpStream {
        self.stream.get_ref().tcp().try_clone().unwrap()
    }

    /// The next reply as one string: `code text`, the lines of a multi-line reply joined by
    /// newlines. Empty at the end of the connection.
    pub(crate) fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let start = reply.len();
            if self.stream.read_line(&mut reply).unwrap_or(0) == 0 {
                return reply;
            }
            let line = &reply[start..];
            let complete = line.as_bytes().get(3) == Some(&b' ')
                && line.as_bytes()[..3].iter().all(u8::is_ascii_digit);
            if complete {
                return reply.trim_end().to_owned();
            }
        }
    }

    /// Sends a line without waiting for the reply.
    pub(crate) fn send(&mut self, line: &str) {
        self.send_bytes(format!("{line}\r\n").as_bytes());
    }

    /// Sends bytes as they are.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).unwrap();
    }

    /// Sends a command and returns the reply.
    pub(crate) fn command(&mut self, line: &str) -> String {
        self.send(line);
        self.reply()
    }

    /// Sends a command whose reply must begin with `code`.
    #[track_caller]
    pub(crate) fn expect(&mut self, line: &str, code: &str) -> String {
        let reply = self.command(line);
        assert!(
            reply.starts_with(code),
            "{line}: expected {code}, got {reply:?}"
        );
        reply
    }

    /// Reads the greeting and logs in.
    #[track_caller]
    pub(crate) fn log_in(&mut self, name: &str, password: &str) {
        let greeting = self.reply();
        assert!(greeting.starts_with("220"), "{greeting:?}");
        self.expect(&format!("USER {name}"), "331");
        self.expect(&format!("PASS {password}"), "230");
        self.expect("TYPE I", "200");
    }

    /// Opens a passive data connection.
    pub(crate) fn passive(&mut self) -> TcpStream {
        let reply = self.expect("EPSV", "229");
        let port = reply.split('|').nth(3).unwrap().parse().unwrap();
        let host = self.tcp().peer_addr().unwrap().ip();
        // The same address as that of the control connection; this host may have several.
        let own = SocketAddr::new(self.tcp().local_addr().unwrap().ip(), 0);
        let data = Socket::new(Domain::for_address(own), Type::STREAM, None).unwrap();
        if own.ip() != host {
            data.bind(&own.into()).unwrap();
        }
        data.connect(&SocketAddr::new(host, port).into()).unwrap();
        let data = TcpStream::from(data);
        data.set_read_timeout(Some(PATIENCE)).unwrap();
        data
    }

    /// Downloads what `line` (RETR, LIST, ..) sends.
    #[track_caller]
    pub(crate) fn download(&mut self, line: &str) -> Vec<u8> {
        let mut data = self.passive();
        self.expect(line, "150");
        let mut content = Vec::new();
        data.read_to_end(&mut content).unwrap();
        let end = self.reply();
        assert!(end.starts_with("226"), "{line}: {end:?}");
        content
    }

    /// Uploads with `line` (STOR, APPE, ..) and returns the final reply.
    #[track_caller]
    pub(crate) fn upload(&mut self, line: &str, content: &[u8]) -> String {
        let mut data = self.passive();
        let start = self.command(line);
        if !start.starts_with("150") {
            return start;
        }
        // A server that refuses the content may close early; its reply tells.
        let _written = data.write_all(content);
        drop(data);
        self.reply()
    }
}

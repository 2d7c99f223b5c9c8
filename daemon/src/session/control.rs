//! The control connection: a TCP stream, in the clear or under TLS.

use std::{
    fmt,
    future::poll_fn,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{Accept, TlsAcceptor, server::TlsStream};

/// The control connection and what waits to be sent on it.
pub(super) struct Control {
    stream: Stream,
    output: Vec<u8>,
    /// How much of `output` has been sent.
    sent: usize,
    /// Whether TLS holds bytes that the socket has not taken yet.
    unflushed: bool,
}

enum Stream {
    Clear(TcpStream),
    Handshake(Box<Accept<TcpStream>>),
    Tls(Box<TlsStream<TcpStream>>),
    /// A handshake has failed, or is about to begin.
    None,
}

/// What happened on the control connection.
#[derive(Debug)]
pub(super) enum Heard {
    /// So many bytes have come.
    Bytes(usize),
    /// The client sends no more.
    End,
    /// Everything has been sent. It is told to whoever does not listen, and may wait for it.
    Sent,
    /// The TLS handshake has ended; with an error, the connection is gone.
    Handshake(io::Result<()>),
}

impl Control {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream: Stream::Clear(stream),
            output: Vec::new(),
            sent: 0,
            unflushed: false,
        }
    }

    /// Puts bytes behind those that wait to be sent.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(bytes);
    }

    /// Whether everything has been sent.
    pub(super) fn is_flushed(&self) -> bool {
        self.output.is_empty() && !self.unflushed
    }

    /// Bytes that wait to be sent.
    pub(super) fn waiting(&self) -> usize {
        self.output.len() - self.sent
    }

    /// Whether TLS is on.
    pub(super) fn is_secure(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }

    /// The error with which the kernel has ended the connection, if nobody has been told yet.
    pub(super) fn take_error(&self) -> Option<io::Error> {
        let stream = match &self.stream {
            Stream::Clear(stream) => stream,
            Stream::Tls(stream) => stream.get_ref().0,
            // A handshake has a deadline.
            Stream::Handshake(_) | Stream::None => return None,
        };
        stream.take_error().ok().flatten()
    }

    /// Begins a TLS handshake. Everything must have been sent before.
    pub(super) fn start_tls(&mut self, config: Arc<ServerConfig>) {
        if let Stream::Clear(stream) = std::mem::replace(&mut self.stream, Stream::None) {
            let accept = TlsAcceptor::from(config).accept(stream);
            self.stream = Stream::Handshake(Box::new(accept));
        }
    }

    /// Sends what waits to be sent, and reads into `input` if there is one, until something has
    /// happened. Nothing is lost when the future is dropped.
    pub(super) async fn turn(&mut self, mut input: Option<&mut [u8]>) -> io::Result<Heard> {
        poll_fn(|context| self.poll_turn(context, input.as_deref_mut())).await
    }

    /// Sends the rest, says that nothing follows, and reads for as long as the client sends, so that
    /// the kernel does not throw away our last words together with the client's.
    pub(super) async fn close(mut self) -> io::Result<()> {
        while !self.is_flushed() {
            self.turn(None).await?;
        }
        poll_fn(|context| match &mut self.stream {
            Stream::Clear(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Handshake(_) | Stream::None => Poll::Ready(Ok(())),
        })
        .await?;
        let mut rest = [0; 1024];
        while let Heard::Bytes(_) = self.turn(Some(&mut rest)).await? {}
        Ok(())
    }

    fn poll_turn(
        &mut self,
        context: &mut Context<'_>,
        input: Option<&mut [u8]>,
    ) -> Poll<io::Result<Heard>> {
        if let Stream::Handshake(accept) = &mut self.stream {
            let result = ready!(Pin::new(accept.as_mut()).poll(context));
            let result = result.map(|stream| self.stream = Stream::Tls(Box::new(stream)));
            if result.is_err() {
                self.stream = Stream::None;
            }
            return Poll::Ready(Ok(Heard::Handshake(result)));
        }
        let sent = !self.is_flushed() && self.poll_send(context)?.is_ready();
        let Some(input) = input else {
            return if sent {
                Poll::Ready(Ok(Heard::Sent))
            } else {
                Poll::Pending
            };
        };
        let mut input = ReadBuf::new(input);
        match &mut self.stream {
            Stream::Clear(stream) => ready!(Pin::new(stream).poll_read(context, &mut input))?,
            Stream::Tls(stream) => ready!(Pin::new(stream).poll_read(context, &mut input))?,
            Stream::Handshake(_) | Stream::None => {}
        }
        Poll::Ready(Ok(match input.filled().len() {
            0 => Heard::End,
            count => Heard::Bytes(count),
        }))
    }

    /// Sends until nothing is left.
    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.output.get(self.sent..).filter(|rest| !rest.is_empty()) {
            let count = match &mut self.stream {
                Stream::Clear(stream) => ready!(Pin::new(stream).poll_write(context, rest))?,
                Stream::Tls(stream) => ready!(Pin::new(stream).poll_write(context, rest))?,
                Stream::Handshake(_) | Stream::None => return Poll::Ready(Ok(())),
            };
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += count;
            self.unflushed = true;
        }
        self.output.clear();
        self.sent = 0;
        if let Stream::Tls(stream) = &mut self.stream {
            ready!(Pin::new(stream).poll_flush(context))?;
        }
        self.unflushed = false;
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, time::Duration};

    use socket2::SockRef;

    use super::*;

    #[tokio::test]
    async fn a_reset_is_told_once() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (ours, _) = listener.accept().unwrap();
        ours.set_nonblocking(true).unwrap();
        let control = Control::new(TcpStream::from_std(ours).unwrap());
        assert!(control.take_error().is_none());
        SockRef::from(&client)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        drop(client);
        let error = control.take_error().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert!(control.take_error().is_none());
    }
}

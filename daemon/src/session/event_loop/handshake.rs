//! TLS handshakes on the control connection.

use std::time::{Duration, Instant};

use anyhow::Result;
use protocol::{Activity, Ending, Event, Protocol};
use tracing::info;

use super::{EventLoop, Next};
use crate::tls;

impl EventLoop {
    /// The handshake of a client that begins with one.
    pub(super) fn implicit_handshake(&mut self, patience: Duration) -> Result<Next> {
        let Some(tls) = &self.tls else {
            // A client that expects TLS shows it at best; it is told all the same.
            info!("tls-failed: there is no certificate");
            let text = "There is no certificate for TLS now, try again later.";
            self.control.send(format!("421 {text}\r\n").into_bytes());
            self.farewell();
            return Ok(Next::End);
        };
        self.control.start_tls(tls.control.clone())?;
        let deadline = Instant::now() + patience;
        loop {
            let orders = self.status.waits(Activity::Handshake);
            if orders.killed {
                self.ending = Some(Ending::Administrator);
                return Ok(Next::End);
            }
            if orders.stop.is_some() {
                // Nobody has logged in, and nobody would understand a reply.
                self.ending = Some(Ending::Stop);
                return Ok(Next::End);
            }
            let seen = self.wait(true, Some(deadline))?;
            if seen.wakeup {
                self.status.waker.seen(&self.wakeups);
            }
            if !seen.control.is_empty()
                && let Err(error) = self.control.shake_hands()
            {
                let reason = tls::reason(&error);
                info!("tls-failed: {reason}");
                return Ok(Next::End);
            }
            if !self.control.is_handshaking() {
                self.note_tls();
                return Ok(Next::GoOn);
            }
            if Instant::now() >= deadline {
                info!("tls-failed: the handshake has not ended in time");
                return Ok(Next::End);
            }
        }
    }

    pub(super) fn start_tls(&mut self, protocol: &mut Protocol) {
        let started = match &self.tls {
            Some(tls) => self.control.start_tls(tls.control.clone()).is_ok(),
            None => false,
        };
        if !started {
            protocol.event(Event::TlsFailed, Instant::now());
        }
    }

    pub(super) fn shake_hands(&mut self, protocol: &mut Protocol) {
        let event = match self.control.shake_hands() {
            Err(error) => {
                let reason = tls::reason(&error);
                info!("tls-failed: {reason}");
                Event::TlsFailed
            }
            Ok(()) if self.control.is_handshaking() => return,
            Ok(()) => {
                self.note_tls();
                Event::TlsEstablished
            }
        };
        protocol.event(event, Instant::now());
    }
}

//! What the log is told of a session: what protects it, its commands, and its end.

use protocol::{Action, Ending};
use tracing::{Span, debug, info};

use super::{EventLoop, Totals};

impl EventLoop {
    /// Notes what protects the control connection from now on.
    pub(super) fn note_tls(&self) {
        let agreed = self.control.agreed();
        let tls = agreed.as_ref().map_or("none", |agreed| agreed.version);
        let cipher = agreed.as_ref().map_or("", |agreed| agreed.cipher.as_str());
        Span::current().record("tls", tls).record("cipher", cipher);
        self.status.set_tls(agreed);
    }

    /// Logs that the session has ended, why, and what it has moved.
    pub(super) fn log_end(&self, ending: Ending) {
        let cause = self.ending.unwrap_or(ending).name();
        let seconds = self.start.elapsed().as_secs();
        let Totals { stored, sent } = &self.totals;
        let (files_in, bytes_in) = stored;
        let (files_out, bytes_out) = sent;
        info!(
            cause,
            seconds, files_in, bytes_in, files_out, bytes_out, "disconnected"
        );
    }

    pub(super) fn note_data_protection(&self, protected: bool) {
        let data = if protected { "TLS" } else { "clear" };
        Span::current().record("data", data);
        self.status.set_data_protected(protected);
    }
}

/// Logs what the protocol wants to have noted.
pub(super) fn note(action: Action) {
    match action {
        Action::Refused {
            verb,
            path,
            code,
            cause,
            is_denial,
        } => {
            let path = path.as_ref().map(tracing::field::debug);
            if is_denial {
                info!(verb, path, code, cause, "refused");
            } else {
                debug!(verb, path, code, cause, "refused");
            }
        }
        Action::Heard { verb, argument } => {
            let argument = argument.map(|it| format!("\"{}\"", it.escape_ascii()));
            let argument = argument.as_ref().map(tracing::field::display);
            debug!(verb, argument, "command");
        }
        _ => {}
    }
}

/// Logs the first line of a reply, if everything is to be logged.
pub(super) fn trace_reply(bytes: &[u8]) {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    let line = bytes
        .split(|byte| *byte == b'\r')
        .next()
        .unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let (code, text) = line.split_at_checked(4).unwrap_or_default();
    let code = code.trim_end_matches([' ', '-']);
    debug!(%code, text, "reply");
}

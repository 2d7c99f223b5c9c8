//! From events to lines: those of a session begin with what happened, and say whose it is.

use std::{sync::Arc, time::Instant};

use tracing::{
    Event, Level, Subscriber,
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

use super::{
    Logs,
    subject::{Subject, floods},
    syslog::Severity,
    text::{Fields, daemon_line, session_line, verb_and_cause},
};
use crate::floods::{Floods, Rest};

/// What has a line each time: it is what an administrator looks for, and costs the client something.
const RECORDS: &[&str] = &[
    "logged-in",
    "stored",
    "appended",
    "sent",
    "upload-failed",
    "download-failed",
    "deleted",
    "renamed",
    "directory-made",
    "directory-removed",
    "permissions-set",
    "time-set",
    "copied",
];

/// The end of a session; a record if somebody had logged in.
const DISCONNECTED: &str = "disconnected";

/// Writes a line for each event.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    logs: Arc<Logs>,
    floods: Arc<Floods<Subject>>,
}

impl Lines {
    pub(super) fn new(logs: Logs) -> Self {
        Self {
            logs: Arc::new(logs),
            floods: Arc::new(floods()),
        }
    }

    /// Writes how many lines were left out, as far as their time has come, or all of them.
    pub(super) fn tell_left_out(&self, all: bool) {
        for rest in self.floods.take(Instant::now(), all) {
            self.tell(&rest);
        }
    }

    fn tell(&self, Rest { key, more }: &Rest<Subject>) {
        let Subject { client, what } = key;
        let whom = client.map_or("several".to_owned(), |client| client.address().to_string());
        let line = format!("left-out client={whom} lines={more} of=\"{what}\"");
        self.logs.write(Severity::Info, &line);
    }

    /// Whether an event of a session gets its line.
    fn is_told(&self, level: Level, event: &Fields, session: &Fields) -> bool {
        // Whoever asks for more wants all of it.
        let Some(client) = session.get("client").filter(|_| level <= Level::INFO) else {
            return true;
        };
        let (verb, cause) = verb_and_cause(&event.message);
        let known = session.get("user").is_some();
        if RECORDS.contains(&verb.as_str()) || (known && verb == DISCONNECTED) {
            return true;
        }
        let cause = event.get("cause").or(cause).unwrap_or_default();
        let what = format!("{verb}: {}", cause.trim_matches('"'));
        let subject = Subject::new(client, what);
        let others = |_: &Subject| Subject::others();
        let (told, rest) = self.floods.count(subject, others, Instant::now());
        if let Some(rest) = rest {
            self.tell(&rest);
        }
        told
    }
}

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Lines {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().replace(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let level = *event.metadata().level();
        let mut fields = Fields::default();
        event.record(&mut fields);
        let line = match context.event_span(event) {
            Some(span) => match span.extensions().get::<Fields>() {
                Some(session) if !self.is_told(level, &fields, session) => return,
                Some(session) => session_line(&fields, session),
                None => daemon_line(&fields),
            },
            // About a client that has no session.
            None if fields.get("client").is_some() => session_line(&fields, &Fields::default()),
            None => daemon_line(&fields),
        };
        self.logs.write(Severity::from(level), &line);
    }
}

//! USER, PASS and what ends a log-in.

use std::time::Instant;

use super::{
    Gate,
    interface::{Access, Action, Denied, Password},
    reply::Reply,
    state::{Parameters, Security, State, Who},
};

impl Gate {
    /// The answer to [`Action::LogIn`]. A refusal comes as late as its sender wants it to.
    pub fn logged_in(&mut self, result: Result<Access, Denied>, now: Instant) {
        self.now = now;
        if !matches!(self.state, State::LoggingIn) {
            return;
        }
        match result {
            Ok(access) => {
                if let Who::Named(user) = &self.who {
                    self.who = Who::In(user.clone(), access);
                }
                self.refused = 0;
                self.log_in_by = None;
                self.finish(Reply::new(230, "Welcome."));
            }
            Err(denied) => self.denied(denied),
        }
    }

    fn denied(&mut self, denied: Denied) {
        self.who = Who::Nobody;
        let text = match denied {
            Denied::Refused => "The user name or the password is wrong.",
            Denied::TlsRequired => "This account logs in over TLS only: send AUTH TLS first.",
            Denied::NoRoot => "Your directory is not there now; its datastore may be away.",
            Denied::Unavailable => {
                self.end("Log-ins cannot be checked now, try again later.");
                return;
            }
        };
        self.refused += 1;
        if self.refused >= self.settings.log_in_attempts {
            self.end("Too many log-ins were refused.");
        } else {
            self.finish(Reply::new(530, text));
        }
    }

    pub(super) fn user(&mut self, name: String) {
        self.log_out();
        if let Some(refusal) = self.control_refusal() {
            self.reply(refusal);
            return;
        }
        self.who = Who::Named(name);
        self.reply(Reply::new(331, "Send the password with PASS."));
    }

    pub(super) fn pass(&mut self, password: Vec<u8>) {
        match &self.who {
            Who::Named(user) => {
                let user = user.clone();
                if let Some(refusal) = self.control_refusal() {
                    self.reply(refusal);
                    return;
                }
                self.act(Action::LogIn {
                    user,
                    password: Password(password),
                });
                self.enter(State::LoggingIn);
            }
            Who::Nobody => self.reply(Reply::new(503, "Send USER first.")),
            Who::In(..) => self.reply(Reply::new(503, "You have logged in already.")),
        }
    }

    pub(super) fn acct(&mut self) {
        self.reply(match self.who {
            Who::In(..) => Reply::new(202, "Accounts have no further part here."),
            _ => Reply::new(503, "Log in with USER and PASS first."),
        });
    }

    /// REIN: as after the greeting. TLS stays on the control connection; going back to clear text
    /// without a word would surprise most clients.
    pub(super) fn reinitialize(&mut self) {
        self.log_out();
        self.parameters = Parameters::default();
        let implicit = self.settings.implicit_tls;
        self.secure(Security::new(self.security.control, implicit));
        self.reply(Reply::new(220, "Ready for a new user."));
    }

    /// Forgets the user and everything that the user has set up.
    pub(super) fn log_out(&mut self) {
        if matches!(self.who, Who::In(..)) {
            self.act(Action::LogOut);
            self.end_engine();
            self.log_in_by = Some(self.now + self.settings.times.log_in);
            self.parameters = Parameters::default();
        }
        self.who = Who::Nobody;
    }
}

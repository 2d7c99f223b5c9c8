//! USER, PASS and what ends a log-in.

use crate::{
    protocol::{
        Protocol,
        interface::{Action, Ending},
        state::{Parameters, Security, State, Who},
    },
    reply::Reply,
    request::{Access, Denied, Password},
};

impl Protocol {
    /// Whether the user may log in.
    pub(crate) fn logged_in(&mut self, result: Result<Access, Denied>) {
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
            Denied::NoRoot => "Home directory unavailable; the datastore may be unmounted.",
            Denied::Unavailable => {
                self.end(
                    Ending::LogInRefused,
                    "Log-ins cannot be checked now, try again later.",
                );
                return;
            }
        };
        self.refused += 1;
        if self.refused >= self.settings.log_in_attempts {
            self.end(Ending::LogInRefused, "Too many log-ins were refused.");
        } else {
            self.finish(Reply::new(530, text));
        }
    }

    pub(crate) fn user(&mut self, name: String) {
        self.log_out();
        if let Some(refusal) = self.control_refusal() {
            self.reply(refusal);
            return;
        }
        self.who = Who::Named(name);
        self.reply(Reply::new(331, "Send the password with PASS."));
    }

    pub(crate) fn pass(&mut self, password: Vec<u8>) {
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

    pub(crate) fn acct(&mut self) {
        self.reply(match self.who {
            Who::In(..) => Reply::new(202, "Accounts have no further part here."),
            _ => Reply::new(503, "Log in with USER and PASS first."),
        });
    }

    /// REIN: as after the greeting. TLS stays on the control connection; going back to clear text
    /// without a word would surprise most clients.
    pub(crate) fn reinitialize(&mut self) {
        self.log_out();
        self.parameters = Parameters::default();
        let implicit = self.settings.implicit_tls;
        self.secure(Security::new(self.security.control, implicit));
        self.reply(Reply::new(220, "Ready for a new user."));
    }

    /// Forgets the user and everything that the user has set up.
    pub(crate) fn log_out(&mut self) {
        if matches!(self.who, Who::In(..)) {
            self.forget_data_connection();
            self.act(Action::LogOut);
            self.log_in_by = Some(self.now + self.settings.times.log_in);
            self.parameters = Parameters::default();
        }
        self.who = Who::Nobody;
    }
}

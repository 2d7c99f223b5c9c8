//! TLS on the control connection, and what has to be protected (RFC 2228, RFC 4217).

use crate::{
    parse::arguments::{Mechanism, Protection},
    protocol::{
        Protocol,
        interface::Action,
        state::{Control, Parameters, Security, State, Who},
    },
    reply::Reply,
};

impl Protocol {
    /// Why nobody may log in now. RFC 4217 leaves the code open; 530 is one that RFC 959 gives both
    /// USER and PASS, and that clients take for "not logged in" without ending the session.
    pub(crate) fn control_refusal(&mut self) -> Option<Reply> {
        let required = self.settings.tls.is_some_and(|tls| tls.control_required);
        let missing = required && !self.security.tls();
        let refusal = missing.then(|| Reply::new(530, "Log-ins need TLS: send AUTH TLS first."));
        refusal.inspect(|refusal| self.note_want_of_tls(refusal))
    }

    /// Why there is no data connection now, the same for each way to one.
    pub(crate) fn data_refusal(&mut self) -> Option<Reply> {
        let missing = self.data_required() && !self.security.data;
        let text = "Data connections need TLS: send PROT P first.";
        let refusal = missing.then(|| Reply::new(521, text));
        refusal.inspect(|refusal| self.note_want_of_tls(refusal))
    }

    fn data_required(&self) -> bool {
        let policy = self.settings.tls.is_some_and(|tls| tls.data_required);
        policy || matches!(&self.who, Who::In(_, access) if access.data_tls_required)
    }

    /// Takes on a new state of protection. A data connection that has been set up is dropped with
    /// the old one, because it would be neither here nor there.
    pub(crate) fn secure(&mut self, security: Security) {
        if security.data != self.security.data {
            self.act(Action::Protect(security.data));
            self.forget_data_connection();
        }
        self.security = security;
    }

    pub(crate) fn auth(&mut self, mechanism: Mechanism) {
        let Some(policy) = self.settings.tls else {
            self.reply(Reply::new(502, "This server has no certificate for TLS."));
            return;
        };
        if policy.no_certificate {
            // RFC 2228, section 3: the mechanism is known, and a resource for it is missing.
            let text = "There is no certificate for TLS now, try again later.";
            self.reply(Reply::new(431, text));
        } else if mechanism == Mechanism::Unknown {
            self.reply(Reply::new(504, "The mechanisms are TLS, TLS-C and SSL."));
        } else if self.security.tls() {
            self.reply(Reply::new(503, "TLS is on already."));
        } else {
            self.log_out();
            self.parameters = Parameters::default();
            self.secure(Security::new(Control::Clear, false));
            self.reply(Reply::new(234, "Begin the TLS handshake."));
            self.act(Action::StartTls);
            // What was sent in clear text behind AUTH must not be taken for protected.
            self.input.clear();
            self.held = None;
            self.enter(State::Handshaking);
        }
    }

    pub(crate) fn tls_established(&mut self) {
        self.secure(Security::new(Control::Tls, false));
        self.enter(State::Ready);
    }

    pub(crate) fn pbsz(&mut self, size: u64) {
        if !self.security.tls() {
            self.reply(Reply::new(503, "Send AUTH TLS first."));
            return;
        }
        // TLS has no such buffer; the reply says the size in force (RFC 2228, section 3).
        self.reply(if size == 0 {
            Reply::new(200, "PBSZ=0")
        } else {
            Reply::new(200, "PBSZ=0 is what TLS has.")
        });
    }

    /// RFC 4217, section 9, wants PBSZ before it. Other servers do not insist, some clients never
    /// send it, and with TLS it sets nothing.
    pub(crate) fn prot(&mut self, protection: Protection) {
        if !self.security.tls() {
            self.reply(Reply::new(503, "Send AUTH TLS first."));
            return;
        }
        let data = match protection {
            Protection::Private => true,
            Protection::Clear if self.data_required() => {
                self.reply(Reply::new(
                    534,
                    "Data connections need TLS here: use PROT P.",
                ));
                return;
            }
            Protection::Clear => false,
            Protection::NotForTls => {
                self.reply(Reply::new(536, "TLS has the levels C and P only."));
                return;
            }
            Protection::Unknown => {
                self.reply(Reply::new(504, "The levels are C and P."));
                return;
            }
        };
        self.secure(Security {
            data,
            ..self.security
        });
        self.reply(Reply::new(
            200,
            if data {
                "Data connections are protected."
            } else {
                "Data connections are not protected."
            },
        ));
    }

    pub(crate) fn ccc(&mut self) {
        // Clients want it for firewalls that read along; passwords are not the only secret.
        self.reply(if self.security.tls() {
            Reply::new(534, "The control connection stays protected here.")
        } else {
            Reply::new(533, "The control connection is not protected.")
        });
    }
}

/// What STAT calls a connection.
pub(crate) fn word(protected: bool) -> &'static str {
    if protected { "TLS" } else { "clear text" }
}

//! PASV, EPSV, PORT and EPRT: how the next data connection will come about.

use std::net::{IpAddr, SocketAddr, SocketAddrV4};

use crate::{
    parse::{
        arguments::Epsv,
        host_port::{Extended, six_numbers},
    },
    protocol::{
        Protocol,
        interface::{Action, DataFailure},
        state::{Passive, Setup, State},
    },
    reply::Reply,
};

/// Lower ports belong to services that trust whoever connects from a server (RFC 2577, section 3).
const FIRST_ACTIVE_PORT: u16 = 1024;

impl Protocol {
    pub(crate) fn pasv(&mut self) {
        if let Some(refusal) = self.data_refusal().or_else(|| self.epsv_all_refusal()) {
            self.reply(refusal);
        } else if self.settings.local.is_ipv6() {
            self.reply(Reply::new(
                425,
                "PASV cannot name an IPv6 address, use EPSV.",
            ));
        } else {
            self.listen(Passive::Plain);
        }
    }

    pub(crate) fn epsv(&mut self, choice: Epsv) {
        let ours = if self.settings.local.is_ipv4() { 1 } else { 2 };
        match choice {
            Epsv::All => {
                self.parameters.epsv_all = true;
                self.reply(Reply::new(200, "EPSV is the only way from now on."));
            }
            Epsv::Protocol(protocol) if protocol != ours => self.reply(Reply::new(
                522,
                format!("That is not the protocol of this connection, use ({ours})"),
            )),
            Epsv::Same | Epsv::Protocol(_) => match self.data_refusal() {
                Some(refusal) => self.reply(refusal),
                None => self.listen(Passive::Extended),
            },
        }
    }

    /// A session has one listener at a time: so a client cannot use up the range, and none of its
    /// connections gets the transfer of another.
    fn listen(&mut self, passive: Passive) {
        self.parameters.setup = None;
        self.act(Action::Listen);
        self.enter(State::Listening(passive));
    }

    /// The server listens at this port.
    pub(crate) fn listening(&mut self, passive: Passive, port: u16) {
        let reply = match (passive, self.settings.passive_host, self.settings.local) {
            (Passive::Extended, ..) => {
                Reply::new(229, format!("Entering Extended Passive Mode (|||{port}|)"))
            }
            (Passive::Plain, Some(host), _) | (Passive::Plain, None, IpAddr::V4(host)) => {
                Reply::new(
                    227,
                    format!("Entering Passive Mode ({})", six_numbers(host, port)),
                )
            }
            (Passive::Plain, None, IpAddr::V6(_)) => {
                Reply::new(425, "PASV cannot name an IPv6 address, use EPSV.")
            }
        };
        if reply.is_success() {
            self.parameters.setup = Some(Setup::Passive);
        } else {
            self.abandon();
        }
        self.finish(reply);
    }

    /// There will be no data connection. What has been begun is given up.
    pub(crate) fn no_data_connection(&mut self, failure: DataFailure) {
        self.abandon();
        self.finish(Reply::new(425, failure.text()));
    }

    /// Closes what has been set up for a data connection.
    pub(crate) fn forget_data_connection(&mut self) {
        if self.parameters.setup.is_some() {
            self.abandon();
        }
    }

    /// Gives up what has been set up, prepared or begun. No transfer can do without a new set-up.
    pub(crate) fn abandon(&mut self) {
        self.parameters.setup = None;
        self.act(Action::Abandon);
    }

    pub(crate) fn port(&mut self, target: SocketAddrV4) {
        let refusal = self
            .data_refusal()
            .or_else(|| self.epsv_all_refusal())
            .or_else(|| self.active_refusal(IpAddr::V4(*target.ip()), target.port()));
        self.set_active(refusal, target.into());
    }

    pub(crate) fn eprt(&mut self, target: Extended) {
        let refusal = self.data_refusal().or_else(|| self.epsv_all_refusal());
        match target {
            Extended::Address(address, port) => {
                let refusal = refusal.or_else(|| self.active_refusal(address, port));
                self.set_active(refusal, SocketAddr::new(address, port));
            }
            Extended::UnknownProtocol => {
                let refusal = refusal.or_else(|| self.active_off());
                let protocols = "Use protocol 1 (IPv4) or 2 (IPv6): (1,2)";
                self.reply(refusal.unwrap_or_else(|| Reply::new(522, protocols)));
            }
        }
    }

    fn set_active(&mut self, refusal: Option<Reply>, target: SocketAddr) {
        if let Some(refusal) = refusal {
            self.reply(refusal);
        } else {
            // The server connects with the transfer, so that an address that cannot be reached is a
            // failure of that.
            self.forget_data_connection();
            self.parameters.setup = Some(Setup::Active(target));
            self.reply(Reply::new(200, "The next transfer connects to your port."));
        }
    }

    /// RFC 2428, section 4.
    fn epsv_all_refusal(&self) -> Option<Reply> {
        let all = self.parameters.epsv_all;
        all.then(|| Reply::new(501, "After EPSV ALL, EPSV is the only way."))
    }

    fn active_off(&self) -> Option<Reply> {
        let off = !self.settings.active;
        off.then(|| Reply::new(502, "Active mode is off on this server, use EPSV or PASV."))
    }

    /// Why the server must not connect there. RFC 2577 suggests 504.
    fn active_refusal(&self, address: IpAddr, port: u16) -> Option<Reply> {
        if let Some(off) = self.active_off() {
            Some(off)
        } else if address != self.settings.client {
            Some(Reply::new(
                504,
                "Data connections go to your own address only.",
            ))
        } else if port < FIRST_ACTIVE_PORT {
            Some(Reply::new(
                504,
                "Data connections go to ports from 1024 up only.",
            ))
        } else {
            None
        }
    }
}

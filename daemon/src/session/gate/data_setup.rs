//! PASV, EPSV, PORT and EPRT: how the next data connection will come about.

use std::net::{IpAddr, SocketAddrV4};

use super::{
    Gate,
    arguments::Epsv,
    host_port::{Extended, six_numbers},
    reply::Reply,
    state::{Engine, Passive, Setup, State, Then},
};

/// Lower ports belong to services that trust whoever connects from a server (RFC 2577, section 3).
const FIRST_ACTIVE_PORT: u16 = 1024;

impl Gate {
    pub(super) fn pasv(&mut self) {
        if let Some(refusal) = self.data_refusal().or_else(|| self.epsv_all_refusal()) {
            self.reply(refusal);
        } else if self.settings.local.is_ipv6() {
            self.reply(Reply::new(
                425,
                "PASV cannot name an IPv6 address, use EPSV.",
            ));
        } else {
            self.listen_anew(Passive::Plain);
        }
    }

    pub(super) fn epsv(&mut self, choice: Epsv) {
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
                None => self.listen_anew(Passive::Extended),
            },
        }
    }

    /// The engine keeps every port that it has opened until somebody connects. So that a client
    /// cannot use up the range, and that none of its connections gets the transfer of another, an
    /// engine with a port that was not used is replaced first.
    fn listen_anew(&mut self, passive: Passive) {
        self.parameters.setup = None;
        if self.engine == Engine::Listens {
            self.end_engine();
        }
        self.with_engine(Then::Listen(passive));
    }

    pub(super) fn listen(&mut self, passive: Passive) {
        self.tell_engine("EPSV");
        self.enter(State::Listening(passive));
    }

    /// The engine listens at this port.
    pub(super) fn listening(&mut self, passive: Passive, port: u16) {
        self.engine = Engine::Listens;
        let reply = match (passive, self.settings.passive_host, self.settings.local) {
            (Passive::Extended, ..) => {
                Reply::new(229, format!("Extended passive mode (|||{port}|)"))
            }
            (Passive::Plain, Some(host), _) | (Passive::Plain, None, IpAddr::V4(host)) => {
                Reply::new(227, format!("Passive mode ({})", six_numbers(host, port)))
            }
            (Passive::Plain, None, IpAddr::V6(_)) => {
                Reply::new(425, "PASV cannot name an IPv6 address, use EPSV.")
            }
        };
        if reply.is_success() {
            self.parameters.setup = Some(Setup::Passive);
        }
        self.finish(reply);
    }

    /// There will be no data connection. What the engine has begun is given up.
    pub(super) fn no_data_connection(&mut self, reason: &str) {
        self.end_engine();
        self.finish(Reply::new(425, reason));
    }

    pub(super) fn port(&mut self, target: SocketAddrV4) {
        let refusal = self
            .data_refusal()
            .or_else(|| self.epsv_all_refusal())
            .or_else(|| self.active_refusal(IpAddr::V4(*target.ip()), target.port()));
        self.set_active(refusal, target);
    }

    pub(super) fn eprt(&mut self, target: Extended) {
        let refusal = self.data_refusal().or_else(|| self.epsv_all_refusal());
        match target {
            Extended::Address(address @ IpAddr::V4(host), port) => {
                let refusal = refusal.or_else(|| self.active_refusal(address, port));
                self.set_active(refusal, SocketAddrV4::new(host, port));
            }
            // The engine connects over IPv4 only.
            Extended::Address(IpAddr::V6(_), _) | Extended::UnknownProtocol => {
                let refusal = refusal.or_else(|| self.active_off());
                let protocols = "Active mode knows IPv4 only, use EPSV or protocol (1)";
                self.reply(refusal.unwrap_or_else(|| Reply::new(522, protocols)));
            }
        }
    }

    fn set_active(&mut self, refusal: Option<Reply>, target: SocketAddrV4) {
        if let Some(refusal) = refusal {
            self.reply(refusal);
        } else {
            // The engine hears of it together with the transfer, so that an address that cannot be
            // reached is a failure of that.
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

    /// Why the engine must not connect there. RFC 2577 suggests 504.
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

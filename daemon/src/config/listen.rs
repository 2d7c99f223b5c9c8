//! Where the daemon listens: control connections and the passive range.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    ops::RangeInclusive,
    str::FromStr,
};

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de};

use super::Findings;

/// Where control connections are accepted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, rename_all = "kebab-case")]
pub struct Listen {
    /// One socket per address; an IPv6 address never takes IPv4 clients. Port 0 lets the kernel
    /// choose.
    pub addresses: Vec<SocketAddr>,
    /// Like `addresses`, for clients that begin with a TLS handshake (implicit TLS, by custom on
    /// port 990). They need a certificate.
    pub implicit_tls: Vec<SocketAddr>,
    /// Only clients from these networks are served; from everywhere if there are none.
    pub allow: Vec<IpNet>,
    /// Clients from these networks are not served, even if they are allowed above.
    pub deny: Vec<IpNet>,
}

/// The FTP control port (RFC 959, section 8).
const CONTROL_PORT: u16 = 21;

impl Default for Listen {
    fn default() -> Self {
        Self {
            addresses: vec![
                (Ipv4Addr::UNSPECIFIED, CONTROL_PORT).into(),
                (Ipv6Addr::UNSPECIFIED, CONTROL_PORT).into(),
            ],
            implicit_tls: Vec::new(),
            allow: Vec::new(),
            deny: Vec::new(),
        }
    }
}

impl Listen {
    pub(super) fn check(&self, findings: &mut Findings) {
        if self.addresses.is_empty() {
            findings.error(
                "listen.addresses",
                "no address to listen on",
                "give at least one, such as \"0.0.0.0:21\"",
            );
        }
        let keyed = |key: &'static str, addresses: &[SocketAddr]| {
            let keys = (0..addresses.len()).map(move |index| format!("listen.{key}.{index}"));
            keys.zip(addresses.to_vec()).collect::<Vec<_>>()
        };
        let mut before = Vec::new();
        for (key, address) in [
            keyed("addresses", &self.addresses),
            keyed("implicit-tls", &self.implicit_tls),
        ]
        .concat()
        {
            if let Some(other) = before.iter().find(|other| overlap(**other, address)) {
                let problem = format!("{address} overlaps with {other}");
                findings.error(&key, &problem, "remove one of the two");
            }
            before.push(address);
        }
    }

    /// Every address, with whether clients there begin with a TLS handshake.
    pub(crate) fn all(&self) -> impl Iterator<Item = (SocketAddr, bool)> {
        let plain = self.addresses.iter().map(|address| (*address, false));
        plain.chain(self.implicit_tls.iter().map(|address| (*address, true)))
    }

    /// Whether a client at this address may have a session.
    pub(crate) fn admits(&self, client: IpAddr) -> bool {
        let among = |networks: &[IpNet]| networks.iter().any(|network| network.contains(&client));
        (self.allow.is_empty() || among(&self.allow)) && !among(&self.deny)
    }

    /// Whether clients from some part of this network may have a session.
    pub(super) fn serves(&self, network: &IpNet) -> bool {
        let is_v4 = matches!(network, IpNet::V4(_));
        let listens = self.all().any(|(address, _)| address.is_ipv4() == is_v4);
        let denied = |part: &IpNet| self.deny.iter().any(|denied| denied.contains(part));
        let everywhere = self.allow.is_empty() && !denied(network);
        // Of two networks, one contains the other, or they have nothing in common.
        let common = self.allow.iter().filter_map(|allowed| {
            let smaller = if allowed.contains(network) {
                network
            } else {
                allowed
            };
            (network.contains(smaller) && allowed.contains(smaller)).then_some(smaller)
        });
        listens && (everywhere || common.into_iter().any(|part| !denied(part)))
    }
}

/// Whether sockets on both addresses would get in each other's way.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let (ip, other_ip) = (one.ip(), other.ip());
    one.port() != 0
        && one.port() == other.port()
        && one.is_ipv4() == other.is_ipv4()
        && (ip == other_ip || ip.is_unspecified() || other_ip.is_unspecified())
}

/// Active data connections (PORT, EPRT): the daemon connects to the client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, rename_all = "kebab-case")]
pub struct Active {
    /// Whether clients may ask for them. The host's firewall must let the daemon connect out.
    pub enabled: bool,
}

/// How passive data connections (PASV, EPSV) are offered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, rename_all = "kebab-case")]
pub struct Passive {
    /// The ports that data connections may use; the firewall ruleset must open the same ones.
    pub ports: PortRange,
    /// The IPv4 address announced in the reply to PASV, for hosts behind address translation. By
    /// default it is the address at which the client reached us.
    pub host: Option<Ipv4Addr>,
}

impl Passive {
    pub(super) fn check(&self, listen: &Listen, findings: &mut Findings) {
        for (address, _) in listen.all() {
            if self.ports.0.contains(&address.port()) {
                findings.error(
                    "passive.ports",
                    &format!(
                        "the passive range {} overlaps with the listening port {}",
                        self.ports,
                        address.port()
                    ),
                    "choose ranges that do not share a port",
                );
            }
        }
        if self
            .host
            .is_some_and(|host| host.is_unspecified() || host.is_multicast() || host.is_broadcast())
        {
            findings.error(
                "passive.host",
                "no client can connect to this address",
                "give the host's public IPv4 address",
            );
        }
    }
}

/// An inclusive range of unprivileged TCP ports, written `first-last`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(serde::Serialize))]
pub struct PortRange(pub RangeInclusive<u16>);

/// Ports below this one are reserved for well-known services.
const FIRST_UNPRIVILEGED_PORT: u16 = 1024;

impl Default for PortRange {
    /// The range that the shipped firewall ruleset opens: 256 ports at the start of the dynamic
    /// range of RFC 6335.
    fn default() -> Self {
        Self(49152..=49407)
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.0.start(), self.0.end())
    }
}

impl FromStr for PortRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ports = text.split_once('-').and_then(|(first, last)| {
            Some((first.trim().parse().ok()?, last.trim().parse().ok()?))
        });
        match ports {
            Some((first, last)) if FIRST_UNPRIVILEGED_PORT <= first && first <= last => {
                Ok(Self(first..=last))
            }
            Some(_) => Err(format!(
                "port range \"{text}\" is empty or begins below port {FIRST_UNPRIVILEGED_PORT}"
            )),
            None => Err(format!(
                "\"{text}\" is not a port range; write it as \"49152-49407\""
            )),
        }
    }
}

impl<'de> Deserialize<'de> for PortRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

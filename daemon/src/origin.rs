//! Whom a client is counted for.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

/// Bits of an IPv6 address that its owner chooses freely (RFC 4291, section 2.5.1).
const INTERFACE_BITS: u32 = 64;

/// Whom an address is counted for: an IPv4 address, or the /64 network of an IPv6 address. Whoever
/// has one IPv6 address has all addresses of its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Origin(IpAddr);

impl Origin {
    /// The origin of a client.
    pub(crate) fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = address.to_bits() >> INTERFACE_BITS << INTERFACE_BITS;
                Ipv6Addr::from_bits(network).into()
            }
            address @ IpAddr::V4(_) => address,
        })
    }

    /// The address, or the first one of the network.
    pub(crate) fn address(self) -> IpAddr {
        self.0
    }

    /// An address, or a network as it is shown.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let suffix = format!("/{}", 128 - INTERFACE_BITS);
        match text.strip_suffix(&suffix) {
            Some(network) => Some(Self::of(IpAddr::V6(network.parse().ok()?))),
            None => Some(Self::of(text.parse().ok()?)),
        }
    }
}

/// An IPv4 address, or an IPv6 network.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => write!(f, "{address}"),
            IpAddr::V6(network) => write!(f, "{network}/{}", 128 - INTERFACE_BITS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_read_as_it_is_shown() {
        for (text, shown) in [
            ("2001:db8:0:1:2::3", "2001:db8:0:1::/64"),
            ("2001:db8:0:1::/64", "2001:db8:0:1::/64"),
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
        ] {
            assert_eq!(Origin::parse(text).unwrap().to_string(), shown, "{text}");
        }
        for text in ["", "all", "192.0.2.7/64", "192.0.2.0/24", "2001:db8::/32"] {
            assert_eq!(Origin::parse(text), None, "{text}");
        }
    }
}

//! Addresses as PORT, PASV, EPRT and EPSV write them.

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

/// What EPRT names (RFC 2428, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extended {
    /// Protocol 1 or 2, and its address and port.
    Address(IpAddr, u16),
    /// Another protocol.
    UnknownProtocol,
}

/// The argument of PORT: `h1,h2,h3,h4,p1,p2`. Some clients put spaces after the commas.
pub(crate) fn parse_port(argument: &[u8]) -> Option<SocketAddrV4> {
    let fields = str::from_utf8(argument).ok()?.trim().split(',');
    let mut numbers = fields.map(|field| number(field.trim_start_matches(' ')));
    let mut next = || numbers.next()?;
    let [a, b, c, d, high, low] = [next()?, next()?, next()?, next()?, next()?, next()?];
    if numbers.next().is_some() {
        return None;
    }
    let address = Ipv4Addr::new(a, b, c, d);
    Some(SocketAddrV4::new(address, u16::from_be_bytes([high, low])))
}

/// Digits alone, where `parse` would take a sign.
fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

/// What PORT and the reply to PASV contain.
pub(crate) fn six_numbers(address: Ipv4Addr, port: u16) -> String {
    let [a, b, c, d] = address.octets();
    let [high, low] = port.to_be_bytes();
    format!("{a},{b},{c},{d},{high},{low}")
}

/// The argument of EPRT: `|protocol|address|port|`, with any delimiter.
pub(crate) fn parse_eprt(argument: &[u8]) -> Option<Extended> {
    let text = str::from_utf8(argument).ok()?.trim();
    let delimiter = text.chars().next().filter(char::is_ascii_graphic)?;
    if delimiter.is_ascii_alphanumeric() {
        return None;
    }
    let mut fields = text.split(delimiter);
    let mut next = || fields.next();
    let ["", protocol, address, port, ""] = [next()?, next()?, next()?, next()?, next()?] else {
        return None;
    };
    if fields.next().is_some() {
        return None;
    }
    let port = number(port)?;
    match number::<u32>(protocol)? {
        1 => Some(Extended::Address(IpAddr::V4(address.parse().ok()?), port)),
        2 => Some(Extended::Address(IpAddr::V6(address.parse().ok()?), port)),
        _ => Some(Extended::UnknownProtocol),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn port_takes_six_numbers() {
        assert_eq!(
            parse_port(b"127,0,0,1,4,1"),
            Some("127.0.0.1:1025".parse().unwrap())
        );
        for spaced in ["127, 0, 0, 1, 4, 1", " 127,0,0,1,  4,1 "] {
            let expected = Some("127.0.0.1:1025".parse().unwrap());
            assert_eq!(parse_port(spaced.as_bytes()), expected, "{spaced}");
        }
        let wrong: &[&[u8]] = &[
            b"",
            b"127,0 0,0,1,4,1",
            b"127,0,0,1, ,1",
            b"127 0 0 1 4 1",
            b"1,2,3,4,5",
            b"1,2,3,4,5,6,7",
            b"256,0,0,1,4,1",
            b"127,0,0,1,+4,1",
            b"127,0,0,1,,1",
            b"\xff",
        ];
        for wrong in wrong {
            assert_eq!(parse_port(wrong), None, "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn eprt_takes_any_delimiter_and_both_protocols() {
        let v4 = Extended::Address("10.0.0.1".parse().unwrap(), 1025);
        let v6 = Extended::Address("::1".parse().unwrap(), 1025);
        assert_eq!(parse_eprt(b"|1|10.0.0.1|1025|"), Some(v4));
        assert_eq!(parse_eprt(b"!2!::1!1025!"), Some(v6));
        assert_eq!(parse_eprt(b"|3|x|1|"), Some(Extended::UnknownProtocol));
        let wrong: &[&[u8]] = &[
            b"",
            b"1",
            b"|1|::1|1025|",
            b"|2|10.0.0.1|1025|",
            b"|1|10.0.0.1|65536|",
            b"|1|10.0.0.1|1025",
            b"|1|10.0.0.1|1025||",
            b"a1a10.0.0.1a1025a",
        ];
        for wrong in wrong {
            assert_eq!(parse_eprt(wrong), None, "{}", wrong.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn ports_come_back(address: [u8; 4], port: u16) {
            let expected = SocketAddrV4::new(address.into(), port);
            let text = six_numbers(address.into(), port);
            prop_assert_eq!(parse_port(text.as_bytes()), Some(expected));
        }

        #[test]
        fn nothing_panics(argument: Vec<u8>) {
            parse_port(&argument);
            parse_eprt(&argument);
        }
    }
}

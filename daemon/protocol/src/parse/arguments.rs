//! Arguments that are no paths.

use crate::request::{Algorithm, Fact, FactSet};

/// The security mechanisms of AUTH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mechanism {
    /// TLS, TLS-C and SSL, which mean the same: the control connection, and data when PROT says so.
    Tls,
    /// Anything else.
    Unknown,
}

/// The protection levels of PROT (RFC 2228, section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protection {
    /// C.
    Clear,
    /// P.
    Private,
    /// S and E, which TLS does not have.
    NotForTls,
    /// No level at all.
    Unknown,
}

/// The argument of EPSV (RFC 2428, section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Epsv {
    /// The protocol of the control connection.
    Same,
    /// The protocol with this number.
    Protocol(u32),
    /// No other way to a data connection will be used.
    All,
}

/// The argument of TYPE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    /// A, with non-print format.
    Ascii,
    /// I, and L with 8 bits.
    Image,
    /// One that RFC 959 has and this server does not.
    Unsupported,
}

/// The argument of OPTS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Opts {
    /// UTF8 ON or OFF.
    Utf8(bool),
    /// MLST with the facts that are wanted.
    Mlst(FactSet),
    /// HASH, perhaps with an algorithm.
    Hash(Option<Algorithm>),
    /// HASH with an algorithm that nobody knows here.
    UnknownHash,
    /// A command without options.
    Unknown,
}

/// The algorithms with the names that HASH gives them, which are those of IANA's registry.
pub(crate) const ALGORITHMS: [(Algorithm, &str); 5] = [
    (Algorithm::Crc32, "CRC32"),
    (Algorithm::Md5, "MD5"),
    (Algorithm::Sha1, "SHA-1"),
    (Algorithm::Sha256, "SHA-256"),
    (Algorithm::Sha512, "SHA-512"),
];

/// The name of an algorithm.
pub(crate) fn algorithm_name(algorithm: Algorithm) -> &'static str {
    let known = ALGORITHMS.iter().find(|(known, _)| *known == algorithm);
    known.map_or("", |(_, name)| name)
}

/// A number in digits.
pub(crate) fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(text).ok()?.parse().ok()
}

/// The words of an argument.
fn words(argument: &[u8]) -> impl Iterator<Item = &[u8]> {
    argument
        .split(|&byte| byte == b' ')
        .filter(|word| !word.is_empty())
}

fn is(word: &[u8], expected: &str) -> bool {
    word.eq_ignore_ascii_case(expected.as_bytes())
}

pub(crate) fn mechanism(argument: &[u8]) -> Mechanism {
    let known = ["TLS", "TLS-C", "SSL"];
    if known.iter().any(|name| is(argument.trim_ascii(), name)) {
        Mechanism::Tls
    } else {
        Mechanism::Unknown
    }
}

pub(crate) fn protection(argument: &[u8]) -> Protection {
    match argument.trim_ascii() {
        b"C" | b"c" => Protection::Clear,
        b"P" | b"p" => Protection::Private,
        b"S" | b"s" | b"E" | b"e" => Protection::NotForTls,
        _ => Protection::Unknown,
    }
}

pub(crate) fn epsv(argument: &[u8]) -> Option<Epsv> {
    match argument.trim_ascii() {
        b"" => Some(Epsv::Same),
        all if is(all, "ALL") => Some(Epsv::All),
        protocol => u32::try_from(number(protocol)?).ok().map(Epsv::Protocol),
    }
}

pub(crate) fn type_(argument: &[u8]) -> Option<Type> {
    let mut words = words(argument);
    let kind = words.next()?;
    let format = words.next();
    if words.next().is_some() {
        return None;
    }
    let kind = match kind.to_ascii_uppercase().as_slice() {
        b"A" => match format {
            None | Some(b"N" | b"n") => Type::Ascii,
            Some(b"T" | b"t" | b"C" | b"c") => Type::Unsupported,
            Some(_) => return None,
        },
        b"E" => Type::Unsupported,
        // Some clients write L 8 without the space.
        b"I" | b"L8" if format.is_none() => Type::Image,
        b"L" => match number(format?)? {
            8 => Type::Image,
            _ => Type::Unsupported,
        },
        _ => return None,
    };
    Some(kind)
}

/// ALLO: the bytes, and perhaps R and the size of a record, which files here do not have.
pub(crate) fn allocation(argument: &[u8]) -> Option<u64> {
    let mut words = words(argument);
    let bytes = number(words.next()?)?;
    match (words.next(), words.next(), words.next()) {
        (None, None, None) => Some(bytes),
        (Some(record), Some(size), None) if is(record, "R") => number(size).map(|_| bytes),
        _ => None,
    }
}

/// RANG: the first and the last byte.
pub(crate) fn range(argument: &[u8]) -> Option<(u64, u64)> {
    let mut words = words(argument);
    let range = (number(words.next()?)?, number(words.next()?)?);
    words.next().is_none().then_some(range)
}

pub(crate) fn opts(argument: &[u8]) -> Option<Opts> {
    let mut words = words(argument);
    let command = words.next()?;
    let option = words.next();
    let more = words.next().is_some();
    if is(command, "MLST") || is(command, "MLSD") {
        return (!more).then(|| Opts::Mlst(facts(option.unwrap_or_default())));
    }
    if more {
        return Some(Opts::Unknown);
    }
    Some(if is(command, "UTF8") || is(command, "UTF-8") {
        match option {
            None => Opts::Utf8(true),
            Some(on) if is(on, "ON") => Opts::Utf8(true),
            Some(off) if is(off, "OFF") => Opts::Utf8(false),
            Some(_) => return None,
        }
    } else if is(command, "HASH") {
        match option {
            None => Opts::Hash(None),
            Some(wanted) => ALGORITHMS
                .iter()
                .find(|(_, name)| is(wanted, name))
                .map_or(Opts::UnknownHash, |(known, _)| Opts::Hash(Some(*known))),
        }
    } else {
        Opts::Unknown
    })
}

/// RFC 3659, section 7.9: unknown facts mean nothing.
fn facts(list: &[u8]) -> FactSet {
    list.split(|&byte| byte == b';')
        .filter_map(|wanted| Fact::ALL.into_iter().find(|fact| is(wanted, fact.name())))
        .fold(FactSet::NONE, FactSet::with)
}

/// Whether this can be the name of a host, or an address (RFC 7151, section 3.1).
pub(crate) fn is_host(argument: &[u8]) -> bool {
    let name = argument.trim_ascii();
    if let Some(address) = name
        .strip_prefix(b"[")
        .and_then(|rest| rest.strip_suffix(b"]"))
    {
        let address = str::from_utf8(address).ok();
        return address.is_some_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok());
    }
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    (1..=253).contains(&name.len()) && name.iter().all(allowed)
}

/// The bits of SITE CHMOD and UNIX.mode, in octal.
pub(crate) fn mode(text: &[u8]) -> Option<u32> {
    let octal = |byte: &u8| (b'0'..=b'7').contains(byte);
    if !(3..=5).contains(&text.len()) || !text.iter().all(octal) {
        return None;
    }
    let bits = u32::from_str_radix(str::from_utf8(text).ok()?, 8).ok()?;
    // Set-user-id and its like would be a danger on the host.
    (bits <= 0o777).then_some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_told_apart() {
        for image in ["I", "i", "L 8", "l8"] {
            assert_eq!(type_(image.as_bytes()), Some(Type::Image), "{image}");
        }
        for ascii in ["A", "a n", "A N"] {
            assert_eq!(type_(ascii.as_bytes()), Some(Type::Ascii), "{ascii}");
        }
        for unsupported in ["E", "E N", "A T", "A C", "L 7"] {
            let parsed = type_(unsupported.as_bytes());
            assert_eq!(parsed, Some(Type::Unsupported), "{unsupported}");
        }
        for wrong in ["", "X", "I N", "L", "L x", "A N N", "A X"] {
            assert_eq!(type_(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn numbers_are_digits_that_fit() {
        assert_eq!(number(b"0"), Some(0));
        assert_eq!(number(b"18446744073709551615"), Some(u64::MAX));
        for wrong in ["", "-1", "+1", "18446744073709551616", "1x", " 1"] {
            assert_eq!(number(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn allocations_may_have_a_record_size() {
        assert_eq!(allocation(b"100"), Some(100));
        assert_eq!(allocation(b"100 R 10"), Some(100));
        for wrong in ["", "x", "100 10", "100 R", "100 R x", "1 R 2 3"] {
            assert_eq!(allocation(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn options_are_known_in_any_case() {
        assert_eq!(opts(b"utf8 on"), Some(Opts::Utf8(true)));
        assert_eq!(opts(b"UTF-8 off"), Some(Opts::Utf8(false)));
        assert_eq!(opts(b"UTF8 NLST"), None);
        assert_eq!(opts(b""), None);
        let size = FactSet::NONE.with(Fact::Size);
        assert_eq!(opts(b"MLST SIZE;nonsense;"), Some(Opts::Mlst(size)));
        assert_eq!(opts(b"MLST"), Some(Opts::Mlst(FactSet::NONE)));
        assert_eq!(
            opts(b"HASH sha-512"),
            Some(Opts::Hash(Some(Algorithm::Sha512)))
        );
        assert_eq!(opts(b"HASH SHA-3"), Some(Opts::UnknownHash));
        assert_eq!(opts(b"RETR x"), Some(Opts::Unknown));
    }

    #[test]
    fn hosts_are_names_or_addresses() {
        for host in ["ftp.example.com", "10.0.0.1", "[::1]"] {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        for wrong in ["", "a b", "[::1", "a/b", "ftp.example.com:21"] {
            assert!(!is_host(wrong.as_bytes()), "{wrong}");
        }
    }

    #[test]
    fn modes_are_octal_and_harmless() {
        assert_eq!(mode(b"644"), Some(0o644));
        assert_eq!(mode(b"0755"), Some(0o755));
        for wrong in ["", "4755", "888", "u+x", "7", "000000"] {
            assert_eq!(mode(wrong.as_bytes()), None, "{wrong}");
        }
    }
}

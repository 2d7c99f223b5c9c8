//! Lines to commands with typed arguments: every line is a command, or there is a reply to it.

use std::net::SocketAddrV4;

use super::{
    arguments::{self, Epsv, Mechanism, Opts, Protection, Type},
    file_arguments::{self, ChangeFacts, Part, Site},
    host_port::{self, Extended},
    list_arguments::{self, ListOptions},
    verb::{self, Known, Verb},
};
use crate::{
    reply::Reply,
    request::{Algorithm, Timestamp},
    wire::name,
};

/// The bytes of a path that a client named, relative to the working directory unless it begins
/// with a slash; empty for the working directory.
pub(crate) type RawPath = Vec<u8>;

/// A command, with what it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    Abor,
    Acct,
    Allo(u64),
    Appe(RawPath),
    Auth(Mechanism),
    Avbl(RawPath),
    Ccc,
    Cdup,
    /// CLNT.
    Client,
    Csid,
    Cwd(RawPath),
    Dele(RawPath),
    /// XCRC and its like, and MD5.
    Digest {
        algorithm: Algorithm,
        part: Part,
        reply: DigestReply,
    },
    Eprt(Extended),
    Epsv(Epsv),
    Feat,
    Hash(RawPath),
    Help(Help),
    Host,
    Lang(Vec<u8>),
    List(ListOptions, RawPath),
    Mdtm(RawPath),
    Mff(ChangeFacts),
    /// MFMT, and MDTM with a time.
    SetModified(Timestamp, RawPath),
    Mkd(RawPath),
    Mlsd(RawPath),
    Mlst(RawPath),
    Mode(Vec<u8>),
    Nlst(ListOptions, RawPath),
    Noop,
    Opts(Opts),
    Pass(Vec<u8>),
    Pasv,
    Pbsz(u64),
    Port(SocketAddrV4),
    Prot(Protection),
    Pwd,
    Quit,
    Rang(u64, u64),
    Rein,
    Rest(u64),
    Retr(RawPath),
    Rmd(RawPath),
    Rnfr(RawPath),
    Rnto(RawPath),
    Site(Site),
    Size(RawPath),
    /// STAT without a path.
    Status,
    Stat(ListOptions, RawPath),
    Stor(RawPath),
    Stou(RawPath),
    Stru(Vec<u8>),
    Syst,
    Type(Type),
    User(String),
    Unsupported,
}

/// What HELP is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Help {
    /// All commands.
    All,
    /// This one.
    Of(&'static Known),
    /// A command that does not exist.
    Unknown,
}

/// The replies that the commands for digests have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DigestReply {
    /// HASH (draft-bryan-ftpext-hash).
    Hash,
    /// XCRC, XMD5, XSHA..: the digest alone.
    Bare,
    /// MD5 (draft-twine-ftpmd5).
    Md5,
}

/// Splits a line into what is known of its verb and its argument.
pub(crate) fn split(line: &[u8]) -> Option<(&'static Known, &[u8])> {
    let space = line.iter().position(|&byte| byte == b' ');
    let (name, rest) = match space {
        Some(space) => line.split_at_checked(space)?,
        None => (line, &b""[..]),
    };
    // One space is the separator; a name may begin or end with others.
    Some((verb::find(name)?, rest.strip_prefix(b" ").unwrap_or(rest)))
}

impl Command {
    /// Whether it may change, make or remove a file or directory.
    pub(crate) fn changes_files(&self) -> bool {
        match self {
            Self::Appe(_)
            | Self::Dele(_)
            | Self::Mff(_)
            | Self::Mkd(_)
            | Self::Rmd(_)
            | Self::Rnto(_)
            | Self::SetModified(..)
            | Self::Stor(_)
            | Self::Stou(_) => true,
            Self::Site(site) => {
                matches!(
                    site,
                    Site::Mode(..) | Site::ModeChange(..) | Site::CopyTo(_) | Site::Modified(..)
                )
            }
            _ => false,
        }
    }

    /// The command with its argument.
    ///
    /// # Errors
    /// The reply to what is no argument of this command.
    pub(crate) fn parse(known: &Known, argument: &[u8]) -> Result<Self, Reply> {
        Self::typed(known.verb, argument).ok_or_else(|| {
            let Known { name, usage, .. } = known;
            Reply::new(501, format!("Usage: {name} {usage}"))
        })
    }

    #[expect(clippy::too_many_lines, reason = "a table with a row for each verb")]
    fn typed(verb: Verb, argument: &[u8]) -> Option<Self> {
        let path = || name::decode(argument).into_owned();
        let needed = || (!argument.is_empty()).then(path);
        let number = || arguments::number(argument.trim_ascii());
        let word = || {
            let word = argument.trim_ascii();
            (!word.is_empty()).then(|| word.to_ascii_uppercase())
        };
        let digest = |algorithm, reply| {
            let part = file_arguments::part(argument)?;
            Some(Self::Digest {
                algorithm,
                part,
                reply,
            })
        };
        let listing = || {
            let (options, path) = list_arguments::parse(argument);
            (options, name::decode(path).into_owned())
        };
        let bare = |algorithm| digest(algorithm, DigestReply::Bare);
        Some(match verb {
            Verb::Abor => Self::Abor,
            Verb::Acct => Self::Acct,
            Verb::Allo => Self::Allo(arguments::allocation(argument)?),
            Verb::Appe => Self::Appe(needed()?),
            Verb::Auth => word().map(|word| Self::Auth(arguments::mechanism(&word)))?,
            Verb::Avbl => Self::Avbl(path()),
            Verb::Ccc => Self::Ccc,
            Verb::Cdup => Self::Cdup,
            Verb::Clnt => word().map(|_| Self::Client)?,
            Verb::Csid => word().map(|_| Self::Csid)?,
            Verb::Cwd => Self::Cwd(needed()?),
            Verb::Dele => Self::Dele(needed()?),
            Verb::Eprt => Self::Eprt(host_port::parse_eprt(argument)?),
            Verb::Epsv => Self::Epsv(arguments::epsv(argument)?),
            Verb::Feat => Self::Feat,
            Verb::Hash => Self::Hash(needed()?),
            Verb::Help => {
                let mut words = argument.split(|&byte| byte == b' ');
                Self::Help(match words.find(|word| !word.is_empty()) {
                    Some(name) => verb::find(name).map_or(Help::Unknown, Help::Of),
                    None => Help::All,
                })
            }
            Verb::Host => arguments::is_host(argument).then_some(Self::Host)?,
            Verb::Lang => Self::Lang(word().unwrap_or_default()),
            Verb::List => {
                let (options, path) = listing();
                Self::List(options, path)
            }
            Verb::Md5 => digest(Algorithm::Md5, DigestReply::Md5)?,
            Verb::Mdtm => match file_arguments::time_and_path(argument) {
                Some((time, path)) => Self::SetModified(time, path),
                None => Self::Mdtm(needed()?),
            },
            Verb::Mff => Self::Mff(file_arguments::change_facts(argument)?),
            Verb::Mfmt => {
                let (time, path) = file_arguments::time_and_path(argument)?;
                Self::SetModified(time, path)
            }
            Verb::Mkd => Self::Mkd(needed()?),
            Verb::Mlsd => Self::Mlsd(path()),
            Verb::Mlst => Self::Mlst(path()),
            Verb::Mode => Self::Mode(word()?),
            Verb::Nlst => {
                let (options, path) = listing();
                Self::Nlst(options, path)
            }
            Verb::Noop => Self::Noop,
            Verb::Opts => Self::Opts(arguments::opts(argument)?),
            Verb::Pass => Self::Pass(argument.to_vec()),
            Verb::Pasv => Self::Pasv,
            Verb::Pbsz => Self::Pbsz(number()?),
            Verb::Port => Self::Port(host_port::parse_port(argument)?),
            Verb::Prot => word().map(|word| Self::Prot(arguments::protection(&word)))?,
            Verb::Pwd => Self::Pwd,
            Verb::Quit => Self::Quit,
            Verb::Rang => {
                let (first, last) = arguments::range(argument)?;
                Self::Rang(first, last)
            }
            Verb::Rein => Self::Rein,
            Verb::Rest => Self::Rest(number()?),
            Verb::Retr => Self::Retr(needed()?),
            Verb::Rmd => Self::Rmd(needed()?),
            Verb::Rnfr => Self::Rnfr(needed()?),
            Verb::Rnto => Self::Rnto(needed()?),
            Verb::Site => Self::Site(file_arguments::site(argument)?),
            Verb::Size => Self::Size(needed()?),
            Verb::Stat if argument.trim_ascii().is_empty() => Self::Status,
            Verb::Stat => {
                let (options, path) = listing();
                Self::Stat(options, path)
            }
            Verb::Stor => Self::Stor(needed()?),
            Verb::Stou => Self::Stou(path()),
            Verb::Stru => Self::Stru(word()?),
            Verb::Syst => Self::Syst,
            Verb::Type => Self::Type(arguments::type_(argument)?),
            Verb::Unsupported => Self::Unsupported,
            Verb::User => {
                let name = str::from_utf8(argument).ok()?;
                (!name.is_empty()).then(|| Self::User(name.to_owned()))?
            }
            Verb::Xcrc => bare(Algorithm::Crc32)?,
            Verb::Xmd5 => bare(Algorithm::Md5)?,
            Verb::Xsha1 => bare(Algorithm::Sha1)?,
            Verb::Xsha256 => bare(Algorithm::Sha256)?,
            Verb::Xsha512 => bare(Algorithm::Sha512)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(line: &str) -> Command {
        let (known, argument) = split(line.as_bytes()).unwrap();
        Command::parse(known, argument).unwrap()
    }

    #[test]
    fn one_space_separates_and_the_rest_is_the_name() {
        assert_eq!(parse("RETR a b"), Command::Retr(b"a b".to_vec()));
        assert_eq!(parse("retr  a "), Command::Retr(b" a ".to_vec()));
        assert_eq!(parse("PASS"), Command::Pass(Vec::new()));
        assert_eq!(parse("PASS  x "), Command::Pass(b" x ".to_vec()));
    }

    #[test]
    fn names_are_decoded() {
        assert_eq!(parse("RETR a\u{f70a}"), Command::Retr(b"a\n".to_vec()));
    }

    #[test]
    fn mdtm_with_a_time_sets_it() {
        let time = Timestamp {
            seconds: 0,
            nanoseconds: 0,
        };
        assert_eq!(
            parse("MDTM 19700101000000 a b"),
            Command::SetModified(time, b"a b".to_vec())
        );
        assert_eq!(
            parse("MDTM 19700101000000"),
            Command::Mdtm(b"19700101000000".to_vec())
        );
    }

    #[test]
    fn complaints_tell_the_usage() {
        let (known, argument) = split(b"RETR").unwrap();
        assert_eq!(
            Command::parse(known, argument),
            Err(Reply::new(501, "Usage: RETR file"))
        );
    }

    proptest! {
        #[test]
        fn every_line_has_an_answer(verb in prop::sample::select(verb::KNOWN), rest: Vec<u8>) {
            let mut line = verb.name.as_bytes().to_vec();
            line.push(b' ');
            line.extend_from_slice(&rest);
            let (known, argument) = split(&line).unwrap();
            prop_assert_eq!(known.name, verb.name);
            prop_assert_eq!(argument, rest);
            let _answer = Command::parse(known, argument);
        }
    }
}

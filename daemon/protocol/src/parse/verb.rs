//! The commands by name.

/// When a command may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// At any time.
    Nothing,
    /// After a log-in.
    LogIn,
}

/// A command, as the verb alone tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    /// The name, in capitals.
    pub(crate) name: &'static str,
    pub(crate) verb: Verb,
    pub(crate) needs: Needs,
    /// What may follow the name, for HELP and for complaints.
    pub(crate) usage: &'static str,
}

/// Finds a command by name, in any case.
pub(crate) fn find(name: &[u8]) -> Option<&'static Known> {
    KNOWN
        .iter()
        .find(|known| known.name.as_bytes().eq_ignore_ascii_case(name))
}

macro_rules! known {
    ($($name:literal $verb:ident $needs:ident $usage:literal)*) => {
        /// Every name, in alphabetical order; the names of RFC 775 and other old ones included.
        pub(crate) const KNOWN: &[Known] = &[$(Known {
            name: $name,
            verb: Verb::$verb,
            needs: Needs::$needs,
            usage: $usage,
        }),*];
    };
}

/// The commands, each once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Verb {
    Abor,
    Acct,
    Allo,
    Appe,
    Auth,
    Avbl,
    Ccc,
    Cdup,
    Clnt,
    Csid,
    Cwd,
    Dele,
    Eprt,
    Epsv,
    Feat,
    Hash,
    Help,
    Host,
    Lang,
    List,
    Md5,
    Mdtm,
    Mff,
    Mfmt,
    Mkd,
    Mlsd,
    Mlst,
    Mode,
    Nlst,
    Noop,
    Opts,
    Pass,
    Pasv,
    Pbsz,
    Port,
    Prot,
    Pwd,
    Quit,
    Rang,
    Rein,
    Rest,
    Retr,
    Rmd,
    Rnfr,
    Rnto,
    Site,
    Size,
    Stat,
    Stor,
    Stou,
    Stru,
    Syst,
    Type,
    Unsupported,
    User,
    Xcrc,
    Xmd5,
    Xsha1,
    Xsha256,
    Xsha512,
}

known! {
    "ABOR" Abor Nothing ""
    "ACCT" Acct Nothing "account"
    "ADAT" Unsupported Nothing "base64"
    "ALLO" Allo LogIn "bytes"
    "APPE" Appe LogIn "file"
    "AUTH" Auth Nothing "TLS | TLS-C | SSL"
    "AVBL" Avbl LogIn "[path]"
    "CCC" Ccc Nothing ""
    "CDUP" Cdup LogIn ""
    "CLNT" Clnt Nothing "name of the client"
    "CONF" Unsupported Nothing "base64"
    "CSID" Csid Nothing "name=value; ..."
    "CWD" Cwd LogIn "directory"
    "DELE" Dele LogIn "file"
    "ENC" Unsupported Nothing "base64"
    "EPRT" Eprt LogIn "|1|address|port|"
    "EPSV" Epsv LogIn "[1 | 2 | ALL]"
    "FEAT" Feat Nothing ""
    "HASH" Hash LogIn "file"
    "HELP" Help Nothing "[command]"
    "HOST" Host Nothing "name of the server"
    "LANG" Lang Nothing "[language]"
    "LIST" List LogIn "[-adRrtS] [path]"
    "LPRT" Unsupported LogIn "numbers"
    "LPSV" Unsupported LogIn ""
    "MD5" Md5 LogIn "file [first byte [byte behind the last]]"
    "MDTM" Mdtm LogIn "[YYYYMMDDHHMMSS] path"
    "MFF" Mff LogIn "modify=YYYYMMDDHHMMSS;UNIX.mode=0644; path"
    "MFMT" Mfmt LogIn "YYYYMMDDHHMMSS path"
    "MIC" Unsupported Nothing "base64"
    "MKD" Mkd LogIn "directory"
    "MLSD" Mlsd LogIn "[directory]"
    "MLST" Mlst LogIn "[path]"
    "MODE" Mode LogIn "S"
    "NLST" Nlst LogIn "[-artS] [path]"
    "NOOP" Noop Nothing ""
    "OPTS" Opts Nothing "command [options]"
    "PASS" Pass Nothing "password"
    "PASV" Pasv LogIn ""
    "PBSZ" Pbsz Nothing "0"
    "PORT" Port LogIn "h,h,h,h,p,p"
    "PROT" Prot Nothing "C | P"
    "PWD" Pwd LogIn ""
    "QUIT" Quit Nothing ""
    "RANG" Rang LogIn "first byte last byte"
    "REIN" Rein Nothing ""
    "REST" Rest LogIn "first byte"
    "RETR" Retr LogIn "file"
    "RMD" Rmd LogIn "directory"
    "RNFR" Rnfr LogIn "path"
    "RNTO" Rnto LogIn "path"
    "SITE" Site LogIn "CHMOD | CPFR | CPTO | DF | HELP | UTIME [arguments]"
    "SIZE" Size LogIn "file"
    "SMNT" Unsupported LogIn "path"
    "STAT" Stat LogIn "[path]"
    "STOR" Stor LogIn "file"
    "STOU" Stou LogIn "[file]"
    "STRU" Stru LogIn "F"
    "SYST" Syst Nothing ""
    "TYPE" Type LogIn "A | I | L 8"
    "USER" User Nothing "name"
    "XCRC" Xcrc LogIn "file [first byte [byte behind the last]]"
    "XCUP" Cdup LogIn ""
    "XCWD" Cwd LogIn "directory"
    "XMD5" Xmd5 LogIn "file [first byte [byte behind the last]]"
    "XMKD" Mkd LogIn "directory"
    "XPWD" Pwd LogIn ""
    "XRMD" Rmd LogIn "directory"
    "XSHA" Xsha1 LogIn "file [first byte [byte behind the last]]"
    "XSHA1" Xsha1 LogIn "file [first byte [byte behind the last]]"
    "XSHA256" Xsha256 LogIn "file [first byte [byte behind the last]]"
    "XSHA512" Xsha512 LogIn "file [first byte [byte behind the last]]"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_found_in_any_case() {
        assert!(KNOWN.is_sorted_by(|a, b| a.name < b.name));
        assert_eq!(find(b"xCwD").unwrap().verb, Verb::Cwd);
        assert_eq!(find(b"XYZZY"), None);
    }
}

//! Which file answers which command.

mod changes;
mod data_setup;
mod digests;
mod facts;
mod feat;
mod log_in;
mod parameters;
mod security;
mod transfers;

use crate::{
    parse::{command::Command, file_arguments::Site},
    protocol::{
        Protocol,
        interface::Ending,
        state::{Position, State, Who},
    },
    reply::{Reply, shown},
    virtual_path::VirtualPath,
};

/// Who we are, for clients that ask by CSID. No version: it would help attackers only.
const CSID: &str = "Name=esxftpd; CaseSensitive=1; DirSep=/;";

impl Protocol {
    /// RNFR and SITE CPFR stay in force until a command changes files: their source may then be
    /// another file.
    pub(crate) fn forget_sources_unless_used_by(&mut self, command: &Command) {
        if !matches!(command, Command::Rnto(_)) {
            self.parameters.rename_from = None;
        }
        if !matches!(command, Command::Site(Site::CopyTo(_))) {
            self.parameters.copy_from = None;
        }
    }

    /// Does a command.
    pub(crate) fn run(&mut self, command: Command) {
        match command {
            Command::User(name) => self.user(name),
            Command::Pass(password) => self.pass(password),
            Command::Acct => self.acct(),
            Command::Rein => self.reinitialize(),
            Command::Quit => {
                self.reply(Reply::new(221, "Goodbye."));
                self.close(Ending::Quit);
            }
            Command::Host => self.host(),
            Command::Client => self.reply(Reply::new(200, "Noted.")),
            // draft-peterson-streamlined-ftp-command-extensions: the server says who it is, too.
            Command::Csid => self.reply(Reply::new(200, CSID)),

            Command::Auth(mechanism) => self.auth(mechanism),
            Command::Pbsz(size) => self.pbsz(size),
            Command::Prot(protection) => self.prot(protection),
            Command::Ccc => self.ccc(),

            Command::Pasv => self.pasv(),
            Command::Epsv(choice) => self.epsv(choice),
            Command::Port(target) => self.port(target),
            Command::Eprt(target) => self.eprt(target),

            Command::Type(kind) => self.type_(kind),
            Command::Mode(mode) => self.mode(&mode),
            Command::Stru(structure) => self.stru(&structure),
            Command::Opts(option) => self.opts(&option),
            Command::Lang(language) => self.lang(&language),
            Command::Rest(start) => self.rest(start),
            Command::Rang(first, last) => self.rang(first, last),
            Command::Allo(bytes) => self.allo(bytes),

            Command::Pwd => self.pwd(),
            Command::Cwd(path) => self.cwd(&path),
            Command::Cdup => self.cwd(b".."),
            Command::Size(path) => self.size(&path),
            Command::Mdtm(path) => self.mdtm(&path),
            Command::Mlst(path) => self.mlst(&path),
            Command::Stat(options, path) => self.stat(options, &path),
            Command::Avbl(path) => self.avbl(&path),

            Command::Mkd(path) => self.mkd(&path),
            Command::Rmd(path) => self.rmd(&path),
            Command::Dele(path) => self.dele(&path),
            Command::Rnfr(path) => self.rnfr(&path),
            Command::Rnto(path) => self.rnto(&path),
            Command::SetModified(time, path) => self.set_modified(time, &path),
            Command::Mff(change) => self.mff(change),
            Command::Site(site) => self.site(site),

            Command::Hash(path) => self.hash(&path),
            Command::Digest {
                algorithm,
                part,
                reply,
            } => self.digest(algorithm, &part, reply),

            Command::Retr(path) => self.retr(&path),
            Command::Stor(path) => self.stor(&path),
            Command::Appe(path) => self.appe(&path),
            Command::Stou(path) => self.stou(&path),
            Command::List(options, path) => self.list(options.long(), &path),
            Command::Nlst(options, path) => self.list(options.names(), &path),
            Command::Mlsd(path) => self.mlsd(&path),

            // Whatever it would have ended has ended.
            Command::Abor => {
                self.forget_data_connection();
                self.parameters.position = Position::default();
                self.parameters.rename_from = None;
                self.parameters.copy_from = None;
                self.reply(Reply::new(226, "Nothing is being transferred."));
            }
            Command::Noop => self.reply(Reply::new(200, "OK.")),
            Command::Status => self.status(),
            Command::Feat => self.reply(self.feat()),
            Command::Help(subject) => self.reply(Self::help(subject)),
            Command::Syst => self.reply(Reply::new(215, "UNIX Type: L8")),
            Command::Unsupported => self.reply(Reply::new(502, "This is not supported.")),
        }
    }

    /// The path that an argument means, or a reply to one that means none.
    pub(crate) fn resolve(&mut self, path: &[u8]) -> Option<VirtualPath> {
        match self.parameters.directory.join(path) {
            Ok(path) => Some(path),
            Err(problem) => {
                self.reply(Reply::no_path(problem));
                None
            }
        }
    }

    /// RFC 7151: one server has one name here, and takes every name.
    fn host(&mut self) {
        let reply = match self.who {
            Who::Nobody => Reply::new(220, "Welcome to this host."),
            Who::Named(_) | Who::In(..) => Reply::new(503, "HOST comes before USER."),
        };
        self.reply(reply);
    }

    /// STAT without a path.
    fn status(&mut self) {
        let mut lines = vec![format!(" Connected from {}", self.settings.client)];
        if let Who::In(user, _) = &self.who {
            lines.push(format!(" Logged in as {user}"));
        }
        lines.push(format!(" Directory {}", shown(&self.parameters.directory)));
        lines.push(format!(
            " Control connection: {}, data connections: {}",
            security::word(self.security.tls()),
            security::word(self.security.data),
        ));
        let kind = if self.parameters.ascii { "A" } else { "I" };
        lines.push(format!(" TYPE {kind}, STRU F, MODE S"));
        if let State::Transferring(transfer) = &self.state {
            lines.push(format!(" {}", transfer.status()));
        }
        self.reply(Reply::lines(211, "Status:", lines, "End"));
    }
}

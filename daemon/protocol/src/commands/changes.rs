//! MKD, RMD, DELE, RNFR, RNTO, MFMT, MFF and SITE: what changes without a data connection.

use crate::{
    parse::file_arguments::{ChangeFacts, Site},
    protocol::{Protocol, operation::Job},
    reply::{Reply, shown},
    request::{Facts, Failure, Kind, Operation, Timestamp},
    virtual_path::VirtualPath,
    wire::time_val,
};

impl Protocol {
    /// Has the storage change something at a path.
    fn change(
        &mut self,
        path: &[u8],
        operation: impl FnOnce(VirtualPath) -> Operation,
        reply: impl FnOnce(&str) -> Reply,
    ) {
        if let Some(path) = self.resolve(path) {
            let reply = reply(&shown(&path));
            self.perform(Job::Simple(path.clone(), reply), operation(path));
        }
    }

    pub(crate) fn mkd(&mut self, path: &[u8]) {
        self.change(path, Operation::MakeDirectory, |path| {
            Reply::new(257, format!("{path} was made."))
        });
    }

    pub(crate) fn rmd(&mut self, path: &[u8]) {
        self.change(path, Operation::RemoveDirectory, |path| {
            Reply::new(250, format!("{path} was removed."))
        });
    }

    pub(crate) fn dele(&mut self, path: &[u8]) {
        self.change(path, Operation::RemoveFile, |path| {
            Reply::new(250, format!("{path} was removed."))
        });
    }

    pub(crate) fn rnfr(&mut self, path: &[u8]) {
        self.parameters.rename_from = None;
        if let Some(path) = self.resolve(path) {
            self.perform(Job::RenameFrom(path.clone()), Operation::Entry(path));
        }
    }

    pub(crate) fn rnto(&mut self, path: &[u8]) {
        let Some(from) = self.parameters.rename_from.take() else {
            self.reply(Reply::new(503, "Send RNFR first."));
            return;
        };
        if let Some(to) = self.resolve(path) {
            let reply = Reply::new(250, format!("Renamed to {}.", shown(&to)));
            let job = Job::TwoPaths(from.clone(), to.clone(), reply);
            self.perform(job, Operation::Rename { from, to });
        }
    }

    /// SITE CPTO.
    fn copy_to(&mut self, path: &[u8]) {
        let Some(from) = self.parameters.copy_from.take() else {
            self.reply(Reply::new(503, "Send SITE CPFR first."));
            return;
        };
        if let Some(to) = self.resolve(path) {
            let reply = Reply::new(250, format!("Copied to {}.", shown(&to)));
            let job = Job::TwoPaths(from.clone(), to.clone(), reply);
            self.perform(job, Operation::Copy { from, to });
        }
    }

    /// MFMT, MDTM with a time, and SITE UTIME.
    pub(crate) fn set_modified(&mut self, modified: Timestamp, path: &[u8]) {
        let time = time_val::format(modified).unwrap_or_default();
        self.change(
            path,
            |path| Operation::SetModified { path, modified },
            |path| Reply::new(213, format!("Modify={time}; {path}")),
        );
    }

    /// draft-somers-ftp-mfxx, section 6: the reply repeats what was set.
    pub(crate) fn mff(&mut self, change: ChangeFacts) {
        let ChangeFacts {
            path,
            modified,
            mode,
            refused,
        } = change;
        if let Some(fact) = refused {
            let text = format!("{fact} cannot be changed; modify and UNIX.mode can.");
            self.reply(Reply::new(504, text));
            return;
        }
        let Some(path) = self.resolve(&path) else {
            return;
        };
        let mut set = String::new();
        if let Some(time) = modified.and_then(time_val::format) {
            set = format!("Modify={time};");
        }
        if let Some(mode) = mode {
            set = format!("{set}UNIX.mode=0{mode:o};");
        }
        let reply = Reply::new(213, format!("{set} {}", shown(&path)));
        match (modified, mode) {
            (Some(modified), mode) => {
                let job = match mode {
                    Some(mode) => Job::TimeAndMode(path.clone(), mode, reply),
                    None => Job::Simple(path.clone(), reply),
                };
                self.perform(job, Operation::SetModified { path, modified });
            }
            (None, Some(mode)) => {
                let job = Job::Simple(path.clone(), reply);
                self.perform(job, Operation::SetMode { path, mode });
            }
            (None, None) => self.reply(Reply::new(501, "No fact to change.")),
        }
    }

    pub(crate) fn site(&mut self, site: Site) {
        self.verb = match &site {
            Site::Mode(..) | Site::ModeChange(..) => "SITE CHMOD",
            Site::CopyFrom(_) => "SITE CPFR",
            Site::CopyTo(_) => "SITE CPTO",
            Site::Modified(..) => "SITE UTIME",
            Site::Space(_) => "SITE DF",
            Site::Help | Site::Usage(_) | Site::Unknown => self.verb,
        };
        match site {
            Site::Mode(mode, path) => {
                if let Some(path) = self.resolve(&path) {
                    self.set_mode(path, mode);
                }
            }
            Site::ModeChange(changes, path) => {
                if let Some(path) = self.resolve(&path) {
                    let job = Job::ModeChange(path.clone(), changes);
                    self.perform(job, Operation::Facts(path));
                }
            }
            Site::CopyFrom(path) => {
                self.parameters.copy_from = None;
                if let Some(path) = self.resolve(&path) {
                    self.perform(Job::CopyFrom(path.clone()), Operation::Facts(path));
                }
            }
            Site::CopyTo(path) => self.copy_to(&path),
            Site::Space(path) => self.space(&path),
            Site::Help => self.reply(Self::site_help()),
            Site::Modified(time, path) => self.set_modified(time, &path),
            Site::Usage(usage) => self.reply(Reply::new(501, format!("Usage: SITE {usage}"))),
            Site::Unknown => self.reply(Reply::new(
                500,
                "Unknown SITE command. SITE HELP lists the known ones.",
            )),
        }
    }

    /// SITE CHMOD, when the bits are known.
    pub(crate) fn set_mode(&mut self, path: VirtualPath, mode: u32) {
        let text = format!("The mode of {} is 0{mode:03o}.", shown(&path));
        let job = Job::Simple(path.clone(), Reply::new(200, text));
        self.perform(job, Operation::SetMode { path, mode });
    }

    pub(crate) fn copy_source_found(&mut self, path: VirtualPath, facts: &Facts) -> Reply {
        match facts.kind {
            Kind::File => {
                self.parameters.copy_from = Some(path);
                Reply::new(350, "Send the new name with SITE CPTO.")
            }
            Kind::Directory => Reply::failure_of(&path, Failure::IsADirectory),
            Kind::Link | Kind::Special => Reply::failure_of(&path, Failure::NotAFile),
        }
    }
}

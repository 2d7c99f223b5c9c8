//! PWD, CWD, SIZE, MDTM, MLST, STAT with a path, AVBL and SITE DF: what is there.

use crate::{
    parse::list_arguments::ListOptions,
    protocol::{Protocol, operation::Job},
    reply::{Reply, shown},
    request::{Facts, Failure, Kind, ListForm, Listing, Operation, Space},
    virtual_path::VirtualPath,
    wire::{
        facts_line::{Place, facts_line},
        time_val,
    },
};

impl Protocol {
    pub(crate) fn pwd(&mut self) {
        let directory = shown(&self.parameters.directory);
        self.reply(Reply::new(
            257,
            format!("{directory} is the working directory."),
        ));
    }

    /// Looks at a path, for a job.
    fn look(&mut self, path: &[u8], job: impl FnOnce(VirtualPath) -> Job) {
        if let Some(path) = self.resolve(path) {
            self.perform(job(path.clone()), Operation::Facts(path));
        }
    }

    /// `~` is the root, where a session begins, unless something has this name.
    pub(crate) fn cwd(&mut self, path: &[u8]) {
        let below = path.strip_prefix(b"~");
        let below = below.filter(|below| matches!(below, [] | [b'/', ..]));
        match below.map(|below| VirtualPath::root().join(below)) {
            Some(Ok(home)) => self.look(path, |path| Job::Home(path, home)),
            _ => self.look(path, Job::Directory),
        }
    }

    pub(crate) fn directory_found(&mut self, path: VirtualPath, facts: &Facts) -> Reply {
        if facts.kind != Kind::Directory {
            return Reply::failure_of(&path, Failure::NotADirectory);
        }
        if !facts.permissions.enter {
            return Reply::failure_of(&path, Failure::PermissionDenied);
        }
        let reply = Reply::new(250, format!("{} is the working directory.", shown(&path)));
        self.parameters.directory = path;
        reply
    }

    pub(crate) fn size(&mut self, path: &[u8]) {
        if self.converts() {
            let text = "The size of converted text is not known, use TYPE I.";
            self.reply(Reply::new(550, text));
        } else if let Some(path) = self.resolve(path) {
            self.perform(Job::Size(path.clone()), Operation::Size(path));
        }
    }

    pub(crate) fn size_reply(path: &VirtualPath, facts: &Facts) -> Reply {
        match (facts.kind, facts.size) {
            (Kind::File, Some(size)) => Reply::new(213, size.to_string()),
            (Kind::Directory, _) => Reply::failure_of(path, Failure::IsADirectory),
            _ => Reply::failure_of(path, Failure::NotAFile),
        }
    }

    pub(crate) fn mdtm(&mut self, path: &[u8]) {
        self.look(path, Job::Modified);
    }

    pub(crate) fn modified_reply(path: &VirtualPath, facts: &Facts) -> Reply {
        match facts.modified.and_then(time_val::format) {
            Some(time) => Reply::new(213, time),
            None => Reply::failure_of(path, Failure::Unsupported),
        }
    }

    pub(crate) fn mlst(&mut self, path: &[u8]) {
        if let Some(path) = self.resolve(path) {
            self.perform(Job::Facts(path.clone()), Operation::Entry(path));
        }
    }

    /// RFC 3659, section 7.2: one line in the middle, behind a space.
    pub(crate) fn facts_reply(&self, path: &VirtualPath, facts: &Facts) -> Reply {
        let line = facts_line(facts, self.parameters.facts, Place::Entry, path.as_bytes());
        Reply::lines(250, "Facts:", vec![format!(" {line}")], "End")
    }

    pub(crate) fn stat(&mut self, options: ListOptions, path: &[u8]) {
        match self.listing(options.long(), path) {
            Some((name, Some(pattern))) => self.look_for_glob(name, pattern, false),
            Some((name, None)) => self.look_for_status(name),
            None => {}
        }
    }

    /// The code of the reply depends on what the path is, so that is looked up first.
    pub(crate) fn look_for_status(&mut self, listing: Listing) {
        let operation = Operation::Entry(listing.path.clone());
        self.perform(Job::Status(listing), operation);
    }

    pub(crate) fn tell_status(&mut self, listing: Listing, facts: &Facts) {
        let itself = matches!(listing.form, ListForm::Long { itself: true, .. });
        let code = match facts.kind {
            Kind::Directory if !itself => 212,
            // To a directory, whose entries are listed.
            Kind::Link if !itself && facts.permissions.list => 212,
            _ => 213,
        };
        self.tell_lines(listing, code);
    }

    pub(crate) fn tell_lines(&mut self, listing: Listing, code: u16) {
        let job = Job::StatusLines(listing.path.clone(), code);
        self.perform(job, Operation::Lines(listing));
    }

    pub(crate) fn status_reply(
        path: &VirtualPath,
        code: u16,
        lines: Vec<String>,
        cut: bool,
    ) -> Reply {
        let end = if cut {
            "There is more, use LIST."
        } else {
            "End"
        };
        Reply::lines(code, format!("Status of {}:", shown(path)), lines, end)
    }

    pub(crate) fn avbl(&mut self, path: &[u8]) {
        if let Some(path) = self.resolve(path) {
            self.perform(Job::Available(path.clone()), Operation::Space(path));
        }
    }

    pub(crate) fn space(&mut self, path: &[u8]) {
        if let Some(path) = self.resolve(path) {
            self.perform(Job::Space(path.clone()), Operation::Space(path));
        }
    }

    pub(crate) fn space_reply(path: &VirtualPath, space: Space) -> Reply {
        let Space { total, available } = space;
        let path = shown(path);
        let text = format!("{available} of {total} bytes are free on the file system of {path}.");
        Reply::new(200, text)
    }
}

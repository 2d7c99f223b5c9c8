//! RETR, STOR, APPE, STOU, LIST, NLST and MLSD: what each asks the storage for.

use crate::{
    parse::list_arguments,
    protocol::{Protocol, operation::Job, state::Position},
    reply::Reply,
    request::{ListForm, Listing, Operation, Transfer, UploadStart},
};

impl Protocol {
    /// Takes what REST or RANG has set. TYPE A may have come after it, and positions in converted
    /// text mean nothing (RFC 3659, section 5.2): that is a reply.
    fn take_position(&mut self) -> Option<Position> {
        let position = std::mem::take(&mut self.parameters.position);
        if self.converts() && position != Position::default() {
            self.reply(Reply::new(504, "REST and RANG need TYPE I."));
            return None;
        }
        Some(position)
    }

    pub(crate) fn retr(&mut self, path: &[u8]) {
        let Some(position) = self.take_position() else {
            return;
        };
        if let Some(path) = self.resolve(path) {
            self.prepare(Transfer::Download {
                path,
                start: position.start,
                end: position.end,
                ascii: self.converts(),
            });
        }
    }

    pub(crate) fn stor(&mut self, path: &[u8]) {
        let Some(position) = self.take_position() else {
            return;
        };
        if position.end.is_some() {
            self.reply(Reply::new(503, "RANG is for RETR and HASH; use REST."));
            return;
        }
        let start = match position.start {
            0 => UploadStart::Replace,
            start => UploadStart::At(start),
        };
        self.upload(path, start);
    }

    /// Its place is the end of the file, whatever REST has said.
    pub(crate) fn appe(&mut self, path: &[u8]) {
        self.parameters.position = Position::default();
        self.upload(path, UploadStart::End);
    }

    /// Some clients suggest a name.
    pub(crate) fn stou(&mut self, path: &[u8]) {
        // The file is new: there is no position in it.
        self.parameters.position = Position::default();
        let start = match self.resolve(path) {
            Some(_) if path.is_empty() => UploadStart::Unique,
            Some(path) if path.is_root() => UploadStart::Unique,
            Some(_) => UploadStart::Suggested,
            None => return,
        };
        self.upload(path, start);
    }

    fn upload(&mut self, path: &[u8], start: UploadStart) {
        let expected = self.parameters.expected.take();
        if let Some(path) = self.resolve(path) {
            self.prepare(Transfer::Upload {
                path,
                start,
                expected,
                ascii: self.converts(),
            });
        }
    }

    pub(crate) fn mlsd(&mut self, path: &[u8]) {
        let form = ListForm::Machine(self.parameters.facts);
        if let Some(resolved) = self.resolve(path) {
            self.prepare(Transfer::List(Listing {
                path: resolved,
                named: path.to_vec(),
                pattern: None,
                form,
            }));
        }
    }

    /// LIST and NLST. A name with the letters of a glob may still be a name: that is looked up
    /// first.
    pub(crate) fn list(&mut self, form: ListForm, path: &[u8]) {
        let Some((name, pattern)) = self.listing(form, path) else {
            return;
        };
        match pattern {
            Some(pattern) => self.look_for_glob(name, pattern, true),
            None => self.prepare(Transfer::List(name)),
        }
    }

    /// The listing of a name and, if it may be a glob, of what matches.
    pub(crate) fn listing(
        &mut self,
        form: ListForm,
        path: &[u8],
    ) -> Option<(Listing, Option<Listing>)> {
        let name = Listing {
            path: self.resolve(path)?,
            named: path.to_vec(),
            pattern: None,
            form,
        };
        if !list_arguments::has_glob(path) {
            return Some((name, None));
        }
        let (directory, pattern) = list_arguments::split_glob(path);
        let pattern = Listing {
            path: self.resolve(directory)?,
            named: directory.to_vec(),
            pattern: Some(pattern.to_vec()),
            form,
        };
        Some((name, Some(pattern)))
    }

    pub(crate) fn look_for_glob(&mut self, name: Listing, pattern: Listing, transfer: bool) {
        let operation = Operation::Entry(name.path.clone());
        let job = Job::Glob {
            name,
            pattern,
            transfer,
        };
        self.perform(job, operation);
    }
}

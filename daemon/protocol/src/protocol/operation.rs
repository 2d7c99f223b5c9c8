//! What is answered on the control connection: an operation of the storage, and then the reply.

use super::{
    Protocol,
    interface::Action,
    state::{Progress, State},
};
use crate::{
    parse::{command::DigestReply, symbolic_mode::SymbolicMode},
    reply::Reply,
    request::{
        Algorithm, Failure, Kind, Listing, Operation, Outcome, PathFailure, PathRole, Transfer,
    },
    virtual_path::VirtualPath,
};

/// An operation that is under way.
#[derive(Debug)]
pub(crate) struct Performing {
    /// What it is for.
    pub(crate) job: Job,
    /// Copies and digests take their time; they have the deadline of a transfer.
    pub(crate) progress: Option<Progress>,
    /// It has been told to end.
    pub(crate) cancelled: bool,
}

/// What an operation is for.
#[derive(Debug)]
pub(crate) enum Job {
    /// A reply that does not depend on the outcome.
    Simple(VirtualPath, Reply),
    /// RNTO and SITE CPTO, with the path of RNFR or SITE CPFR before the new one.
    TwoPaths(VirtualPath, VirtualPath, Reply),
    /// CWD and CDUP.
    Directory(VirtualPath),
    /// CWD to `~` or below: looks for such a name, and else takes it below the root.
    Home(VirtualPath, VirtualPath),
    /// SITE CHMOD with a symbolic mode: looks for the bits that it changes.
    ModeChange(VirtualPath, SymbolicMode),
    /// RNFR.
    RenameFrom(VirtualPath),
    /// SITE CPFR.
    CopyFrom(VirtualPath),
    /// SIZE.
    Size(VirtualPath),
    /// MDTM.
    Modified(VirtualPath),
    /// MLST.
    Facts(VirtualPath),
    /// STAT with a path: looks what it is.
    Status(Listing),
    /// STAT with a path: lists, with the code for what it is.
    StatusLines(VirtualPath, u16),
    /// MFF: sets the time, and then the permission bits.
    TimeAndMode(VirtualPath, u32, Reply),
    /// MFF: the permission bits, when the time has been set.
    ModeAfterTime(VirtualPath, Reply),
    /// HASH, XCRC and their like.
    Digest(VirtualPath, Algorithm, DigestReply),
    /// AVBL.
    Available(VirtualPath),
    /// SITE DF.
    Space(VirtualPath),
    /// LIST, NLST and STAT with a glob: looks whether it is a name after all.
    Glob {
        /// The listing of the name.
        name: Listing,
        /// The listing of what matches.
        pattern: Listing,
        /// Whether it goes over a data connection.
        transfer: bool,
    },
}

impl Job {
    /// The path that a failure is about.
    fn path(&self, role: PathRole) -> &VirtualPath {
        match self {
            Self::TwoPaths(from, _, _) if role == PathRole::Source => from,
            Self::TwoPaths(_, path, _)
            | Self::Simple(path, _)
            | Self::Directory(path)
            | Self::Home(path, _)
            | Self::ModeChange(path, _)
            | Self::RenameFrom(path)
            | Self::CopyFrom(path)
            | Self::Size(path)
            | Self::Modified(path)
            | Self::Facts(path)
            | Self::StatusLines(path, _)
            | Self::TimeAndMode(path, ..)
            | Self::ModeAfterTime(path, _)
            | Self::Digest(path, ..)
            | Self::Available(path)
            | Self::Space(path) => path,
            Self::Status(listing) => &listing.path,
            Self::Glob { name, .. } => &name.path,
        }
    }
}

impl Protocol {
    /// Has the storage do something, for a reply.
    pub(crate) fn perform(&mut self, job: Job, operation: Operation) {
        let long = matches!(operation, Operation::Copy { .. } | Operation::Digest { .. });
        let progress = long.then(|| Progress::new(self.now));
        self.act(Action::Perform(operation));
        self.enter(State::Performing(Performing {
            job,
            progress,
            cancelled: false,
        }));
    }

    /// Goes on with what the storage has found.
    pub(crate) fn performed(&mut self, job: Job, outcome: Result<Outcome, PathFailure>) {
        self.state = State::Ready;
        self.since = self.now;
        match outcome {
            Ok(outcome) => self.job_done(job, outcome),
            Err(failure) => self.job_failed(job, failure),
        }
    }

    fn job_failed(&mut self, job: Job, PathFailure { failure, role }: PathFailure) {
        match job {
            Job::Glob {
                pattern, transfer, ..
            } if failure != Failure::Cancelled => self.list_or_tell(pattern, transfer),
            Job::Home(_, path) if failure == Failure::NotFound => {
                self.perform(Job::Directory(path.clone()), Operation::Facts(path));
            }
            Job::ModeAfterTime(path, _) => {
                let text = format!("The time is set, the mode is not: {failure}.");
                let reply = Reply::failure_of(&path, failure);
                self.note_failure(&path, &reply, failure);
                self.reply(reply.with_text(text));
            }
            job => {
                let path = job.path(role);
                let reply = Reply::failure_of(path, failure);
                self.note_failure(path, &reply, failure);
                self.reply(reply);
            }
        }
    }

    fn job_done(&mut self, job: Job, outcome: Outcome) {
        let reply = match (job, outcome) {
            (
                Job::Simple(_, reply) | Job::TwoPaths(.., reply) | Job::ModeAfterTime(_, reply),
                _,
            ) => reply,
            (Job::Directory(path) | Job::Home(path, _), Outcome::Facts(facts)) => {
                self.directory_found(path, &facts)
            }
            (Job::ModeChange(path, change), Outcome::Facts(facts)) => {
                let mode = change.apply(facts.mode, facts.kind == Kind::Directory);
                self.set_mode(path, mode);
                return;
            }
            (Job::RenameFrom(path), Outcome::Facts(_)) => {
                self.parameters.rename_from = Some(path);
                Reply::new(350, "Send the new name with RNTO.")
            }
            (Job::CopyFrom(path), Outcome::Facts(facts)) => self.copy_source_found(path, &facts),
            (Job::Size(path), Outcome::Facts(facts)) => Self::size_reply(&path, &facts),
            (Job::Modified(path), Outcome::Facts(facts)) => Self::modified_reply(&path, &facts),
            (Job::Facts(path), Outcome::Facts(facts)) => self.facts_reply(&path, &facts),
            (Job::Status(listing), Outcome::Facts(facts)) => {
                self.tell_status(listing, &facts);
                return;
            }
            (Job::StatusLines(path, code), Outcome::Lines { lines, cut }) => {
                Self::status_reply(&path, code, lines, cut)
            }
            (Job::TimeAndMode(path, mode, reply), _) => {
                let operation = Operation::SetMode {
                    path: path.clone(),
                    mode,
                };
                self.perform(Job::ModeAfterTime(path, reply), operation);
                return;
            }
            (Job::Digest(path, algorithm, form), Outcome::Digest { hex, start, end }) => {
                Self::digest_reply(&path, algorithm, form, &hex, start, end)
            }
            (Job::Available(_), Outcome::Space(space)) => {
                Reply::new(213, space.available.to_string())
            }
            (Job::Space(path), Outcome::Space(space)) => Self::space_reply(&path, space),
            (Job::Glob { name, transfer, .. }, Outcome::Facts(_)) => {
                self.list_or_tell(name, transfer);
                return;
            }
            (job, _) => Reply::failure_of(job.path(PathRole::Target), Failure::Internal),
        };
        self.reply(reply);
    }

    /// Sends a listing over a data connection, or tells it in a reply.
    fn list_or_tell(&mut self, listing: Listing, transfer: bool) {
        if transfer {
            self.prepare(Transfer::List(listing));
        } else if listing.pattern.is_some() {
            self.tell_lines(listing, 212);
        } else {
            self.look_for_status(listing);
        }
    }

    /// Ends what is under way because the client wants it. What it is says so in its reply; ABOR
    /// has its own behind it.
    pub(crate) fn abort(&mut self) {
        if let State::Performing(performing) = &mut self.state {
            if !performing.cancelled {
                performing.cancelled = true;
                self.since = self.now;
                self.act(Action::Cancel);
            }
        } else {
            self.abort_transfer();
        }
    }

    /// An operation does not end although it has been told to.
    pub(crate) fn operation_stuck(&mut self) {
        self.abandon();
        self.finish(Reply::failure(Failure::Cancelled));
    }
}

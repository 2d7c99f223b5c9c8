//! Answers the calls at which the filters stop a process, with ptrace.
//!
//! A process that is traced with its children cannot escape: they begin as tracees, and all die
//! with the supervisor.

use std::{collections::HashSet, thread, time::Duration};

use anyhow::{Context as _, Result, bail};
use nix::{
    errno::Errno,
    libc::{PTRACE_EVENT_EXEC, PTRACE_EVENT_SECCOMP},
    sys::{
        ptrace::{self, Options},
        signal::Signal,
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};
use syscalls::Sysno;

use super::{
    faults::{End, Faults, Present},
    policy::{Policy, Rule},
    report::{Finding, Report},
    table::Answer,
    tracee::Tracee,
};

/// How often to look whether a call that is held may go on.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What a shell reports for a program that was ended by signal number 0.
const SIGNALLED: i32 = 128;

/// Watches over a command and everything that it starts.
pub(super) struct Supervisor<'p> {
    policy: &'p Policy,
    main: Pid,
    faults: Option<Faults>,
    /// Threads in a call that does not come back for now.
    held: Vec<Pid>,
    /// Threads and processes whose first stop has been seen.
    known: HashSet<Pid>,
    /// The command runs; before, it is still our own program that prepares itself.
    started: bool,
    /// Calls so far of which some are interrupted.
    seventh: u64,
    report: Report,
    status: Option<i32>,
}

/// How it ended.
pub(super) struct Ended {
    /// The exit code of the command, or 128 and the number of the signal that ended it.
    pub(super) status: i32,
    pub(super) report: Report,
    /// Whether the command itself was ever executed.
    pub(super) started: bool,
}

impl<'p> Supervisor<'p> {
    /// For a child of this thread that has asked to be traced and has stopped, or is about to.
    pub(super) fn new(policy: &'p Policy, main: Pid, faults: Option<Faults>) -> Self {
        Self {
            policy,
            main,
            faults,
            held: Vec::new(),
            known: HashSet::from([main]),
            started: false,
            seventh: 0,
            report: Report::default(),
            status: None,
        }
    }

    /// Works until the command and all that it has started have ended.
    ///
    /// # Errors
    /// If the kernel does not let this process trace its child.
    pub(super) fn run(mut self) -> Result<Ended> {
        match waitpid(self.main, Some(WaitPidFlag::__WALL))? {
            WaitStatus::Stopped(_, Signal::SIGSTOP) => {}
            WaitStatus::Exited(_, status) => {
                return Ok(Ended {
                    status,
                    report: self.report,
                    started: false,
                });
            }
            other => bail!("the command did not stop to be watched: {other:?}"),
        }
        let options = Options::PTRACE_O_TRACESECCOMP
            | Options::PTRACE_O_TRACEEXEC
            | Options::PTRACE_O_TRACECLONE
            | Options::PTRACE_O_TRACEFORK
            | Options::PTRACE_O_TRACEVFORK
            | Options::PTRACE_O_EXITKILL;
        ptrace::setoptions(self.main, options).context("the kernel refuses to trace")?;
        ptrace::cont(self.main, None)?;
        loop {
            let mut flags = WaitPidFlag::__WALL;
            if !self.held.is_empty() {
                self.release()?;
                flags |= WaitPidFlag::WNOHANG;
            }
            match waitpid(None, Some(flags)) {
                Ok(WaitStatus::StillAlive) => thread::sleep(LOOK_EVERY),
                Ok(event) => self.handle(event)?,
                Err(Errno::EINTR) => {}
                Err(Errno::ECHILD) => break,
                Err(error) => return Err(error).context("waiting for the command"),
            }
        }
        Ok(Ended {
            status: self.status.context("the command vanished")?,
            report: self.report,
            started: self.started,
        })
    }

    /// Lets go on what was held, unless something still hangs.
    fn release(&mut self) -> Result<()> {
        let faults = self.faults.as_ref().map(Faults::present).transpose()?;
        if faults.is_some_and(|faults| faults.hangs()) {
            return Ok(());
        }
        for pid in self.held.drain(..) {
            match ptrace::cont(pid, None) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(error) => return Err(error).context("letting a system call go on"),
            }
        }
        Ok(())
    }

    fn handle(&mut self, event: WaitStatus) -> Result<()> {
        let done = match event {
            WaitStatus::Exited(pid, status) => {
                self.ended(pid, status);
                return Ok(());
            }
            WaitStatus::Signaled(pid, signal, _) => {
                self.ended(pid, SIGNALLED + signal as i32);
                return Ok(());
            }
            WaitStatus::PtraceEvent(pid, _, PTRACE_EVENT_SECCOMP) => {
                let faults = self.faults.as_ref().map(Faults::present).transpose()?;
                let answered = self.answer(pid, &faults.unwrap_or_default());
                answered.and_then(|()| match self.held.last() {
                    Some(held) if *held == pid => Ok(()),
                    _ => ptrace::cont(pid, None),
                })
            }
            WaitStatus::PtraceEvent(pid, _, PTRACE_EVENT_EXEC) => {
                self.started = true;
                Tracee::new(pid)
                    .and_then(|tracee| tracee.hide_vdso())
                    .and_then(|()| ptrace::cont(pid, None))
            }
            WaitStatus::PtraceEvent(pid, ..) => ptrace::cont(pid, None),
            // Every tracee begins with this stop, which is none of its signals.
            WaitStatus::Stopped(pid, Signal::SIGSTOP) if self.known.insert(pid) => {
                ptrace::cont(pid, None)
            }
            WaitStatus::Stopped(pid, signal) => ptrace::cont(pid, signal),
            WaitStatus::PtraceSyscall(_) | WaitStatus::Continued(_) | WaitStatus::StillAlive => {
                Ok(())
            }
        };
        match done {
            // Killed meanwhile; its end is another event.
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(error) => Err(error).context("answering a system call"),
        }
    }

    fn ended(&mut self, pid: Pid, status: i32) {
        self.known.remove(&pid);
        self.held.retain(|held| *held != pid);
        if pid == self.main {
            self.status = Some(status);
        }
    }

    fn answer(&mut self, pid: Pid, faults: &Present) -> nix::Result<()> {
        if !self.started {
            return Ok(());
        }
        let tracee = Tracee::new(pid)?;
        let Some(call) = tracee.call() else {
            self.report
                .add(unlisted(format!("call {}", tracee.number())));
            return tracee.refuse(Errno::ENOSYS);
        };
        let policy = self.policy;
        let Some(plain) = policy.plain(call) else {
            self.report.add(unlisted(call.name().to_owned()));
            return tracee.refuse(Errno::ENOSYS);
        };
        // A call that is missing has no flags.
        if let Answer::Refuse(errno) = plain.answer {
            self.report.add(finding(call, plain));
            return tracee.refuse(errno);
        }
        if plain.row.unwanted.is_some() {
            self.report.add(finding(call, plain));
        }
        let rules: Vec<_> = policy
            .flagged(call)
            .filter(|rule| applies(rule, &tracee))
            .collect();
        if rules.iter().any(|rule| rule.interrupts()) {
            self.seventh += 1;
        }
        for rule in rules {
            if rule.interrupts() && !self.seventh.is_multiple_of(7) {
                continue;
            }
            match rule.answer {
                Answer::Refuse(errno) => {
                    self.report.add(finding(call, rule));
                    return tracee.refuse(errno);
                }
                Answer::Allow if rule.emulated() => return tracee.name_the_kernel(),
                Answer::Allow if rule.row.unwanted.is_some() => {
                    self.report.add(finding(call, rule));
                }
                Answer::Allow => {}
            }
        }
        match faults.of(call, || tracee.is_on_directory()) {
            Some(End::Error(errno)) => return tracee.refuse(errno),
            Some(End::Hang) => {
                self.held.push(pid);
                return Ok(());
            }
            None => {}
        }
        if faults.shift != 0 && call == Sysno::clock_gettime {
            return tracee.tell_wrong_time(faults.shift);
        }
        Ok(())
    }
}

fn applies(rule: &Rule, tracee: &Tracee) -> bool {
    let row = &rule.row;
    let meets = |condition| tracee.meets(condition);
    let shows = |inspection| rule.interrupts() || tracee.shows(inspection);
    row.conditions.iter().all(meets) && row.inspection.is_none_or(shows)
}

fn unlisted(call: String) -> Finding {
    Finding {
        call,
        answer: format!("{:?}", Errno::ENOSYS),
        listed: false,
        unwanted: None,
    }
}

fn finding(call: Sysno, rule: &Rule) -> Finding {
    let flag = rule.row.flag.as_ref();
    Finding {
        call: flag.map_or_else(|| call.name().to_owned(), |flag| format!("{call} ({flag})")),
        answer: rule.answer.to_string(),
        listed: true,
        unwanted: rule.row.unwanted.clone(),
    }
}

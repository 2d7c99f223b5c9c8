//! A process that has stopped at a system call: its registers, memory and descriptors.

use std::{
    fs,
    io::{IoSlice, IoSliceMut},
    os::unix::ffi::OsStrExt as _,
};

use nix::{
    errno::Errno,
    libc::user_regs_struct,
    sys::{
        ptrace,
        uio::{RemoteIoVec, process_vm_readv, process_vm_writev},
    },
    time::{ClockId, clock_gettime},
    unistd::Pid,
};
use syscalls::Sysno;

use super::table::{Condition, Inspection};

/// Entries of an array for poll(2) that are looked at.
const MOST_ENTRIES: usize = 4096;
/// POLLRDHUP, and EPOLLRDHUP as well.
const RDHUP: u16 = 0x2000;
/// Clocks of the day.
const REALTIME: u64 = 0;
const REALTIME_COARSE: u64 = 5;
/// In the vector that the kernel gives to a program: where the vDSO is, and an entry without
/// meaning.
const AT_SYSINFO_EHDR: u64 = 33;
const AT_IGNORE: u64 = 1;
/// Words of a program's first stack that are searched for that vector.
const MOST_WORDS: u64 = 64 * 1024;

/// A stopped process. Each method fails with ESRCH when it has been killed meanwhile.
pub(super) struct Tracee {
    pid: Pid,
    registers: user_regs_struct,
}

impl Tracee {
    pub(super) fn new(pid: Pid) -> nix::Result<Self> {
        let registers = ptrace::getregs(pid)?;
        Ok(Self { pid, registers })
    }

    /// The number of the call that it wants to make.
    pub(super) fn number(&self) -> u64 {
        self.registers.orig_rax
    }

    /// The call, if it has a name.
    pub(super) fn call(&self) -> Option<Sysno> {
        Sysno::new(usize::try_from(self.number()).ok()?)
    }

    /// An argument of the call, from 0 on.
    fn argument(&self, index: u8) -> u64 {
        let r = &self.registers;
        match index {
            0 => r.rdi,
            1 => r.rsi,
            2 => r.rdx,
            3 => r.r10,
            4 => r.r8,
            _ => r.r9,
        }
    }

    pub(super) fn meets(&self, condition: &Condition) -> bool {
        let low = self.argument(condition.argument) & u64::from(u32::MAX);
        low & u64::from(condition.mask) == u64::from(condition.is)
    }

    /// Whether what a filter cannot see is so. [`Inspection::EverySeventh`] is not about a process.
    pub(super) fn shows(&self, inspection: Inspection) -> bool {
        match inspection {
            Inspection::EpollRdhup => {
                let event = self.read(self.argument(3), 4);
                event.is_some_and(|event| asks_for_rdhup(&event))
            }
            Inspection::KernelFiles => self.names_kernel_files(),
            Inspection::PollRdhup => self.polls_for_rdhup(),
            Inspection::NotASocket => !self.descriptor().starts_with("socket:"),
            Inspection::RandomDevice => {
                let target = self.descriptor();
                target.ends_with("/dev/random") || target.ends_with("/dev/urandom")
            }
            Inspection::Uname => true,
            Inspection::EverySeventh => false,
        }
    }

    /// The path is the second argument of calls that have a directory as the first.
    fn names_kernel_files(&self) -> bool {
        let place = u8::from(self.call() == Some(Sysno::openat));
        let path = self.read(self.argument(place), 6).unwrap_or_default();
        let names = path.strip_prefix(b"/");
        let first = names.and_then(|names| names.split(|byte| matches!(byte, 0 | b'/')).next());
        matches!(first, Some(b"proc" | b"sys"))
    }

    /// `struct pollfd` is a descriptor of four bytes and two bytes for what is asked for.
    fn polls_for_rdhup(&self) -> bool {
        let entries = usize::try_from(self.argument(1)).unwrap_or(MOST_ENTRIES);
        let array = self.read(self.argument(0), entries.min(MOST_ENTRIES) * 8);
        let array = array.unwrap_or_default();
        array
            .chunks_exact(8)
            .any(|entry| asks_for_rdhup(&entry[4..]))
    }

    /// What the descriptor of argument 0 leads to.
    fn descriptor(&self) -> String {
        let number = self.argument(0) & u64::from(u32::MAX);
        let link = fs::read_link(format!("/proc/{}/fd/{number}", self.pid));
        link.map_or_else(
            |_| String::new(),
            |path| String::from_utf8_lossy(path.as_os_str().as_bytes()).into_owned(),
        )
    }

    /// Whether the descriptor of argument 0 is that of a directory.
    pub(super) fn is_on_directory(&self) -> bool {
        let number = self.argument(0) & u64::from(u32::MAX);
        let found = fs::metadata(format!("/proc/{}/fd/{number}", self.pid));
        found.is_ok_and(|found| found.is_dir())
    }

    /// Makes the call fail without being made.
    pub(super) fn refuse(mut self, errno: Errno) -> nix::Result<()> {
        self.skip(i64::from(errno as i32).wrapping_neg().cast_unsigned())
    }

    /// Answers uname(2) as a host would.
    pub(super) fn name_the_kernel(mut self) -> nix::Result<()> {
        const FIELD: usize = 65;
        let mut answer = [0; 6 * FIELD];
        let fields = [
            "VMkernel",
            "localhost",
            "0.0.0",
            "#1 SMP Simulated",
            "x86_64",
            "",
        ];
        for (field, text) in answer.chunks_exact_mut(FIELD).zip(fields) {
            field[..text.len()].copy_from_slice(text.as_bytes());
        }
        let remote = remote(self.argument(0), answer.len()).ok_or(Errno::EFAULT)?;
        match process_vm_writev(self.pid, &[IoSlice::new(&answer)], &[remote]) {
            Ok(_) => self.skip(0),
            Err(Errno::EFAULT) => self.refuse(Errno::EFAULT),
            Err(error) => Err(error),
        }
    }

    /// Answers `clock_gettime(2)` with a clock of the day that is so many seconds fast. Clocks that
    /// nobody can set are right.
    pub(super) fn tell_wrong_time(mut self, shift: i64) -> nix::Result<()> {
        if !matches!(self.argument(0), REALTIME | REALTIME_COARSE) {
            return Ok(());
        }
        let now = clock_gettime(ClockId::CLOCK_REALTIME)?;
        let answer = [now.tv_sec() + shift, now.tv_nsec()].map(i64::to_ne_bytes);
        let answer = answer.as_flattened();
        let remote = remote(self.argument(1), answer.len()).ok_or(Errno::EFAULT)?;
        match process_vm_writev(self.pid, &[IoSlice::new(answer)], &[remote]) {
            Ok(_) => self.skip(0),
            Err(Errno::EFAULT) => self.refuse(Errno::EFAULT),
            Err(error) => Err(error),
        }
    }

    /// There is no call with the number -1: the kernel goes on with the result that is in place.
    fn skip(&mut self, result: u64) -> nix::Result<()> {
        self.registers.orig_rax = u64::MAX;
        self.registers.rax = result;
        ptrace::setregs(self.pid, self.registers)
    }

    /// Takes the vDSO away from a program that is about to start, so that it asks the kernel for
    /// the time as it would have to on a host.
    pub(super) fn hide_vdso(&self) -> nix::Result<()> {
        // The stack: the number of arguments, the arguments, 0, the environment, 0, the vector.
        let mut address = self.registers.rsp;
        let end = address + 8 * MOST_WORDS;
        let arguments = self.word(address)?;
        address += 8 * (arguments + 2);
        while self.word(address)? != 0 && address < end {
            address += 8;
        }
        address += 8;
        while address < end {
            match self.word(address)? {
                0 => break,
                AT_SYSINFO_EHDR => {
                    let place = address as ptrace::AddressType;
                    ptrace::write(self.pid, place, AT_IGNORE.cast_signed())?;
                }
                _ => {}
            }
            address += 16;
        }
        Ok(())
    }

    fn word(&self, address: u64) -> nix::Result<u64> {
        let word = ptrace::read(self.pid, address as ptrace::AddressType)?;
        Ok(word.cast_unsigned())
    }

    fn read(&self, address: u64, len: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; len];
        let remote = remote(address, len)?;
        let read = process_vm_readv(self.pid, &mut [IoSliceMut::new(&mut bytes)], &[remote]);
        (read.ok()? == len).then_some(bytes)
    }
}

fn remote(address: u64, len: usize) -> Option<RemoteIoVec> {
    let base = usize::try_from(address).ok()?;
    Some(RemoteIoVec { base, len })
}

fn asks_for_rdhup(events: &[u8]) -> bool {
    let events = events.first_chunk::<2>().copied().unwrap_or_default();
    u16::from_le_bytes(events) & RDHUP != 0
}

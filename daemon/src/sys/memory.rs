//! Memory when the host gives no more.
//!
//! Rust ends the process when an allocation fails, and most allocations are made by libraries. So a
//! reserve is kept: when the host gives no memory, the reserve is given back to it, the allocation
//! is tried once more, and whoever made it learns of it by [`take_shortage`]. Nothing new is begun
//! until the reserve is there again.
#![expect(
    unsafe_code,
    reason = "an allocator is unsafe to write, and a map of memory is a raw call"
)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    io, ptr,
    sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering},
};

use nix::libc;
use parking_lot::Mutex;

/// What is kept back.
const RESERVE_BYTES: usize = 8 << 20;

/// The largest allocation that is made from the reserve. Whoever needs more has to ask before.
const MOST_BYTES: usize = RESERVE_BYTES / 2;

/// What is not made without a question whether the host has as much.
const LARGE_BYTES: usize = 1 << 20;

/// What must be free beside the reserve before anything new is begun after a shortage.
const HEADROOM_BYTES: usize = 4 << 20;

/// What a thread needs beside its stack to begin with, some of it to spare.
const THREAD_BYTES: usize = 1 << 20;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// The system's allocator, with the reserve.
struct Allocator;

static RESERVE: Reserve = Reserve::new();

/// Memory that is kept back.
struct Reserve {
    map: AtomicPtr<libc::c_void>,
    /// Whether it had to be given back.
    short: AtomicBool,
}

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Threads that have been started and have not begun.
static BEGINNING: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static SHORT_HERE: Cell<bool> = const { Cell::new(false) };
}

// SAFETY: all memory is the system allocator's, which keeps to the rules; what is done beside it does
// not allocate by this one: a thread-local value without a destructor needs no memory.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps to the rules of the same call.
        RESERVE.retried(layout.size(), || unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        RESERVE.retried(layout.size(), || unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above; the memory is the system allocator's.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above; where it fails, it leaves the memory as it was.
        RESERVE.retried(size, || unsafe { System.realloc(memory, layout, size) })
    }
}

/// Whether this thread had an allocation made from the reserve since this was asked last.
pub(crate) fn take_shortage() -> bool {
    SHORT_HERE.replace(false)
}

/// Whether memory is short: nothing new should be begun.
pub(crate) fn is_short() -> bool {
    RESERVE.short.load(Ordering::Relaxed)
}

/// Sets the reserve aside, at the start and after a shortage; false if memory is still short.
pub(crate) fn keep_reserve() -> bool {
    RESERVE.keep()
}

/// Zeros, if the host has memory for them beside the reserve. Large ones are the kernel's: they are
/// not touched.
#[expect(
    clippy::same_length_and_capacity,
    reason = "all of the allocation is filled"
)]
pub(crate) fn zeroed(length: usize) -> Option<Vec<u8>> {
    let layout = Layout::array::<u8>(length).ok()?;
    if length == 0 {
        return None;
    }
    // SAFETY: the layout is not empty.
    let bytes = with_room(length, || unsafe { System.alloc_zeroed(layout) })?;
    // SAFETY: so many bytes, all of them zero, of the allocator that gives those of a `Vec` back.
    (!bytes.is_null()).then(|| unsafe { Vec::from_raw_parts(bytes, length, length) })
}

/// Gives a vector room for `capacity` items in all, if the host has memory for them. Large room is
/// asked for beside the reserve, so that nothing else runs short.
pub(crate) fn make_room<T>(items: &mut Vec<T>, capacity: usize) -> bool {
    let more = capacity.saturating_sub(items.len());
    let bytes = capacity.saturating_mul(size_of::<T>());
    let mut reserve = || items.try_reserve_exact(more).is_ok();
    if bytes < LARGE_BYTES {
        return reserve();
    }
    with_room(bytes, reserve) == Some(true)
}

/// Starts a thread with a stack of this size, if there is memory for it and for what the thread
/// begins with: std ends the process if a new thread gets no memory for its signals. The thread has
/// to call [`thread_has_begun`] first.
///
/// # Errors
/// `OutOfMemory`, or why there is no thread.
pub(crate) fn start_thread<T>(
    stack: usize,
    start: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    let started = with_room(stack, || {
        BEGINNING.fetch_add(1, Ordering::Relaxed);
        start().inspect_err(|_error| thread_has_begun())
    });
    started.unwrap_or_else(|| Err(io::ErrorKind::OutOfMemory.into()))
}

/// This thread has everything that it begins with.
pub(crate) fn thread_has_begun() {
    BEGINNING.fetch_sub(1, Ordering::Relaxed);
}

/// Allocates if the host has this much, the reserve, and what the threads need that begin just now.
fn with_room<T>(bytes: usize, allocate: impl FnOnce() -> T) -> Option<T> {
    // Between the question and the allocation, no other one takes what there is.
    let _alone = ONE_AT_A_TIME.lock();
    let beginning = BEGINNING.load(Ordering::Relaxed) + 1;
    let all = bytes.saturating_add(beginning.saturating_mul(THREAD_BYTES));
    (!is_short() && is_available(all)).then(allocate)
}

/// Whether the host would give this much now.
pub(crate) fn is_available(bytes: usize) -> bool {
    let map = map(bytes);
    map.inspect(|map| unmap(*map, bytes)).is_some()
}

impl Reserve {
    const fn new() -> Self {
        Self {
            map: AtomicPtr::new(ptr::null_mut()),
            short: AtomicBool::new(false),
        }
    }

    /// Allocates, and once more with the reserve if the host gives nothing.
    fn retried(&self, size: usize, allocate: impl Fn() -> *mut u8) -> *mut u8 {
        let memory = allocate();
        if !memory.is_null() || size > MOST_BYTES {
            return memory;
        }
        self.short.store(true, Ordering::Relaxed);
        SHORT_HERE.set(true);
        let reserve = self.map.swap(ptr::null_mut(), Ordering::Relaxed);
        if !reserve.is_null() {
            unmap(reserve, RESERVE_BYTES);
        }
        allocate()
    }

    fn keep(&self) -> bool {
        if !self.map.load(Ordering::Relaxed).is_null() {
            return true;
        }
        let Some(reserve) = map(RESERVE_BYTES) else {
            return false;
        };
        if !is_available(HEADROOM_BYTES) {
            unmap(reserve, RESERVE_BYTES);
            return false;
        }
        let before = self.map.swap(reserve, Ordering::Relaxed);
        if !before.is_null() {
            unmap(before, RESERVE_BYTES);
        }
        self.short.store(false, Ordering::Relaxed);
        true
    }
}

/// Memory that nobody touches: it takes addresses, and none of the host's memory.
fn map(bytes: usize) -> Option<*mut libc::c_void> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new map at an address that the kernel chooses.
    let map = unsafe { libc::mmap(ptr::null_mut(), bytes.max(1), protection, flags, -1, 0) };
    (map != libc::MAP_FAILED).then_some(map)
}

fn unmap(map: *mut libc::c_void, bytes: usize) {
    // SAFETY: the map was made by `map` with this length, and nobody refers to it.
    let _unmapped = unsafe { libc::munmap(map, bytes.max(1)) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allocation_that_fails_is_made_from_the_reserve_and_the_thread_learns_of_it() {
        let reserve = Reserve::new();
        let is_short = || reserve.short.load(Ordering::Relaxed);
        assert!(reserve.keep());
        assert!(!take_shortage());
        let tries = Cell::new(0);
        let second = || {
            tries.set(tries.get() + 1);
            if tries.get() == 1 {
                return ptr::null_mut();
            }
            assert!(reserve.map.load(Ordering::Relaxed).is_null());
            ptr::dangling_mut()
        };
        assert!(!reserve.retried(1000, second).is_null());
        let elsewhere = std::thread::spawn(take_shortage).join().unwrap();
        assert!(!elsewhere, "it was not this thread");
        assert!(is_short() && take_shortage() && !take_shortage());
        assert!(reserve.keep() && !is_short());
        // What is too large for it leaves it alone.
        assert!(reserve.retried(MOST_BYTES + 1, ptr::null_mut).is_null());
        assert!(!is_short() && !take_shortage());
        unmap(reserve.map.load(Ordering::Relaxed), RESERVE_BYTES);
    }

    #[test]
    fn a_vector_gets_the_room_that_there_is() {
        let mut items = vec![1_u64, 2];
        for capacity in [10, 1 << 20] {
            assert!(make_room(&mut items, capacity));
            assert!(items.capacity() >= capacity && items == [1, 2]);
        }
        assert!(!make_room(&mut items, usize::MAX / 16));
        assert!(!make_room(&mut items, usize::MAX));
        assert!(!take_shortage(), "it was asked for before");
    }

    #[test]
    fn what_no_host_has_is_not_available() {
        assert!(is_available(1 << 20));
        assert!(!is_available(usize::MAX / 2));
    }
}

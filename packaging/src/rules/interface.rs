//! Interfaces that the host provides under names of their own, and since or until when (FORMAT.md
//! H7).

use super::Releases;

/// What packages with zstd inside demand.
const ZSTD: &str = "zstd-compression";
/// Interface of native drivers, with its version behind: `vmkapi_2_6_0_0`.
const VMKAPI: &str = "vmkapi_";
/// Interface of drivers ported from Linux: `com.vmware.driverAPI-9.2.2.0`.
const DRIVER_API: &str = "driverAPI-";

/// The releases that provide the interface of that name; `None` if it is none that is known.
///
/// Later releases are taken to go on with what one of 7.0 or later brought: when they stop is not
/// known.
pub fn releases(name: &str) -> Option<Releases> {
    if name == ZSTD {
        return Some(Releases::from(9, 0));
    }
    if name.contains(DRIVER_API) {
        return Some(Releases::up_to(6, 7));
    }
    let mut numbers = name.strip_prefix(VMKAPI)?.split('_');
    let mut number = || numbers.next()?.parse::<u8>().ok();
    Some(match (number()?, number()?) {
        (0 | 1, _) | (2, 0 | 1) => Releases::up_to(6, 5),
        (2, 2..=5) => Releases::up_to(6, 7),
        // 2_9 came with an update of 7.0, and 2_11 to 2_13 came with those of 8.0.
        (2, 6..=9) => Releases::from(7, 0),
        (2, _) => Releases::from(8, 0),
        (3, 0) => Releases::from(9, 0),
        // Of a host that is not known yet.
        _ => Releases::NONE,
    })
}

/// What to say of an interface of these releases.
pub fn of(provided: Releases) -> String {
    if provided.is_empty() {
        "an interface that no known release provides".to_owned()
    } else {
        format!("an interface of {provided}")
    }
}

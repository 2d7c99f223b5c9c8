//! How what is wrong with an image is said.

use crate::media::MediaError;
use crate::rules::{ISO, ISO_EDIT};

/// What to do with an image that cannot be edited in place.
pub(super) const REBUILD: &str = "rebuild it first: xorriso -indev OLD.iso -outdev NEW.iso \
                                  -boot_image any replay -rockridge off -joliet off \
                                  -compliance no_emul_toc -padding 0 -commit";

pub(super) fn damaged(part: impl Into<String>, problem: &str) -> MediaError {
    MediaError::one(
        ISO,
        part,
        problem,
        "fetch the image again, or take another one",
    )
}

pub(super) fn not_in_place(place: impl Into<String>, problem: &str) -> MediaError {
    MediaError::one(ISO_EDIT, place, problem, REBUILD)
}

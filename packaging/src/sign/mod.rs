//! Signatures of VIBs: `sig.pkcs7`, detached PKCS#7 over the exact bytes of `descriptor.xml`
//! (FORMAT.md S1 to S5).
//!
//! [`sign`] copies a VIB with another signature; [`Signer`] holds the key. Reading checks what a
//! signature says of itself, and against a [`Trust`] whom it comes from: see
//! [`inspect_trusting`](crate::inspect::inspect_trusting).

mod algorithm;
mod blocks;
mod check;
mod error;
mod fault;
mod signer;
mod trust;
mod vib;

pub use self::check::{SignatureCheck, SignedBy, check};
pub use self::error::SignError;
pub use self::fault::Fault;
pub use self::signer::Signer;
pub use self::trust::Trust;
pub use self::vib::{Signed, sign};

/// Label of the PEM block; hosts refuse `CMS` (FORMAT.md S3).
const LABEL: &str = "PKCS7";

//! Signatures of VIBs: `sig.pkcs7`, detached PKCS#7 over the exact bytes of `descriptor.xml`
//! (FORMAT.md S1 to S5).
//!
//! [`sign`] copies a VIB with another signature; [`Signer`] holds the key. Reading checks what a
//! signature says of itself, and against a [`Trust`] whom it comes from: see
//! [`inspect_trusting`](crate::inspect::inspect_trusting).
//!
//! All but the words for what was found is behind the feature `signatures`, because the
//! cryptography needs a C compiler. Without it a signature is reported as [`Fault::Unchecked`].

#[cfg(feature = "signatures")]
mod algorithm;
#[cfg(feature = "signatures")]
mod blocks;
#[cfg(feature = "signatures")]
mod check;
mod checked;
#[cfg(feature = "signatures")]
mod error;
mod fault;
#[cfg(feature = "signatures")]
mod signer;
#[cfg(feature = "signatures")]
mod trust;
#[cfg(feature = "signatures")]
mod vib;

#[cfg(feature = "signatures")]
pub use self::check::check;
pub use self::checked::{SignatureCheck, SignedBy};
#[cfg(feature = "signatures")]
pub use self::error::SignError;
pub use self::fault::Fault;
#[cfg(feature = "signatures")]
pub use self::signer::Signer;
#[cfg(feature = "signatures")]
pub use self::trust::Trust;
#[cfg(feature = "signatures")]
pub use self::vib::{Signed, sign};

/// Label of the PEM block; hosts refuse `CMS` (FORMAT.md S3).
#[cfg(feature = "signatures")]
const LABEL: &str = "PKCS7";

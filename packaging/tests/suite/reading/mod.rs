//! The reader and the verifier, on input that the crate's own writer had no part in: made by hand
//! or by the system's tools.

mod archives;
mod behind;
mod boot_bank;
mod bundles;
mod compared;
mod containers;
mod explained;
mod extraction;
pub(crate) mod fixture;
mod header_sums;
mod hostile;
mod judged_for;
mod metadata;
mod releases;
mod report;
mod starting;
mod tar_fields;
mod values;
mod verifying;
mod wellformed;

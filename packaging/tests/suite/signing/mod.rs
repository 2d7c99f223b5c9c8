//! Signatures, ours and those of the system's `openssl`.

mod bad_keys;
mod blocks;
mod both_ways;
mod copies;
mod pki;
mod refused;

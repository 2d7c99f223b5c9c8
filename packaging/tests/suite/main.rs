//! Independent checks of what the crate writes: by hand, by the system's tools and by another
//! reader, never by the crate's own code.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the crate is pure, its tests read golden files and ask the system's tools"
)]

#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod bundle;
#[cfg(test)]
mod corpora;
#[cfg(test)]
mod elf;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod format;
#[cfg(test)]
mod framing;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod headers;
#[cfg(test)]
mod hosts;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod media;
#[cfg(test)]
mod product;
#[cfg(test)]
mod reading;
#[cfg(test)]
mod reproducible;
#[cfg(test)]
mod several_payloads;
#[cfg(test)]
mod signing;
#[cfg(test)]
mod support;
#[cfg(test)]
mod system_tools;
#[cfg(test)]
mod version;

//! A world that decides about everything around the protocol.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ::protocol::fuzzing::play(data));

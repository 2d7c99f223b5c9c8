//! Bytes of a client, up to the lines.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| protocol::fuzzing::lines(data));

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| esxftpd_fuzz::commands(data));

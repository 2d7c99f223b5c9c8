#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| packaging_fuzz::bootcfg(data));

//! Bytes of `/etc/passwd`, `/etc/shadow` and `access.conf`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| esxftpd::accounts::hostile(data));

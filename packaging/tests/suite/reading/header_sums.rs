//! Checksums of headers, which writers sum in two ways.

use proptest::prelude::*;

use super::archives::{gzip_fast, visor};
use super::fixture::{read, refusal};

/// The checksum field of a header, filled in by hand: each byte as a signed or an unsigned number.
fn sealed(mut header: [u8; 512], signed: bool) -> [u8; 512] {
    header[148..156].fill(b' ');
    let sum: i32 = header
        .iter()
        .map(|byte| {
            if signed {
                i32::from(byte.cast_signed())
            } else {
                i32::from(*byte)
            }
        })
        .sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

/// An archive with one file, whose data begins at 0x18200.
fn vmtar(header: &[u8; 512]) -> Vec<u8> {
    let mut bytes = header.to_vec();
    bytes.resize(0x18200, 0);
    bytes.extend(b"data");
    bytes.resize(0x19000, 0);
    gzip_fast(&bytes)
}

#[test]
fn a_vmtar_whose_writer_sums_signed_characters_is_read() {
    let header = visor("file", b'0', 0o644, 4, "", 0x18200);
    assert_ne!(sealed(header, true), sealed(header, false));
    for signed in [true, false] {
        let found = read(&vmtar(&sealed(header, signed))).map(|found| found.to_string());
        assert!(
            found.as_ref().is_ok_and(|text| text.contains("4 file")),
            "{found:?}"
        );
    }
}

#[test]
fn a_third_sum_is_refused_with_both_that_are_right() {
    let mut header = sealed(visor("file", b'0', 0o644, 4, "", 0x18200), true);
    let stored = u32::from_str_radix(str::from_utf8(&header[148..154]).unwrap(), 8).unwrap();
    header[153] ^= 1;
    let text = refusal(&vmtar(&header));
    assert!(
        text.contains(&format!(
            "its checksum is {}, or {stored} of signed characters, but {} is stored",
            stored + 256,
            stored ^ 1
        )),
        "{text}"
    );
}

/// A name outside ASCII, as in packages for people who read German.
#[test]
fn a_tar_whose_writer_sums_signed_characters_is_read() {
    let mut header = visor("gr\u{fc}ezi", b'0', 0o644, 0, "", 0);
    header[257..265].copy_from_slice(b"ustar  \0");
    for signed in [true, false] {
        let mut bytes = sealed(header, signed).to_vec();
        bytes.resize(2048, 0);
        let found = read(&gzip_fast(&bytes)).map(|found| found.to_string());
        assert!(
            found
                .as_ref()
                .is_ok_and(|text| text.contains("gr\u{fc}ezi")),
            "{found:?}"
        );
    }
}

proptest! {
    /// Whatever the header holds, one of the two sums is taken and no other.
    #[test]
    fn either_sum_is_taken_and_no_third(
        fill in prop::collection::vec(any::<u8>(), 12),
        offset in 0x400_u32..0x10_0000,
        wrong in 1_u32..0o7777,
    ) {
        let mut header = visor("file", b'0', 0o644, 0, "", offset);
        header[500..512].copy_from_slice(&fill);
        let sums: Vec<_> = [true, false].map(|signed| sealed(header, signed)).to_vec();
        for sum in &sums {
            prop_assert!(read(&gzip_fast(sum)).is_ok());
            let stored = u32::from_str_radix(str::from_utf8(&sum[148..154]).unwrap(), 8).unwrap();
            let mut other = *sum;
            other[148..154].copy_from_slice(format!("{:06o}", stored ^ wrong).as_bytes());
            prop_assert_eq!(read(&gzip_fast(&other)).is_ok(), sums.contains(&other));
        }
    }
}

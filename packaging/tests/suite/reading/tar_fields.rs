//! Fields of a tar header that say something else to other readers.

use packaging::verify::Severity;

use super::fixture::{FILES, diagnoses, gzip, refusal, tar, vib_of};

/// A tar archive with some bytes of its second header replaced, `etc/config/`, and its checksum
/// made right.
fn with(place: usize, bytes: &[u8]) -> Vec<u8> {
    let mut plain = tar("gnu", &FILES);
    let header = &mut plain[512..1024];
    header[place..place + bytes.len()].copy_from_slice(bytes);
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    plain
}

#[test]
fn numbers_that_are_none() {
    for (place, field) in [
        (100, "mode"),
        (108, "owner"),
        (116, "group"),
        (124, "size"),
        (136, "time"),
        (329, "device"),
        (337, "device"),
    ] {
        for bytes in [b"9", b"x", b"."] {
            assert_eq!(
                refusal(&gzip(&with(place, bytes))),
                format!("tar header of \"etc/config/\" at byte 512: its {field} is not a number")
            );
        }
    }
    assert!(diagnoses(&vib_of(&with(136, b" 123 \0junk"))).is_empty());
}

#[test]
fn a_directory_has_no_size() {
    assert_eq!(
        refusal(&gzip(&with(124, b"00000001000"))),
        "tar header of \"etc/config/\" at byte 512: it has a size, but is of a kind without data"
    );
}

#[test]
fn a_beginning_of_the_path_where_gnu_has_none() {
    let found = diagnoses(&vib_of(&with(345, b"usr/lib")));
    let [one] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(one.severity, Severity::Warning);
    let text = one.to_string();
    assert!(
        text.contains("has bytes behind its fields") && text.contains("(FORMAT.md T2)"),
        "{text}"
    );
}

//! ELF facts of real and of made-up files.

use std::fs;
use std::sync::LazyLock;

use packaging::elf::{Class, Elf, Kind};
use proptest::prelude::*;

/// A header of a 64-bit little-endian x86-64 file of the given type, without segments.
fn header(kind: u8) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    bytes[16] = kind;
    bytes[18] = 62;
    bytes[20] = 1;
    bytes[52] = 64;
    bytes[54] = 56;
    bytes
}

/// The test itself, a program for this machine.
fn this_test() -> &'static [u8] {
    static BYTES: LazyLock<Vec<u8>> =
        LazyLock::new(|| fs::read(std::env::current_exe().unwrap()).unwrap());
    &BYTES
}

#[test]
fn a_static_program_has_neither_interpreter_nor_libraries() {
    let elf = Elf::read(&header(2)).unwrap();
    assert_eq!(
        (elf.class, elf.machine, elf.kind),
        (Class::Elf64, Elf::X86_64, Kind::Executable)
    );
    assert_eq!(elf.interpreter, None);
    assert!(elf.needed.is_empty());
}

#[test]
fn other_types_are_told_apart() {
    assert_eq!(Elf::read(&header(3)).unwrap().kind, Kind::Shared);
    assert_eq!(Elf::read(&header(1)).unwrap().kind, Kind::Relocatable);
    assert_eq!(Elf::read(&header(4)).unwrap().kind, Kind::Other(4));
}

#[test]
fn machines_have_names() {
    for (machine, name) in [
        (62, "x86-64"),
        (183, "aarch64"),
        (3, "i386"),
        (7, "machine 7"),
    ] {
        assert_eq!(Elf::machine_name(machine), name);
    }
}

#[test]
fn a_dynamic_program_names_its_interpreter_and_its_libraries() {
    let elf = Elf::read(this_test()).unwrap();
    assert!(elf.interpreter.unwrap().contains("ld-linux"));
    assert!(
        elf.needed.iter().any(|name| name.starts_with("libc.so")),
        "{:?}",
        elf.needed
    );
}

#[test]
fn what_is_no_elf_file_is_refused() {
    for bytes in [&b""[..], b"#!/bin/sh\n", b"\x7fELF", &header(2)[..40]] {
        let error = Elf::read(bytes).unwrap_err().to_string();
        assert!(error.starts_with("not a readable ELF file: "), "{error}");
    }
}

#[test]
fn a_file_that_ends_early_is_refused_or_read_without_panic() {
    let whole = this_test();
    for length in (0..4096).step_by(7) {
        let _facts_or_error = Elf::read(&whole[..length]);
    }
}

proptest! {
    #[test]
    fn a_damaged_header_never_panics(offset in 0..4096_usize, value in any::<u8>()) {
        let mut bytes = this_test()[..1 << 20].to_vec();
        bytes[offset] = value;
        let _facts_or_error = Elf::read(&bytes);
    }
}

/// A 64-bit program whose dynamic table needs `names` libraries, all by the same name.
fn needing(names: u64, name: &[u8]) -> Vec<u8> {
    const TABLE: u64 = 64 + 2 * 56;
    let mut table: Vec<[u64; 2]> = vec![[1, 0]; usize::try_from(names).unwrap()];
    let strings = TABLE + 16 * (names + 3);
    // DT_STRTAB, DT_STRSZ, DT_NULL.
    table.extend([[5, strings], [10, name.len() as u64], [0, 0]]);
    let end = strings + name.len() as u64;
    let mut bytes = header(3);
    bytes[32] = 64;
    bytes[56] = 2;
    // PT_LOAD of the whole file at address 0, PT_DYNAMIC.
    for (kind, offset, size) in [(1_u64, 0, end), (2, TABLE, 16 * (names + 3))] {
        for field in [kind, offset, offset, offset, size, size, 0] {
            bytes.extend(field.to_le_bytes());
        }
    }
    bytes.extend(table.iter().flatten().flat_map(|word| word.to_le_bytes()));
    bytes.extend(name);
    bytes
}

/// Twenty thousand entries by one name of a megabyte would unfold to twenty gigabytes.
#[test]
fn a_small_program_cannot_unfold_into_a_huge_list() {
    assert_eq!(
        Elf::read(&needing(3, b"libc.so\0")).unwrap().needed,
        ["libc.so"; 3]
    );
    assert_eq!(Elf::read(&needing(256, b"a\0")).unwrap().needed.len(), 256);
    let text = Elf::read(&needing(257, b"a\0")).unwrap_err().to_string();
    assert!(text.ends_with("it needs more than 256 libraries"), "{text}");
    let text = Elf::read(&needing(1, &[b'a'; 5000]))
        .unwrap_err()
        .to_string();
    assert!(text.ends_with("a name of more than 4096 bytes"), "{text}");
}

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
    assert_eq!(Elf::read(&header(1)).unwrap().kind, Kind::Other(1));
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

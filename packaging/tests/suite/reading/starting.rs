//! Files that a package holds and a host cannot start, read or keep.

use packaging::verify::Severity::{self, Error, Warning};
use proptest::prelude::*;

use super::archives::gzip_fast;
use super::fixture::{FILES, File, ar, descriptor, diagnoses, edited, read, tar, verdict};
use super::verifying::assert_found;

/// A package of these files, which its file list names.
fn package(files: &[File<'_>]) -> Vec<u8> {
    described(files, |text| text)
}

fn described(files: &[File<'_>], edit: impl Fn(String) -> String) -> Vec<u8> {
    let plain = tar("gnu", files);
    let stored = gzip_fast(&plain);
    let names: Vec<_> = files.iter().map(|(path, ..)| *path).collect();
    let text = edit(descriptor(&plain, &stored, &names));
    ar(&[
        ("descriptor.xml", text.as_bytes()),
        ("sig.pkcs7", b""),
        ("hi", &stored),
    ])
}

/// The package of one file, and the one thing that is said about it.
fn assert_only(path: &str, mode: u32, data: &[u8], severity: Severity, wanted: &str) {
    let bytes = package(&[(path, mode, data)]);
    let found = diagnoses(&bytes);
    let [one] = found.as_slice() else {
        panic!("{wanted}\n{}", verdict(&bytes))
    };
    assert_eq!(one.severity, severity, "{one}");
    assert!(one.to_string().contains(wanted), "{wanted}\n{one}");
}

fn assert_nothing(path: &str, mode: u32, data: &[u8]) {
    assert_eq!(verdict(&package(&[(path, mode, data)])), "", "{path}");
}

#[test]
fn an_init_script_with_carriage_returns_is_found() {
    assert_only(
        "etc/init.d/a",
        0o755,
        b"#!/bin/sh\r\necho\r\n",
        Error,
        "entry \"etc/init.d/a\" at byte 1024: ends its first line with a carriage return, so that \
         its interpreter is looked for as \"/bin/sh\\r\"; save it with the line ends of Unix \
         (FORMAT.md H5)",
    );
    assert_only(
        "etc/init.d/a",
        0o755,
        b"#!/bin/sh\n\necho\r\n",
        Warning,
        "ends line 3 with a carriage return, which a shell takes for a part of the command",
    );
    // Python does not mind.
    assert_nothing("etc/init.d/a", 0o755, b"#!/bin/python\n\nprint()\r\n");
}

#[test]
fn an_init_script_without_an_interpreter_is_found() {
    for data in [
        &b"echo\n"[..],
        b"",
        b" #!/bin/sh\n",
        b"# !/bin/sh\n",
        b"#!\n",
    ] {
        assert_only(
            "etc/init.d/a",
            0o755,
            data,
            Error,
            "does not begin with \"#!\" and an interpreter; begin it with #!/bin/sh (FORMAT.md H5)",
        );
    }
    assert_only(
        "etc/init.d/a",
        0o755,
        b"\xef\xbb\xbf#!/bin/sh\n",
        Error,
        "begins with a byte order mark, behind which no host looks for \"#!\"; save it without",
    );
    // Other files are data, and programs need none.
    assert_nothing("opt/a", 0o755, b"echo\n");
    let mut program = vec![0; 64];
    program[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    program[16..21].copy_from_slice(&[2, 0, 62, 0, 1]);
    program[52] = 64;
    program[54] = 56;
    assert_nothing("etc/init.d/a", 0o755, &program);
}

#[test]
fn a_script_for_an_interpreter_that_hosts_lack_is_found() {
    for (line, wanted) in [
        ("#!/bin/bash", Some("/bin/bash")),
        ("#! /usr/bin/perl -w", Some("/usr/bin/perl")),
        ("#!/usr/bin/env bash", Some("bash")),
        ("#!/usr/bin/env -S bash -e", Some("bash")),
        ("#!/bin/sh", None),
        ("#!/bin/ash", None),
        ("#!/usr/bin/python", None),
        ("#!/usr/bin/env python3", None),
        // Of another package.
        ("#!/opt/tools/bin/bash", None),
    ] {
        let data = format!("{line}\nexit 0\n");
        let script = |path: &str| package(&[(path, 0o755, data.as_bytes())]);
        match wanted {
            Some(wanted) => {
                let text = format!("is a script for {wanted}, which hosts do not have");
                assert_found(&script("etc/init.d/a"), Error, &text);
                assert_found(&script("opt/a"), Warning, &text);
            }
            None => assert_eq!(verdict(&script("etc/init.d/a")), "", "{line}"),
        }
    }
    // It comes along.
    let bytes = package(&[
        ("etc/init.d/a", 0o755, b"#!/bin/bash\n"),
        ("bin/bash", 0o755, b"-"),
    ]);
    assert!(!verdict(&bytes).contains("H5"), "{}", verdict(&bytes));
    // Nobody starts it.
    assert_nothing("opt/a", 0o644, b"#!/bin/bash\r\n");
}

#[test]
fn scripts_of_the_shutdown_are_scripts_too() {
    assert_only(
        "etc/vmware/shutdown/shutdown.d/a",
        0o755,
        b"#!/bin/bash\n",
        Error,
        "which hosts do not have",
    );
    assert_only(
        "etc/shutdown.d/a",
        0o644,
        b"#!/bin/sh\n",
        Error,
        "has mode 0644 and cannot be started",
    );
}

#[test]
fn malformed_xml_of_firewall_and_service_is_found() {
    for path in [
        "etc/vmware/firewall/a.xml",
        "etc/vmware/service/a.xml",
        "etc/vmware/service/readme",
        "usr/lib/vmware/esxcli/ext/a.xml",
    ] {
        assert_only(
            path,
            0o444,
            b"<ConfigRoot><service></ConfigRoot>",
            Error,
            "is not well-formed XML, byte ",
        );
        assert_only(path, 0o444, b"", Error, "there is no root element");
        for sound in [
            &b"<!-- c --><ConfigRoot/>"[..],
            b"\xef\xbb\xbf<?xml version='1.0' encoding='utf-8'?><ConfigRoot/>",
            b"<?xml version='1.0' encoding='ISO-8859-1'?><ConfigRoot>\xe4</ConfigRoot>",
            b"<!DOCTYPE ConfigRoot [<!ENTITY a 'b'>]><ConfigRoot>&a;</ConfigRoot>",
        ] {
            assert_nothing(path, 0o444, sound);
        }
    }
    assert_nothing("etc/vmware/firewall/readme", 0o444, b"<");
    assert_nothing("opt/a.xml", 0o444, b"<");
}

#[test]
fn a_descriptor_beyond_ascii_is_found() {
    let plain = tar("gnu", &FILES);
    let summary = edited(&plain, |text| text.replace("Says hi", "Gr\u{fc}\u{df}t"));
    assert_found(&summary, Warning, "descriptor.xml at byte ");
    assert_found(
        &summary,
        Warning,
        "holds characters beyond ASCII, in \"Gr\u{fc}\u{df}t\"; write it in ASCII, for instance with ae for \u{e4} \
         (FORMAT.md D11)\n    a host says: UnicodeEncodeError",
    );
    let marked = edited(&plain, |text| format!("\u{feff}{text}"));
    assert_found(
        &marked,
        Warning,
        "descriptor.xml at byte 0: begins with a byte order mark; save it without",
    );
    // What stands there as a number is ASCII.
    let number = edited(&plain, |text| text.replace("Says hi", "Gr&#252;&#223;t"));
    assert_eq!(verdict(&number), "");
}

#[test]
fn a_record_beyond_ascii_is_found() {
    let script = super::bundles::script().replace("record = '''<vib", "record = '''\u{feff}<vib");
    let text = verdict(&super::bundles::zip(&script));
    assert!(
        text.starts_with("warning: vibs/hi-1.xml at byte 0: begins with a byte order mark"),
        "{text}"
    );
}

#[test]
fn a_file_of_etc_config_that_is_not_sticky_is_found() {
    assert_only(
        "etc/config/hi/hi.toml",
        0o644,
        b"",
        Warning,
        "lies below etc/config/ without the sticky bit, so that a reboot drops its edits; pack it \
         with mode 1644, or elsewhere (FORMAT.md L5)",
    );
    assert_nothing("etc/config/hi/hi.toml", 0o1644, b"");
    assert_nothing("etc/vmware/pciid/hi", 0o644, b"");
}

/// A relocatable object for a machine.
fn module(machine: u8) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    bytes[16..21].copy_from_slice(&[1, 0, machine, 0, 1]);
    bytes[52] = 64;
    bytes
}

const MODULE: &str = "usr/lib/vmware/vmkmod/hi";

#[test]
fn a_kernel_module_for_arm_in_a_package_that_does_not_say_so_is_found() {
    assert_nothing(MODULE, 0o644, &module(62));
    let arm = module(183);
    let files: [File<'_>; 2] = [
        (MODULE, 0o644, &arm),
        ("usr/lib/vmware/vmkmod/ho", 0o644, &arm),
    ];
    assert_found(
        &package(&files),
        Warning,
        "entry \"usr/lib/vmware/vmkmod/hi\": is a kernel module for aarch64, the first of 2, and the \
         package does not say that it is for ESXi on Arm; say so in summary, description or tags, \
         and in the name of the file (FORMAT.md H8)",
    );
    for said in [
        "for ESXi-Arm",
        "Thermals of the Raspberry Pi (aarch64)",
        "arm64 build",
    ] {
        let bytes = described(&files, |text| text.replace("Says hi", said));
        assert_eq!(verdict(&bytes), "", "{said}");
    }
    // Not every word with these letters.
    let bytes = described(&files, |text| text.replace("Says hi", "An alarm, unharmed"));
    assert_found(&bytes, Warning, "does not say that it is for ESXi on Arm");
}

#[test]
fn a_program_is_for_the_machine_that_the_package_says() {
    let program = |machine| {
        let mut bytes = module(machine);
        bytes[16] = 2;
        bytes
    };
    let (arm, intel) = (program(183), program(62));
    let said = |bytes: &[u8]| {
        described(&[("opt/a", 0o755, bytes)], |text| {
            text.replace("Says hi", "Says hi. For ESXi on Arm (aarch64) only.")
        })
    };
    assert_eq!(verdict(&said(&arm)), "");
    assert_found(
        &said(&intel),
        Error,
        "is a program of 64 bits for x86-64, not for aarch64",
    );
    assert_found(
        &package(&[("opt/a", 0o755, &arm)]),
        Error,
        "is a program of 64 bits for aarch64, not for x86-64",
    );
}

#[test]
fn kernel_modules_of_other_machines_are_found() {
    assert_only(
        MODULE,
        0o644,
        &module(3),
        Error,
        "is a kernel module for i386, and hosts run on x86-64 or aarch64",
    );
    let (arm, intel) = (module(183), module(62));
    let bytes = described(
        &[
            (MODULE, 0o644, &arm),
            ("usr/lib/vmware/vmkmod/ho", 0o644, &intel),
        ],
        |text| text.replace("Says hi", "for Arm, too"),
    );
    assert_found(
        &bytes,
        Warning,
        "payloads: hold programs or modules for x86-64 and for aarch64, and no host runs both",
    );
}

proptest! {
    /// Whatever a script and an XML file hold, they are read without panic, and only what is one is
    /// taken for a script.
    #[test]
    fn any_bytes_in_place_of_a_script(data in prop::collection::vec(
        prop::sample::select(b"#!/ binsh\r\n\xef\xbb\xbf\0<a>&x".to_vec()), 0..40))
    {
        for path in ["etc/init.d/a", "etc/vmware/service/a", "opt/a"] {
            let mut header = super::archives::visor(path, b'0', 0o755, data.len(), "", 1024);
            header[148..156].fill(b' ');
            let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
            header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            let mut bytes = header.to_vec();
            bytes.resize(1024, 0);
            bytes.extend(&data);
            bytes.resize(2048, 0);
            let found = read(&gzip_fast(&bytes)).expect("this can be read");
            let text = format!("{found}{:?}", packaging::verify::verify(&found));
            let starts = data.starts_with(b"#!") && data.len() > 2;
            prop_assert!(starts || !text.contains("which hosts do not have"));
        }
    }
}

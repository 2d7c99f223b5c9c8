//! Headers read byte by byte, as the specifications lay them out.

use crate::support::{
    DRIVER, ar_members, gunzip, payload, sample_vib, tar_entries, vib, vmtar_entries,
};

#[test]
fn ar_members_are_in_the_order_that_hosts_demand() {
    let vib = sample_vib();
    let names: Vec<_> = ar_members(vib.bytes())
        .iter()
        .map(|(header, _)| &header[..16])
        .collect();
    assert_eq!(
        names,
        [
            b"descriptor.xml  ",
            b"sig.pkcs7       ",
            b"hello           "
        ]
    );
}

#[test]
fn every_field_of_an_ar_header_is_where_it_belongs() {
    let vib = sample_vib();
    for (header, data) in ar_members(vib.bytes()) {
        assert_eq!(&header[16..28], b"0           ", "date");
        assert_eq!(&header[28..34], b"0     ", "uid");
        assert_eq!(&header[34..40], b"0     ", "gid");
        assert_eq!(&header[40..48], b"0       ", "mode");
        assert_eq!(
            header[48..58],
            *format!("{:<10}", data.len()).as_bytes(),
            "size"
        );
        assert_eq!(&header[58..60], b"`\n", "end");
    }
}

#[test]
fn the_signature_of_a_community_package_is_present_and_empty() {
    let vib = sample_vib();
    assert!(ar_members(vib.bytes())[1].1.is_empty());
}

#[test]
fn the_descriptor_in_the_archive_has_no_declaration_and_is_one_line() {
    let vib = sample_vib();
    let descriptor = ar_members(vib.bytes())[0].1;
    assert!(descriptor.starts_with(b"<vib version=\"5.0\"><type>bootbank</type>"));
    assert!(descriptor.ends_with(b"</vib>"));
    assert!(!descriptor.contains(&b'\n'));
    assert_eq!(descriptor, vib.descriptor().as_bytes());
}

#[test]
fn the_gzip_header_is_the_vendors() {
    let vib = sample_vib();
    assert_eq!(
        payload(vib.bytes())[..10],
        [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 0xff]
    );
}

#[test]
fn every_field_of_a_tar_header_is_set() {
    let tar = gunzip(payload(sample_vib().bytes()));
    for (header, data) in tar_entries(&tar) {
        let name = text(&header[..100]);
        assert!(header[99] == 0, "{name}: path is terminated");
        assert_eq!(text(&header[108..116]), "0000000", "{name}: uid");
        assert_eq!(text(&header[116..124]), "0000000", "{name}: gid");
        assert_eq!(
            text(&header[124..136]),
            format!("{:011o}", data.len()),
            "{name}: size"
        );
        assert_eq!(
            text(&header[136..148]),
            format!("{:011o}", 1_768_480_245),
            "{name}: mtime"
        );
        assert_eq!(
            header[156],
            if name.ends_with('/') { b'5' } else { b'0' },
            "{name}: type"
        );
        assert_eq!(text(&header[157..257]), "", "{name}: link name");
        assert_eq!(&header[257..265], b"ustar  \0", "{name}: GNU magic");
        assert_eq!(text(&header[265..297]), "root", "{name}: owner");
        assert_eq!(text(&header[297..329]), "root", "{name}: group");
        assert!(
            header[345..].iter().all(|byte| *byte == 0),
            "{name}: no prefix, no GNU fields"
        );

        assert_checksum(header);
    }
}

/// The sum of all bytes, with blanks in place of the checksum itself.
fn assert_checksum(header: &[u8]) {
    let sum = header.iter().enumerate().fold(0, |sum, (offset, byte)| {
        sum + u32::from(if (148..156).contains(&offset) {
            b' '
        } else {
            *byte
        })
    });
    assert_eq!(header[148..156], *format!("{sum:06o}\0 ").as_bytes());
}

#[test]
fn members_of_payloads_are_sorted_by_name() {
    let vib = vib(DRIVER, "2.0");
    let names: Vec<_> = ar_members(vib.bytes())
        .iter()
        .map(|(header, _)| text(&header[..16]).trim_end().to_owned())
        .collect();
    assert_eq!(
        names,
        ["descriptor.xml", "sig.pkcs7", "driver", "tool-of-acme"]
    );
}

#[test]
fn every_field_of_a_vmtar_header_is_set() {
    let vib = vib(DRIVER, "2.0");
    let stored = payload(vib.bytes());
    assert_eq!(stored[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 0xff]);
    let vmtar = gunzip(stored);
    let mut next = 4096 * ((vmtar_entries(&vmtar).len() + 1) * 512).div_ceil(4096);
    for (header, data) in vmtar_entries(&vmtar) {
        let name = text(&header[..100]);
        assert_eq!(text(&header[108..116]), "0000000", "{name}: uid");
        assert_eq!(text(&header[116..124]), "0000000", "{name}: gid");
        let size = format!("{:011o}", data.len());
        assert_eq!(text(&header[124..136]), size, "{name}: size");
        let mtime = format!("{:011o}", 1_770_091_506);
        assert_eq!(text(&header[136..148]), mtime, "{name}: mtime");
        let kind = if name.ends_with('/') { b'5' } else { b'0' };
        assert_eq!(header[156], kind, "{name}: type");
        assert_eq!(text(&header[157..257]), "", "{name}: link name");
        assert_eq!(&header[257..265], b"visor  \0", "{name}: magic");
        assert_eq!(text(&header[265..297]), "root", "{name}: owner");
        assert_eq!(text(&header[297..329]), "root", "{name}: group");
        assert_eq!(
            header[329..496],
            [0; 167],
            "{name}: nothing up to the offset"
        );
        let place = u32::from_le_bytes(header[496..500].try_into().unwrap());
        let expected = if data.is_empty() { 0 } else { next };
        assert_eq!(place as usize, expected, "{name}: offset");
        assert_eq!(header[500..], [0; 12], "{name}: no text, no fix-ups");
        assert_checksum(header);
        next += data.len().next_multiple_of(4096);
    }
}

#[test]
fn a_directory_looks_the_same_in_each_payload_that_needs_it() {
    let vib = vib(DRIVER, "2.0");
    let modes = |entries: Vec<(&[u8], &[u8])>| {
        let modes: Vec<_> = entries
            .iter()
            .map(|(header, _)| {
                (
                    text(&header[..100]).to_owned(),
                    text(&header[100..108]).to_owned(),
                )
            })
            .filter(|(path, _)| path.starts_with("opt/"))
            .collect();
        modes
    };
    let row = |path: &str, mode: &str| (path.to_owned(), mode.to_owned());
    let driver = gunzip(ar_members(vib.bytes())[2].1);
    let tool = gunzip(ar_members(vib.bytes())[3].1);
    for (found, file, mode) in [
        (
            modes(vmtar_entries(&driver)),
            "opt/acme/private/marker",
            "0000400",
        ),
        (
            modes(tar_entries(&tool)),
            "opt/acme/private/tool",
            "0000500",
        ),
    ] {
        assert_eq!(
            found,
            [
                row("opt/", "0000755"),
                row("opt/acme/", "0000755"),
                row("opt/acme/private/", "0000700"),
                row(file, mode),
            ]
        );
    }
}

#[test]
fn entries_are_sorted_and_every_directory_comes_before_its_files() {
    let tar = gunzip(payload(sample_vib().bytes()));
    let entries: Vec<_> = tar_entries(&tar)
        .iter()
        .map(|(header, _)| (text(&header[..100]), text(&header[100..108])))
        .collect();
    assert_eq!(
        entries,
        [
            ("etc/", "0000755"),
            ("etc/config/", "0000755"),
            ("etc/config/hello/", "0000755"),
            ("etc/config/hello/hello.toml", "0001644"),
            ("etc/init.d/", "0000755"),
            ("etc/init.d/hello", "0000755"),
            ("opt/", "0000755"),
            ("opt/hello/", "0000755"),
            ("opt/hello/bin/", "0000755"),
            ("opt/hello/bin/hello", "0000755"),
            ("opt/hello/cache/", "0000700"),
            ("opt/hello/share/", "0000755"),
            ("opt/hello/share/empty", "0000444"),
        ]
    );
}

/// A field up to its first NUL.
fn text(field: &[u8]) -> &str {
    std::str::from_utf8(field)
        .unwrap()
        .split('\0')
        .next()
        .unwrap()
}

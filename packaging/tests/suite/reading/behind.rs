//! What stands behind the end of an archive: padding is taken, everything else is found.

use packaging::verify::Severity::{Error, Warning};

use super::bundles;
use super::fixture::{
    FILES, ar, descriptor, gzip, python, read, read_vib, refusal, sound, tar, verdict, vib_of,
};
use super::verifying::assert_found;

/// A package around these stored bytes of an archive.
fn vib_around(plain: &[u8], stored: &[u8]) -> Vec<u8> {
    let text = descriptor(plain, stored, &FILES.map(|(path, ..)| path));
    ar(&[
        ("descriptor.xml", text.as_bytes()),
        ("sig.pkcs7", b""),
        ("hi", stored),
    ])
}

#[test]
fn zeros_behind_gzip_are_padding() {
    let plain = tar("gnu", &FILES);
    for zeros in [1, 511, 100_000] {
        let mut stored = gzip(&plain);
        stored.resize(stored.len() + zeros, 0);
        assert_eq!(verdict(&vib_around(&plain, &stored)), "", "{zeros}");
    }
}

#[test]
fn a_second_gzip_stream_is_a_part_of_the_first() {
    let plain = tar("gnu", &FILES);
    let (front, back) = plain.split_at(1000);
    let stored = [gzip(front), gzip(back)].concat();
    assert_eq!(verdict(&vib_around(&plain, &stored)), "");
}

#[test]
fn other_bytes_behind_gzip_are_found() {
    let plain = tar("gnu", &FILES);
    let stored = [gzip(&plain), b"\0\0hidden".to_vec()].concat();
    assert_found(
        &vib_around(&plain, &stored),
        Error,
        "payload \"hi\": gzip layer: is followed by bytes that belong to nothing",
    );
}

#[test]
fn a_newline_behind_the_last_member_is_no_fault() {
    let mut bytes = sound();
    if bytes.len() % 2 == 1 {
        bytes.push(b'\n');
    }
    bytes.push(b'\n');
    assert_eq!(verdict(&bytes), "");
    bytes.push(b'\n');
    assert!(refusal(&bytes).contains("ar header at byte"));
}

#[test]
fn data_behind_the_end_of_a_tar_is_found_with_its_place() {
    let plain = tar("gnu", &FILES);
    let end = plain.len();
    let hidden = [&plain[..], &tar("gnu", &FILES)].concat();
    assert_found(
        &vib_of(&hidden),
        Error,
        &format!("archive at byte {end}: goes on behind its end, where no reader looks"),
    );
}

#[test]
fn one_block_of_zeros_is_one_too_few() {
    let plain = tar("gnu", &FILES);
    let end = plain.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let end = end.next_multiple_of(512);
    for (blocks, wanted) in [
        (0, "archive: does not end in blocks of zeros"),
        (1, "archive: ends in one block of zeros"),
    ] {
        assert_found(&vib_of(&plain[..end + blocks * 512]), Warning, wanted);
    }
    assert_eq!(verdict(&vib_of(&plain[..end + 1024])), "");
}

#[test]
fn bytes_behind_a_zip_are_found() {
    let mut bytes = bundles::sound();
    bytes.extend(b"more");
    assert_found(
        &bytes,
        Warning,
        "zip: is followed by 4 bytes that belong to nothing",
    );
}

#[test]
fn a_comment_that_looks_like_the_end_of_a_zip_is_a_comment() {
    let script = "import zipfile
with zipfile.ZipFile('in') as old, zipfile.ZipFile('out', 'w') as new:
    for i in old.infolist(): new.writestr(i, old.read(i))
    new.comment = b'PK\\x05\\x06' + bytes(40)";
    let bytes = python(script, &bundles::sound());
    assert_eq!(verdict(&bytes), "");
}

#[test]
fn devices_are_found_and_their_place_is_told() {
    let script = "import tarfile, io
t = tarfile.open('out', 'w', format=tarfile.GNU_FORMAT)
i = tarfile.TarInfo('opt/'); i.type = tarfile.DIRTYPE; i.mode = 0o755; t.addfile(i)
i = tarfile.TarInfo('opt/null'); i.type = tarfile.CHRTYPE; i.devmajor = 1; i.devminor = 3; t.addfile(i)
i = tarfile.TarInfo('opt//b'); i.size = 1; t.addfile(i, io.BytesIO(b'x'))
t.close()";
    let bytes = vib_of(&python(script, b""));
    assert_found(
        &bytes,
        Error,
        "entry \"opt/null\" at byte 512: is a device, a pipe or of an unknown kind; pack files, directories and symbolic links only (FORMAT.md T9)",
    );
    assert_found(
        &bytes,
        Error,
        "entry \"opt/b\" at byte 1024: is stored in a longer form",
    );
}

/// Only packages that hold files in archives have a list of them.
#[test]
fn a_boot_payload_beside_a_tgz_is_no_fault() {
    let plain = tar("gnu", &FILES);
    let stored = gzip(&plain);
    let boot = gzip(b"a module of the kernel");
    let hash = |bytes: &[u8]| super::fixture::hash("sha256sum", bytes);
    let extra = format!(
        r#"<payload name="aa" type="boot" size="{}"><checksum checksum-type="sha-256">{}</checksum></payload>"#,
        boot.len(),
        hash(&boot)
    );
    let text = descriptor(&plain, &stored, &FILES.map(|(path, ..)| path))
        .replace("<payloads>", &format!("<payloads>{extra}"));
    let bytes = ar(&[
        ("descriptor.xml", text.as_bytes()),
        ("sig.pkcs7", b""),
        ("aa", &boot),
        ("hi", &stored),
    ]);
    assert_eq!(verdict(&bytes), "");
    assert_eq!(read_vib(&bytes).payloads.len(), 2);
    assert!(read(&bytes).is_ok());
}

//! Files that want more than they should get. All of these must end soon, in little memory.

use std::io::Cursor;
use std::sync::LazyLock;

use packaging::inspect::{Limits, extract, inspect};
use packaging::{inspect::Sink, verify};
use proptest::prelude::*;

use super::bundles;
use super::fixture::{DESCRIPTOR, FILES, ar, gzip, python, refusal, sound, tar};
use crate::support::{SAMPLE, bundle, vib};

#[test]
fn a_header_that_claims_ten_gigabytes_costs_nothing() {
    let mut bytes = ar(&[("descriptor.xml", b"")]);
    bytes[8 + 48..8 + 58].copy_from_slice(b"9999999999");
    let text = refusal(&bytes);
    assert_eq!(
        text,
        "ar member \"descriptor.xml\" at byte 68: the file ends in the middle of it"
    );
}

fn refusal_within(limits: impl FnOnce(&mut Limits), bytes: &[u8]) -> String {
    let mut bounds = Limits::default();
    limits(&mut bounds);
    inspect(Cursor::new(bytes), &bounds)
        .expect_err("this should be refused")
        .to_string()
}

#[test]
fn a_gzip_bomb_ends_at_the_limit() {
    let bomb = tar("gnu", &[("opt/zeros", 0o644, &vec![0; 8 << 20])]);
    let text = refusal_within(|limits| limits.unpacked_bytes = 1 << 20, &gzip(&bomb));
    assert!(
        text.contains("more than 1048576 bytes, which is the limit of this reader"),
        "{text}"
    );
}

#[test]
fn a_zip_with_a_thousand_zips_is_bounded_by_what_they_unpack_to() {
    let script = "import zipfile, io
b = io.BytesIO()
with zipfile.ZipFile(b, 'w', zipfile.ZIP_DEFLATED) as z: z.writestr('zeros', b'\\0' * (1 << 20))
with zipfile.ZipFile('out', 'w', zipfile.ZIP_DEFLATED) as z:
    for n in range(1000): z.writestr('%d.zip' % n, b.getvalue() * 1)";
    let bytes = python(script, b"");
    assert!(refusal(&bytes).contains("holds no zip that has one"));
    let text = refusal_within(|limits| limits.entries = 500, &bytes);
    assert!(text.contains("more than 500 entries"), "{text}");
    let text = refusal_within(|limits| limits.unpacked_bytes = 4096, &bytes);
    assert!(text.contains("more than 4096 bytes"), "{text}");
    let text = refusal_within(|limits| limits.inner_zip_bytes = 100, &bytes);
    assert!(
        text.starts_with("0.zip at byte 0: more than 100 bytes"),
        "{text}"
    );
}

#[test]
fn archives_have_bounded_entries_and_names() {
    let bytes = gzip(&tar("gnu", &FILES));
    let text = refusal_within(|limits| limits.entries = 4, &bytes);
    assert!(text.contains("at byte 2560: more than 4 entries"), "{text}");
    let text = refusal_within(|limits| limits.name_bytes = 20, &bytes);
    assert!(text.contains("more than 20 bytes of names"), "{text}");
    let long = format!("opt/{}/file", "directory/".repeat(12));
    for format in ["gnu", "posix"] {
        let bytes = gzip(&tar(format, &[(&long, 0o644, b"x")]));
        let text = refusal_within(|limits| limits.long_name_bytes = 100, &bytes);
        assert!(
            text.starts_with("tar record for a long name at byte"),
            "{text}"
        );
    }
    let text = refusal_within(|limits| limits.members = 2, &sound());
    assert!(text.contains("more than 2 members"), "{text}");
}

/// The words for a descriptor that is no good.
fn descriptor_refusal(text: &[u8]) -> String {
    refusal(&ar(&[("descriptor.xml", text), ("sig.pkcs7", b"")]))
}

#[test]
fn xml_that_is_no_good_is_refused_by_element_and_byte() {
    let bomb = r#"<!DOCTYPE v [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><vib version="5.0"><name>&b;</name></vib>"#;
    let deep = "<vib>".repeat(40);
    let wide = format!(
        "<vib {}/>",
        (0..65)
            .map(|n| format!("a{n}='' "))
            .collect::<Vec<_>>()
            .concat()
    );
    let many = format!("<vib>{}</vib>", "<a/>".repeat(60_001));
    for (text, wanted) in [
        (
            bomb,
            "it has a document type, whose entities could grow without bound",
        ),
        (
            "<vib><name>&nbsp;</name></vib>",
            "XML, element \"name\" at byte 17: it refers to an entity that XML does not define",
        ),
        (&deep, "it nests more than 32 deep"),
        (&many, "there are more than 60000 elements"),
        (&wide, "it has more than 64 attributes"),
        ("<vib><name></vib>", "XML, element \"name\" at byte"),
        (
            "<vib><name>",
            "element \"name\" at byte 11: it is never closed",
        ),
        ("<vib/><vib/>", "there is a second root"),
        ("<vib/>more", "there is text outside the root"),
        ("", "there is no root element"),
        (
            "<descriptor/>",
            "XML, element \"descriptor\" at byte 0: the root should be \"vib\"",
        ),
        ("<vib a='1' a='2'/>", "XML, element \"\""),
    ] {
        let refused = descriptor_refusal(text.as_bytes());
        assert!(
            refused.starts_with("descriptor.xml: XML, ") && refused.contains(wanted),
            "{refused}"
        );
    }
    assert!(descriptor_refusal(b"<vib>\xff</vib>").contains("at byte 5: it is not UTF-8"));
    let text = refusal_within(
        |limits| limits.xml_bytes = 100,
        &ar(&[("descriptor.xml", DESCRIPTOR.as_bytes())]),
    );
    assert!(
        text.starts_with("descriptor.xml at byte 8: more than 100 bytes"),
        "{text}"
    );
}

#[test]
fn xml_is_counted_over_the_whole_file() {
    let bundle = bundles::sound();
    let text = refusal_within(|limits| limits.xml_elements_total = 60, &bundle);
    assert!(text.contains("more than 60 elements of XML"), "{text}");
    let text = refusal_within(|limits| limits.xml_bytes_total = 3000, &bundle);
    assert!(text.contains("more than 3000 bytes of XML"), "{text}");
}

struct Nowhere;

impl Sink for Nowhere {
    fn directory(&mut self, path: &str) -> std::io::Result<()> {
        assert!(path.split('/').all(|name| !matches!(name, "" | "." | "..")));
        Ok(())
    }

    fn file(&mut self, path: &str, _: u32, data: &mut dyn std::io::Read) -> std::io::Result<()> {
        self.directory(path)?;
        std::io::copy(data, &mut std::io::sink()).map(drop)
    }
}

/// Whole packages of all kinds, and archives that are not compressed so that damage reaches what
/// is inside.
static WHOLE: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let sample = vib(SAMPLE, "1.2.0");
    let package = sample.bytes().to_vec();
    let bundle = bundle(&[sample]).unwrap().bytes().to_vec();
    vec![sound(), package, bundle, gzip(&tar("posix", &FILES))]
});
static PLAIN: LazyLock<Vec<u8>> = LazyLock::new(|| tar("posix", &FILES));

/// Neither of them may panic, whatever it says.
fn read_all(bytes: &[u8]) {
    let mut limits = Limits::default();
    limits.unpacked_bytes = 4 << 20;
    if let Ok(inspection) = inspect(Cursor::new(bytes), &limits) {
        let _text = inspection.to_string();
        let _diagnoses = verify::verify(&inspection);
    }
    let _refused_or_not = extract(Cursor::new(bytes), &limits, &mut Nowhere);
}

proptest! {
    #[test]
    fn damaged_packages_never_panic(
        which in 0..4_usize,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = WHOLE[which].clone();
        for (place, value) in damage {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        read_all(&bytes);
    }

    #[test]
    fn damaged_archives_inside_a_sound_stream_never_panic(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut plain = PLAIN.clone();
        for (place, value) in damage {
            let place = place.index(plain.len());
            plain[place] = value;
        }
        // A right checksum, so that the other fields are looked at.
        for header in plain.chunks_exact_mut(512) {
            if header.iter().any(|byte| *byte != 0) {
                header[148..156].copy_from_slice(b"        ");
                let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
                header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            }
        }
        let mut stored = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut stored, &plain).unwrap();
        read_all(&stored.finish().unwrap());
    }

    #[test]
    fn damaged_descriptors_never_panic(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut text = DESCRIPTOR.replace("FILES", "").replace("PAYLOAD", "<payload name='hi' type='tgz'/>").into_bytes();
        for (place, value) in damage {
            let place = place.index(text.len());
            text[place] = value;
        }
        read_all(&ar(&[("descriptor.xml", &text), ("sig.pkcs7", b""), ("hi", b"")]));
    }
}

//! `imgdb.tgz` of strangers.

use std::io::BufReader;

use packaging::media::Database;

use super::fixture::{Packed, packed_database, profile};
use crate::reading::fixture::{gzip, python, tar};

const BASE: Packed<'static> = Packed {
    name: "esx-base",
    version: "6.7.0-1",
    relationships: "",
    files: &[],
    payloads: &[],
};

/// A sound database with more files in it.
pub(super) fn with(more: &[(&str, &[u8])]) -> Vec<u8> {
    let mut files = vec![
        (
            "var/db/esximg/profiles/one".to_owned(),
            profile(&[BASE]).into_bytes(),
        ),
        (
            "var/db/esximg/vibs/esx-base-1.xml".to_owned(),
            BASE.record(true).into_bytes(),
        ),
    ];
    files.extend(
        more.iter()
            .map(|(path, data)| ((*path).to_owned(), data.to_vec())),
    );
    packed_database(&files)
}

fn refusal(bytes: &[u8]) -> String {
    let read = Database::read(&mut BufReader::new(bytes));
    read.expect_err("refused").to_string()
}

#[test]
fn a_medium_has_one_profile() {
    let second = profile(&[BASE]);
    let two = with(&[("var/db/esximg/profiles/two", second.as_bytes())]);
    assert!(
        refusal(&two).contains("has 2 profiles"),
        "{}",
        refusal(&two)
    );
    let none = packed_database(&[("var/db/esximg/vibs/a.txt".to_owned(), Vec::new())]);
    assert!(refusal(&none).contains("has 0 profiles"));
    let record = BASE.record(true);
    let twice = with(&[("var/db/esximg/vibs/other-2.xml", record.as_bytes())]);
    assert!(refusal(&twice).contains("two records of \"VMware_bootbank_esx-base_6.7.0-1\""));
}

#[test]
fn damaged_ones_are_named() {
    let sound = with(&[]);
    assert!(Database::read(&mut BufReader::new(sound.as_slice())).is_ok());
    for end in (0..sound.len()).step_by(97) {
        assert!(!refusal(&sound[..end]).is_empty());
    }
    let text = refusal(&with(&[("var/db/esximg/vibs/b-2.xml", b"<vib>")]));
    assert!(
        text.starts_with("imgdb.tgz var/db/esximg/vibs/b-2.xml: "),
        "{text}"
    );
    let mut more = sound;
    more.extend(b"more");
    assert!(refusal(&more).contains("something stands behind its gzip stream"));
}

#[test]
fn paths_that_climb_and_links_and_extensions_are_refused() {
    let script = |body: &str| {
        format!(
            "import tarfile, io
t = tarfile.open('out', 'w', format=tarfile.GNU_FORMAT)
i = tarfile.TarInfo('var/db/esximg/vibs/x')
{body}
t.addfile(i)
t.close()"
        )
    };
    for (body, words) in [
        ("i.name = '../x'", "climbs"),
        ("i.name = '/x'", "absolute"),
        (
            "i.type, i.linkname = tarfile.SYMTYPE, '/etc/passwd'",
            "no plain file",
        ),
        (
            "i.type, i.linkname = tarfile.LNKTYPE, 'var'",
            "no plain file",
        ),
        ("i.name = 'var/' + 'x' * 150", "no plain file"),
        ("i.type = tarfile.FIFOTYPE", "no plain file"),
    ] {
        let text = refusal(&gzip(&python(&script(body), b"")));
        assert!(text.contains(words), "{text}");
    }
    let pax = script("i.pax_headers = {'comment': 'x'}").replace("GNU_FORMAT", "PAX_FORMAT");
    assert!(refusal(&gzip(&python(&pax, b""))).contains("no plain file"));
}

#[test]
fn a_bomb_ends_at_the_limit() {
    let bomb = tar("gnu", &[("var/zeros", 0o644, &vec![0; 30 << 20])]);
    let text = refusal(&gzip(&bomb));
    assert!(text.contains("more than 25165824 bytes"), "{text}");
}

#[test]
fn ten_thousand_packages_are_too_many_or_read_in_bounds() {
    let script = "import tarfile, io
t = tarfile.open('out', 'w', format=tarfile.GNU_FORMAT)
d = b'<vib><type>bootbank</type><name>a</name><version>%d-1</version><vendor>v</vendor></vib>'
for n in range(10000):
    i = tarfile.TarInfo('var/db/esximg/vibs/a-%d.xml' % n)
    b = d % n
    i.size = len(b)
    t.addfile(i, io.BytesIO(b))
t.close()";
    let text = refusal(&gzip(&python(script, b"")));
    assert!(text.contains("has 0 profiles"), "{text}");
}

//! What other programs make of a package with two payloads, one of them `vgz`.

use std::collections::BTreeMap;
use std::fs;

use packaging::{Bundle, Vib};

use crate::support::{DRIVER, bundle, on_disk, sample_vib, sources, tool, tool_text, vib};

/// Reads a vmtar as its layout says, with nothing but `struct` and `gzip`.
const VMTAR: &str = "
import gzip, struct, sys, hashlib
a = gzip.open(sys.argv[1]).read()
p = 0
while a[p:p+512] != bytes(512):
    h = a[p:p+512]; p += 512
    assert h[257:265] == b'visor  \\0'
    name = h[:100].split(b'\\0')[0].decode()
    size = int(h[124:135], 8); mode = int(h[100:107], 8)
    offset, text, pages, fixups = struct.unpack('<4I', h[496:])
    assert offset % 4096 == 0 and (text, pages, fixups) == (0, 0, 0)
    print(name, oct(mode), size, hashlib.sha256(a[offset:offset+size]).hexdigest())
";

/// Reads tar and zip as Python does.
const TGZ: &str = "
import tarfile, sys, hashlib
t = tarfile.open(sys.argv[1], 'r:gz')
for m in t:
    assert (m.uid, m.gid, m.uname, m.gname) == (0, 0, 'root', 'root') and not m.pax_headers
    print(m.name + '/' * m.isdir(), oct(m.mode), m.size,
          hashlib.sha256(b'' if m.isdir() else t.extractfile(m).read()).hexdigest())
";
const ZIP: &str = "
import zipfile, sys
z = zipfile.ZipFile(sys.argv[1])
assert z.testzip() is None
for i in z.infolist():
    assert i.compress_type == zipfile.ZIP_DEFLATED and not i.flag_bits & ~0x800
    print(i.filename, i.file_size)
";

/// The lines of a script for these files: path, mode, size and digest.
fn expected(rows: &[(&str, u32, Option<&str>)]) -> String {
    let sources = sources();
    rows.iter()
        .fold(String::new(), |text, (path, mode, source)| {
            let bytes = source.map_or(&[][..], |source| &sources[source]);
            let digest = packaging::digest::sha256(bytes);
            text + &format!("{path} 0o{mode:o} {} {digest}\n", bytes.len())
        })
}

#[test]
fn python_reads_both_archives() {
    let vib = vib(DRIVER, "2.0");
    let (folder, _) = on_disk("driver.vib", vib.bytes());
    tool("ar", &["x", "driver.vib"], folder.path());
    assert_eq!(
        tool_text("python3", &["-c", VMTAR, "driver"], folder.path()),
        expected(&[
            ("etc/", 0o755, None),
            ("etc/vmware/", 0o755, None),
            ("etc/vmware/default.map.d/", 0o755, None),
            (
                "etc/vmware/default.map.d/acme.map",
                0o444,
                Some("hello.toml")
            ),
            ("opt/", 0o755, None),
            ("opt/acme/", 0o755, None),
            ("opt/acme/private/", 0o700, None),
            ("opt/acme/private/marker", 0o400, Some("empty")),
            ("usr/", 0o755, None),
            ("usr/lib/", 0o755, None),
            ("usr/lib/vmware/", 0o755, None),
            ("usr/lib/vmware/vmkmod/", 0o755, None),
            ("usr/lib/vmware/vmkmod/acme", 0o444, Some("build/hello")),
        ])
    );
    assert_eq!(
        tool_text("python3", &["-c", TGZ, "tool-of-acme"], folder.path()),
        expected(&[
            ("opt/", 0o755, None),
            ("opt/acme/", 0o755, None),
            ("opt/acme/private/", 0o700, None),
            ("opt/acme/private/tool", 0o500, Some("hello.init")),
        ])
    );
}

#[test]
fn checksums_of_both_payloads_are_those_of_the_tools() {
    let vib = vib(DRIVER, "2.0");
    let (folder, _) = on_disk("driver.vib", vib.bytes());
    tool("ar", &["x", "driver.vib"], folder.path());
    let hash = |program: &str, file: &str| {
        let text = tool_text(program, &[file], folder.path());
        text.split(' ').next().unwrap().to_owned()
    };
    for name in ["driver", "tool-of-acme"] {
        let plain = tool("gzip", &["-dc", name], folder.path());
        fs::write(folder.path().join("plain"), plain).unwrap();
        let sums = tool_text(
            "xmllint",
            &[
                "--xpath",
                &format!("//payload[@name='{name}']/checksum/text()"),
                "descriptor.xml",
            ],
            folder.path(),
        );
        assert_eq!(
            sums.split_whitespace().collect::<Vec<_>>(),
            [
                hash("sha256sum", "plain"),
                hash("sha256sum", name),
                hash("sha1sum", "plain"),
            ],
            "{name}"
        );
    }
}

#[test]
fn the_file_list_has_the_files_of_both() {
    let vib = vib(DRIVER, "2.0");
    let (folder, _) = on_disk("descriptor.xml", vib.descriptor().as_bytes());
    let list = tool_text(
        "xmllint",
        &["--xpath", "//file-list/file/text()", "descriptor.xml"],
        folder.path(),
    );
    let mut files: Vec<_> = vib
        .files()
        .items()
        .iter()
        .map(|item| item.path.as_str())
        .filter(|path| !path.ends_with('/'))
        .collect();
    files.sort_unstable();
    assert_eq!(list.split_whitespace().collect::<Vec<_>>(), files);
}

#[test]
fn python_reads_a_bundle_with_two_vibs() {
    let vibs = [vib(DRIVER, "2.0"), sample_vib()];
    let bundle = bundle(&vibs).unwrap();
    let (folder, _) = on_disk("bundle.zip", bundle.bytes());
    let listing = |listing: &packaging::Listing| {
        let items = listing.items().iter();
        items.fold(String::new(), |text, item| {
            text + &format!("{} {}\n", item.path, item.size)
        })
    };
    assert_eq!(
        tool_text("python3", &["-c", ZIP, "bundle.zip"], folder.path()),
        listing(bundle.entries())
    );
    tool("unzip", &["-q", "bundle.zip"], folder.path());
    assert_eq!(
        tool_text(
            "python3",
            &["-c", ZIP, "acme-driver-2.0-1-metadata.zip"],
            folder.path()
        ),
        listing(bundle.metadata())
    );
    let paths: BTreeMap<_, _> = vibs
        .iter()
        .map(|vib| {
            (
                format!(
                    "vib20/{}/{}.vib",
                    vib.descriptor()
                        .split("<name>")
                        .nth(1)
                        .unwrap()
                        .split('<')
                        .next()
                        .unwrap(),
                    vib.id()
                ),
                vib,
            )
        })
        .collect();
    for (path, vib) in paths {
        assert_eq!(
            fs::read(folder.path().join(&path)).unwrap(),
            vib.bytes(),
            "{path}"
        );
    }
}

#[test]
fn a_bundle_is_written_where_its_file_stands() {
    use std::io::{Cursor, Seek as _, SeekFrom};
    let sample = sample_vib();
    let mut out = Cursor::new(b"in front".to_vec());
    out.seek(SeekFrom::End(0)).unwrap();
    let written = Bundle::write(&[Vib::clone(&sample)], |_| Ok(sample.bytes()), &mut out).unwrap();
    let bytes = out.into_inner();
    assert!(bytes.starts_with(b"in frontPK"));
    assert_eq!(packaging::digest::sha256(&bytes[8..]), written.sha256());
}

#[test]
fn a_vib_that_is_not_the_one_that_was_written_stops_the_bundle() {
    let sample = sample_vib();
    let mut other = sample.bytes().to_vec();
    *other.last_mut().unwrap() ^= 1;
    for (bytes, problem) in [
        (&other[..], "its bytes are not those that were written"),
        (&other[1..], "it has fewer than the "),
    ] {
        let out = std::io::Cursor::new(Vec::new());
        let error = Bundle::write(&[Vib::clone(&sample)], |_| Ok(bytes), out).unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("the source \"hello-1.2.0-3.vib\" cannot be packed: "),
            "{text}"
        );
        assert!(text.contains(problem), "{text}");
    }
}

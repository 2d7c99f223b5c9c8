//! Media made by hand: a boot loader's configuration twice, a dozen modules, and an image database
//! with three packages.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Cursor, Read};

use packaging::inspect::Limits;
use packaging::media::{Addition, Changes, Content, Image, Medium, MediumFile, Options};

use crate::reading::fixture::{gzip, tar};
use crate::support::{SAMPLE, Written, vib};

/// A medium in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Memory(pub(crate) BTreeMap<String, Vec<u8>>);

impl Medium for Memory {
    fn files(&self) -> io::Result<Vec<MediumFile>> {
        let files = self.0.iter();
        Ok(files
            .map(|(path, bytes)| MediumFile {
                path: path.clone(),
                size: bytes.len() as u64,
            })
            .collect())
    }

    fn open<'m>(&'m self, path: &str) -> io::Result<Box<dyn Read + 'm>> {
        let bytes = self.0.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(bytes.as_slice()))
    }
}

/// A package of a medium: name, version, the rest of its relationships, files, payloads.
pub(crate) struct Packed<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    pub(crate) relationships: &'a str,
    pub(crate) files: &'a [&'a str],
    /// Payload, type and module.
    pub(crate) payloads: &'a [(&'a str, &'a str, &'a str)],
}

impl Packed<'_> {
    pub(crate) fn id(&self) -> String {
        format!("VMware_bootbank_{}_{}", self.name, self.version)
    }

    pub(crate) fn record(&self, depot: bool) -> String {
        let mut payloads = String::new();
        for (name, kind, _) in self.payloads {
            write!(
                payloads,
                r#"<payload name="{name}" type="{kind}" size="10"><checksum checksum-type="sha-256">{}</checksum></payload>"#,
                "0".repeat(64)
            )
            .unwrap();
        }
        let files = self.files.iter().fold(String::new(), |text, file| {
            text + "<file>" + file + "</file>"
        });
        let facts = if depot {
            format!(
                r#"<relative-path>vib20/{0}/{1}.vib</relative-path><packed-size>9</packed-size><checksum checksum-type="sha-256">{2}</checksum>"#,
                self.name,
                self.id(),
                "1".repeat(64)
            )
        } else {
            String::new()
        };
        format!(
            r#"<vib version="5.0"><type>bootbank</type><name>{}</name><version>{}</version><vendor>VMware</vendor><summary>s</summary><description>d</description><release-date>2018-04-03T00:00:00.000000+00:00</release-date><urls/><relationships>{}</relationships><software-tags/>{facts}<system-requires><maintenance-mode>true</maintenance-mode></system-requires><file-list>{files}</file-list><acceptance-level>certified</acceptance-level><live-install-allowed>false</live-install-allowed><live-remove-allowed>false</live-remove-allowed><cimom-restart>false</cimom-restart><stateless-ready>true</stateless-ready><overlay>false</overlay><payloads>{payloads}</payloads></vib>"#,
            self.name, self.version, self.relationships
        )
    }
}

/// A release as media know it: `build` of boot.cfg, and the version of its base package.
pub(crate) const RELEASES: [(&str, &str); 7] = [
    ("", "5.0.0-0.0.469512"),
    ("", "5.5.0-0.0.1331820"),
    ("", "6.0.0-0.0.2494585"),
    ("", "6.5.0-0.0.4564106"),
    ("", "6.7.0-0.0.8169922"),
    ("7.0.3-0.0.18644231", "7.0.3-0.0.18644231"),
    ("8.0.3-0.35.24280767", "8.0.3-0.35.24280767"),
];

pub(crate) const MODULES: &str = "/useropts.gz --- /k.b00 --- /a.b00 option=1 --- /s.v00 --- /net.v00 --- /net.v01 --- /weaselin.t00 --- /esxupdt.v00 --- /tools.t00 --- /xorg.v00 --- /imgdb.tgz --- /imgpayld.tgz";

/// The media of a release of [`RELEASES`].
pub(crate) fn medium(version: &str) -> Memory {
    let (build, base) = RELEASES
        .into_iter()
        .find(|(_, base)| base.starts_with(version))
        .unwrap();
    let short = base.split('-').next().unwrap();
    let pairs = !version.starts_with("5.") && version != "6.0";
    let relationships = format!(
        r#"<depends/><conflicts/><replaces/><provides><provide name="esx-version" version="{short}"/></provides><compatibleWith/>"#
    );
    let none = "<depends/><conflicts/><replaces/><provides/><compatibleWith/>";
    let needs = r#"<depends><constraint name="esx-version" relation="&gt;=" version="5.0.0"/></depends><conflicts/><replaces/><provides/><compatibleWith/>"#;
    let vibs = [
        Packed {
            name: "esx-base",
            version: base,
            relationships: &relationships,
            files: &["bin/sh", "etc/vmware/base"],
            payloads: &[("k", "boot", "k.b00"), ("s", "vgz", "s.v00")],
        },
        Packed {
            name: "net-one",
            version: "1.0-1",
            relationships: needs,
            files: &["usr/lib/vmware/vmkmod/one"],
            payloads: &[("net", "vgz", "net.v00")],
        },
        Packed {
            name: "net-two",
            version: "2.0-1",
            relationships: none,
            files: &["usr/lib/vmware/vmkmod/two"],
            payloads: &[("net", "vgz", "net.v01")],
        },
    ];
    let title = format!("Loading ESXi {version} installer");
    let config = format!(
        "bootstate=0\ntitle={title}\ntimeout=5\nprefix=\nkernel=/b.b00\nkernelopt=runweasel cdromBoot\nmodules={MODULES}\nbuild={build}\nupdated=0\n"
    );
    let mut files = BTreeMap::from([
        ("BOOT.CFG".to_owned(), config.clone().into_bytes()),
        ("EFI/BOOT/BOOT.CFG".to_owned(), config.into_bytes()),
        ("EFI/BOOT/BOOTX64.EFI".to_owned(), vec![b'E'; 3000]),
        ("EFIBOOT.IMG".to_owned(), vec![b'F'; 5000]),
        ("ISOLINUX.BIN".to_owned(), vec![b'I'; 4096]),
        (
            "ISOLINUX.CFG".to_owned(),
            b"DEFAULT menu.c32\nLABEL install\n  KERNEL mboot.c32\n  APPEND -c boot.cfg\n".to_vec(),
        ),
        ("UPGRADE/METADATA.XML".to_owned(), b"<m/>\n".to_vec()),
        ("B.B00".to_owned(), b"kernel".to_vec()),
        ("IMGDB.TGZ".to_owned(), database(&vibs, pairs)),
    ]);
    for (place, module) in MODULES.split(" --- ").enumerate() {
        let name = module.split(' ').next().unwrap().trim_start_matches('/');
        files
            .entry(name.to_ascii_uppercase())
            .or_insert_with(|| vec![u8::try_from(place).unwrap(); 1000 + place * 700]);
    }
    Memory(files)
}

/// The profile of a medium.
pub(crate) fn profile(vibs: &[Packed<'_>]) -> String {
    let mut list = String::new();
    for vib in vibs {
        let payloads = vib
            .payloads
            .iter()
            .fold(String::new(), |text, (name, _, file)| {
                text + &format!(r#"<payload payload-name="{name}">{file}</payload>"#)
            });
        write!(
            list,
            "<vib><vib-id>{}</vib-id><payloads>{payloads}</payloads></vib>",
            vib.id()
        )
        .unwrap();
    }
    format!(
        "<imageprofile><name>ESXi-standard</name><creator>VMware, Inc.</creator><profileID>0123456789abcdef0123456789abcdef</profileID><creationtime>2018-04-03T00:00:00+00:00</creationtime><modifiedtime>2018-04-03T00:00:00+00:00</modifiedtime><serialno>1</serialno><description>a &amp; b</description><readonly>true</readonly><viblist>{list}</viblist><acceptancelevel>partner</acceptancelevel></imageprofile>"
    )
}

/// `imgdb.tgz` by the system's tar and gzip.
pub(crate) fn database(vibs: &[Packed<'_>], pairs: bool) -> Vec<u8> {
    let mut files = vec![(
        "var/db/esximg/profiles/ESXi-standard-0001".to_owned(),
        profile(vibs).into_bytes(),
    )];
    for (number, vib) in vibs.iter().enumerate() {
        let path = format!("var/db/esximg/vibs/{}-{number:010}.xml", vib.name);
        if pairs {
            files.push((format!("{path}.orig"), vib.record(false).into_bytes()));
            files.push((format!("{path}.sig"), b"signed".to_vec()));
        }
        files.push((path, vib.record(true).into_bytes()));
    }
    packed_database(&files)
}

pub(crate) fn packed_database(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let files: Vec<_> = files
        .iter()
        .map(|(path, data)| (path.as_str(), 0o644, data.as_slice()))
        .collect();
    gzip(&tar("gnu", &files))
}

/// The sample package, at a version.
pub(crate) fn sample(version: &str) -> Written {
    vib(SAMPLE, version)
}

pub(crate) fn addition(vib: &[u8]) -> Addition {
    Addition::read(Cursor::new(vib), &Limits::default()).expect("it is a VIB")
}

pub(crate) fn image(medium: &Memory) -> Image {
    Image::read(medium).expect("it is a medium")
}

/// A medium with packages added, and what was said about it.
pub(crate) fn added(medium: &Memory, vibs: &[&[u8]]) -> (Memory, Changes) {
    let additions: Vec<_> = vibs.iter().map(|vib| addition(vib)).collect();
    let changes = image(medium)
        .add(&additions, &Options::default())
        .expect("it can be added");
    (applied(medium, &changes, vibs), changes)
}

pub(crate) fn removed(medium: &Memory, name: &str) -> Memory {
    let changes = image(medium)
        .remove(&[name.to_owned()], &Options::default())
        .expect("it can be removed");
    applied(medium, &changes, &[])
}

/// What becomes of a medium.
pub(crate) fn applied(medium: &Memory, changes: &Changes, vibs: &[&[u8]]) -> Memory {
    let mut files = medium.0.clone();
    for path in &changes.remove {
        files.remove(path).expect("it is there");
    }
    for change in &changes.write {
        let bytes = match &change.content {
            Content::Bytes(bytes) => bytes.clone(),
            Content::Payload {
                addition,
                offset,
                size,
                ..
            } => {
                let start = usize::try_from(*offset).unwrap();
                vibs[*addition][start..start + usize::try_from(*size).unwrap()].to_vec()
            }
        };
        files.insert(change.path.clone(), bytes);
    }
    Memory(files)
}

/// What an addition is refused with.
pub(crate) fn refusal(medium: &Memory, vibs: &[&[u8]]) -> String {
    let additions: Vec<_> = vibs.iter().map(|vib| addition(vib)).collect();
    let changes = Image::read(medium).and_then(|image| image.add(&additions, &Options::default()));
    changes.expect_err("it is refused").to_string()
}

/// The sample package with another description.
pub(crate) fn other(changes: &[(&str, &str)], version: &str) -> Written {
    let text = changes.iter().fold(SAMPLE.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    vib(&text, version)
}

//! A VIB of 4.x: a Debian package, an RPM, or both, with a descriptor behind them (FORMAT.md R3).

use std::io::{BufReader, Read};

use serde::Serialize;

use super::ar::{Member, Reader};
use super::archive::Archive;
use super::limits::Meter;
use super::payload::gunzip_archive;
use super::stream::whole;
use super::vib::{DESCRIPTOR, SIGNATURE};
use super::xml::Node;
use super::{Expected, Observer, ReadError, XmlKind, xml};

pub(super) const DEBIAN: &str = "debian-binary";
const CONTROL: &str = "control.tar.gz";
const DATA: &str = "data.tar.gz";

/// A VIB of 4.x.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct LegacyVib {
    /// `deb`, `rpm` or `cross`.
    pub vib_type: String,
    /// `TYPE_NAME_VERSION`, as written.
    pub id: String,
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Vendor.
    pub vendor: String,
    /// When it was built, as written.
    pub build_date: Option<String>,
    /// Releases that it is for, as `PRODUCT-LINE VERSION`.
    pub platforms: Vec<String>,
    /// Whether maintenance mode is needed, as written.
    pub maintenance_mode: Option<String>,
    /// Whether the host must be rebooted, as written.
    pub reboot_required: Option<String>,
    /// Where it goes: `root`, `stage`, `oem`, `custom` or `locker`.
    pub destination: Option<String>,
    /// Tags.
    pub software_tags: Vec<String>,
    /// Whether there is a signature, which is not checked.
    pub signed: bool,
    /// Contents of `control.tar.gz`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control: Option<Archive>,
    /// Contents of `data.tar.gz`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Archive>,
    /// All members, in the order of the archive.
    pub members: Vec<Member>,
}

/// Whether a VIB of 4.x begins with this member.
pub(super) fn begins_with(member: &str) -> bool {
    member == DEBIAN || is_rpm(member)
}

fn is_rpm(member: &str) -> bool {
    member
        .rsplit_once('.')
        .is_some_and(|(_, extension)| extension == "rpm")
}

/// Reads on behind the header of the first member.
pub(super) fn read<R: Read>(
    archive: &mut Reader<'_, R>,
    first: Member,
    meter: &Meter,
    observer: &mut dyn Observer,
) -> Result<LegacyVib, ReadError> {
    let mut members: Vec<Member> = Vec::new();
    let mut next = Some(first);
    let mut root = None;
    let (mut control, mut data) = (None, None);
    while let Some(member) = next {
        match member.name.as_str() {
            CONTROL => control = Some(tarball(archive, "control", &member, meter, observer)?),
            DATA => data = Some(tarball(archive, "data", &member, meter, observer)?),
            DESCRIPTOR => {
                let text = whole(archive, meter.limits.xml_bytes, DESCRIPTOR, member.offset)?;
                let document = xml::parse(&text, XmlKind::LegacyDescriptor, meter)
                    .map_err(ReadError::within(DESCRIPTOR))?;
                observer.member(DESCRIPTOR, &mut text.as_slice())?;
                root = Some(document.root);
            }
            name => observer.member(name, archive)?,
        }
        members.push(member);
        next = archive.next_member()?;
    }
    let root = root.ok_or_else(|| ReadError::UnknownKind {
        found: "it is an ar archive like those of 4.x, but there is no descriptor.xml in it"
            .to_owned(),
    })?;
    let vib = facts(&root, control, data, members);
    check_order(&vib, archive.offset())?;
    Ok(vib)
}

fn tarball<R: Read>(
    archive: &mut Reader<'_, R>,
    folder: &str,
    member: &Member,
    meter: &Meter,
    observer: &mut dyn Observer,
) -> Result<Archive, ReadError> {
    let mut stored = BufReader::new(archive);
    let found = gunzip_archive(&mut stored, folder, meter, observer)
        .map_err(ReadError::within(format!("member {:?}", member.name)))?;
    Ok(found.archive)
}

fn facts(
    root: &Node,
    control: Option<Archive>,
    data: Option<Archive>,
    members: Vec<Member>,
) -> LegacyVib {
    let text = |name: &str| root.string(name).unwrap_or_default();
    let system = root.child("systemReqs");
    let platforms = system.map_or(&[][..], |node| &node.children);
    let platforms = platforms.iter().filter(|child| child.name == "swPlatform");
    LegacyVib {
        vib_type: text("vibType"),
        id: text("vibID"),
        name: text("name"),
        version: text("version"),
        vendor: text("vendor"),
        build_date: root.string("buildDate"),
        platforms: platforms
            .map(|child| {
                let attribute = |name| child.attribute(name).unwrap_or_default();
                format!("{} {}", attribute("productLineID"), attribute("version"))
                    .trim()
                    .to_owned()
            })
            .collect(),
        maintenance_mode: system.and_then(|node| node.string("maintenanceMode")),
        reboot_required: root
            .child("postInstall")
            .and_then(|node| node.string("rebootRequired")),
        destination: root.string("visorDestination"),
        software_tags: root
            .list("softwareTags")
            .iter()
            .map(|tag| tag.text().to_owned())
            .collect(),
        signed: members
            .iter()
            .any(|member| member.name == SIGNATURE && member.size > 0),
        control,
        data,
        members,
    }
}

/// Each kind has its members in one order, the signature at the end if there is one.
fn check_order(vib: &LegacyVib, end: u64) -> Result<(), ReadError> {
    let kind: &[&'static str] = match vib.vib_type.as_str() {
        "deb" => &[DEBIAN, CONTROL, DATA, DESCRIPTOR],
        "rpm" => &["*.rpm", DESCRIPTOR],
        "cross" => &[DEBIAN, CONTROL, DATA, "*.rpm", DESCRIPTOR],
        other => {
            return Err(ReadError::Xml {
                kind: XmlKind::LegacyDescriptor,
                element: "vibType".to_owned(),
                offset: 0,
                problem: format!("it is {other:?} in place of deb, rpm or cross"),
            });
        }
    };
    let is = |member: &Member, expected: &str| match expected {
        "*.rpm" => is_rpm(&member.name),
        name => member.name == name,
    };
    let mut members = vib.members.iter();
    for expected in kind {
        let member = members.next();
        if !member.is_some_and(|member| is(member, expected)) {
            return Err(ReadError::MemberOrder {
                offset: member.map_or(end, |member| member.offset),
                found: member.map(|member| member.name.clone()).unwrap_or_default(),
                expected: Expected::Legacy(expected),
            });
        }
    }
    match members.find(|member| member.name != SIGNATURE) {
        None => Ok(()),
        Some(member) => Err(ReadError::MemberOrder {
            offset: member.offset,
            found: member.name.clone(),
            expected: Expected::Nothing,
        }),
    }
}

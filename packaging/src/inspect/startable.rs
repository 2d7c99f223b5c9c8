//! What hosts start or parse by its place: scripts, and XML files of their services (FORMAT.md H5,
//! H6).

use serde::Serialize;

use super::limits::Meter;
use super::{ReadError, XmlKind, xml};

/// Directories whose files a host starts.
const STARTED: [&str; 3] = [
    "etc/init.d/",
    "etc/shutdown.d/",
    "etc/vmware/shutdown/shutdown.d/",
];
/// Directories whose XML files a host parses; of the second, whatever they are called.
const PARSED: [(&str, &str); 3] = [
    ("etc/vmware/firewall/", ".xml"),
    ("etc/vmware/service/", ""),
    ("usr/lib/vmware/esxcli/ext/", ".xml"),
];
/// Most bytes of a script that are looked at.
pub(super) const SCRIPT_BYTES: u64 = 64 << 10;
/// Most bytes of a line with an interpreter that are kept.
const LINE_BYTES: usize = 256;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What a script says about how it is started. Files that a host starts by their place, and that are
/// no programs, are taken for scripts, too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Script {
    /// What follows `#!` in the first line, without blanks around it; absent if nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interpreter: Option<String>,
    /// Whether a byte order mark stands before everything else.
    pub byte_order_mark: bool,
    /// The first line, counted from 1, that ends with a carriage return and a newline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carriage_return: Option<usize>,
}

impl Script {
    /// From the beginning of a file; `None` if it is no script, neither by its first bytes nor by its
    /// place.
    pub(super) fn read(path: &str, bytes: &[u8]) -> Option<Self> {
        let line = bytes
            .split(|byte| *byte == b'\n')
            .next()
            .unwrap_or_default();
        let line = line.strip_prefix(b"#!");
        if line.is_none() && !is_started(path) {
            return None;
        }
        let line = line.unwrap_or_default();
        let line = line.get(..LINE_BYTES).unwrap_or(line).trim_ascii();
        let mut lines = (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n'));
        Some(Self {
            interpreter: (!line.is_empty()).then(|| String::from_utf8_lossy(line).into_owned()),
            byte_order_mark: bytes.starts_with(BYTE_ORDER_MARK),
            carriage_return: lines
                .find(|(_, line)| line.ends_with(b"\r\n"))
                .map(|(number, _)| number),
        })
    }
}

/// Whether a host starts a file because of its place.
pub(crate) fn is_started(path: &str) -> bool {
    STARTED.iter().any(|folder| path.starts_with(folder))
}

/// Whether a host parses a file because of its place.
pub(super) fn is_parsed(path: &str) -> bool {
    let fits = |(folder, end): &(&str, &str)| path.starts_with(folder) && path.ends_with(end);
    PARSED.iter().any(fits)
}

/// Why the XML of a file is not well-formed. Encodings and document types that this reader does not
/// know are for the host to say.
///
/// # Errors
/// Beyond the limits on all XML together.
pub(super) fn xml_fault(bytes: &[u8], meter: &Meter) -> Result<Option<String>, ReadError> {
    match xml::well_formed(bytes, XmlKind::Service, meter) {
        Err(ReadError::Xml {
            offset, problem, ..
        }) => Ok(Some(format!("byte {offset}: {problem}"))),
        Err(error @ ReadError::TooLarge { .. }) => Err(error),
        Ok(()) | Err(_) => Ok(None),
    }
}

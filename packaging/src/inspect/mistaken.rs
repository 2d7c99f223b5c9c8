//! Files that are often taken for packages, by how they begin (FORMAT.md R1).

use std::io::Read;

use super::stream::fill;
use super::{ReadError, ZipEntry};
use crate::rules;

/// Bytes that tell them apart.
const HEAD: usize = 512;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const UNPACK: &str = "unpack it first, if a package is in it";
const DOWNLOAD: &str = "look into it, and download the package itself";

/// The first bytes of a file, of which some were read before.
pub(super) fn head(before: &[u8], rest: &mut impl Read) -> Vec<u8> {
    let mut head = before.to_vec();
    head.resize(HEAD, 0);
    let (_, space) = head.split_at_mut(before.len().min(HEAD));
    // What cannot be read says nothing.
    let count = fill(rest, space).unwrap_or_default();
    head.truncate(before.len().saturating_add(count));
    head
}

/// What the file is, if that is clear from its first bytes.
pub(super) fn known(head: &[u8]) -> Option<ReadError> {
    let (found, remedy) = kind(head)?;
    Some(ReadError::Mistaken {
        found: found.to_owned(),
        remedy,
        rule: rules::KIND,
    })
}

fn kind(head: &[u8]) -> Option<(&'static str, &'static str)> {
    let text = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head);
    let text = text.trim_ascii_start().to_ascii_lowercase();
    let holds = |part: &[u8]| text.windows(part.len()).any(|window| window == part);
    Some(match text.first()? {
        b'<' if holds(b"<html") || holds(b"<!doctype html") => (
            "it is a web page",
            "download the file itself: the address leads to a page about it, to a login or to an error",
        ),
        b'<' => ("it is XML, such as a server's word of an error", DOWNLOAD),
        b'{' => ("it is JSON, such as a server's word of an error", DOWNLOAD),
        b'v' if text.starts_with(b"version https://git-lfs") => (
            "it is a pointer of Git LFS",
            "fetch the file that it stands for: git lfs pull",
        ),
        b'-' if text.starts_with(b"-----begin ") => (
            "it is PEM text",
            "give the package, not a key or certificate",
        ),
        _ if head.starts_with(b"\xfd7zXZ\0") => ("it is compressed by xz", UNPACK),
        _ if head.starts_with(b"(\xb5/\xfd") => ("it is compressed by zstd", UNPACK),
        _ if head.starts_with(b"BZh") => ("it is compressed by bzip2", UNPACK),
        _ if head.starts_with(b"7z\xbc\xaf") => ("it is an archive of 7-Zip", UNPACK),
        _ if head.starts_with(b"Rar!") => ("it is an archive of RAR", UNPACK),
        _ if head.get(257..262) == Some(b"ustar") => (
            "it is a tar that is not compressed",
            "compress it: gzip -n FILE",
        ),
        _ => return None,
    })
}

/// The error for a zip in whose only folder a bundle lies.
pub(super) fn zipped_folder(entries: &[ZipEntry], index: &str) -> Option<ReadError> {
    let own = |entry: &&ZipEntry| !is_leftover(&entry.path);
    let first = entries.iter().find(own)?;
    let (folder, _) = first.path.split_once('/')?;
    let (inside, wanted) = (format!("{folder}/"), format!("{folder}/{index}"));
    let mut others = entries.iter().filter(own);
    let is_only = others.all(|entry| entry.path.starts_with(&inside));
    if !is_only || !entries.iter().any(|entry| entry.path == wanted) {
        return None;
    }
    Some(ReadError::Mistaken {
        found: format!("it is a zip of the folder {folder:?}, in which the bundle lies"),
        remedy: "zip its contents: hosts look for index.xml at the top",
        rule: rules::DEPOT_PATHS,
    })
}

/// Whether macOS leaves files of this path behind, for attributes that no other system has.
pub(crate) fn is_leftover(path: &str) -> bool {
    let mut names = path.trim_end_matches('/').split('/');
    let last = names.clone().next_back().unwrap_or_default();
    last.starts_with("._") || last == ".DS_Store" || names.any(|name| name == "__MACOSX")
}

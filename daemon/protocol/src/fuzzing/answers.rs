//! What a storage is asked, and answers that fit.

use crate::{
    request::{Facts, Kind, Operation, Outcome, Permissions, Space, Timestamp, Transfer},
    virtual_path::VirtualPath,
};

/// What is known of a file or directory of this kind.
pub(crate) fn facts(kind: Kind) -> Facts {
    Facts {
        kind,
        size: (kind == Kind::File).then_some(1234),
        modified: Some(Timestamp {
            seconds: 951_782_400,
            nanoseconds: 0,
        }),
        created: None,
        mode: 0o644,
        owner: 0,
        group: 0,
        links: 1,
        unique: (1, 2),
        permissions: Permissions {
            enter: true,
            retrieve: true,
            ..Permissions::default()
        },
    }
}

/// Everything exists; names without a dot are directories.
pub(crate) fn fitting(operation: &Operation) -> Outcome {
    match operation {
        Operation::Facts(path) | Operation::Entry(path) | Operation::Size(path) => {
            Outcome::Facts(facts(
                if path.file_name().is_some_and(|name| name.contains(&b'.')) {
                    Kind::File
                } else {
                    Kind::Directory
                },
            ))
        }
        Operation::Prepare(transfer) => match transfer {
            Transfer::Download { path, .. } => Outcome::Ready {
                size: Some(1234),
                path: path.clone(),
            },
            Transfer::Upload { path, .. } => Outcome::Ready {
                size: None,
                path: path.clone(),
            },
            Transfer::List(listing) => Outcome::Ready {
                size: None,
                path: listing.path.clone(),
            },
        },
        Operation::Digest { start, end, .. } => Outcome::Digest {
            hex: "00ff".into(),
            start: *start,
            end: end.unwrap_or(1234),
        },
        Operation::Space(_) => Outcome::Space(Space {
            total: 1000,
            available: 400,
        }),
        Operation::Lines(_) => Outcome::Lines {
            lines: vec!["-rw-r--r-- a.txt".into()],
            cut: false,
        },
        _ => Outcome::Done,
    }
}

/// The paths that an operation is about.
pub(crate) fn paths(operation: &Operation) -> Vec<&VirtualPath> {
    match operation {
        Operation::Facts(path)
        | Operation::Entry(path)
        | Operation::Size(path)
        | Operation::MakeDirectory(path)
        | Operation::RemoveDirectory(path)
        | Operation::RemoveFile(path)
        | Operation::SetMode { path, .. }
        | Operation::SetModified { path, .. }
        | Operation::Digest { path, .. }
        | Operation::Space(path) => vec![path],
        Operation::Rename { from, to } | Operation::Copy { from, to } => vec![from, to],
        Operation::Lines(listing) | Operation::Prepare(Transfer::List(listing)) => {
            vec![&listing.path]
        }
        Operation::Prepare(Transfer::Download { path, .. } | Transfer::Upload { path, .. }) => {
            vec![path]
        }
    }
}

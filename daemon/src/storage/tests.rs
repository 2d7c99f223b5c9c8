use std::{fs, io::Cursor, path::Path};

use unftp_core::storage::{ErrorKind, StorageBackend as _};

use super::Storage;
use crate::{
    accounts::{Account, Rights},
    session::Work,
};

fn account(root: &Path, read_only: bool) -> Account {
    Account {
        name: "alice".to_owned(),
        root: root.to_owned(),
        rights: if read_only {
            Rights::read_only()
        } else {
            Rights::default()
        },
    }
}

#[tokio::test]
async fn a_read_only_account_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file"), "old").unwrap();
    fs::create_dir(directory.path().join("dir")).unwrap();
    let account = account(directory.path(), true);
    let mut storage = Storage::new(Work::new());
    storage.enter(&account).unwrap();

    let refusals = [
        storage
            .put(&account, Cursor::new(b"new".to_vec()), "/file", 0)
            .await
            .map(drop),
        storage.del(&account, "/file").await,
        storage.mkd(&account, "/more").await,
        storage.rmd(&account, "/dir").await,
        storage.rename(&account, "/file", "/moved").await,
    ];
    for refusal in refusals {
        assert_eq!(refusal.unwrap_err().kind(), ErrorKind::PermissionDenied);
    }
    let mut content = Vec::new();
    storage
        .get_into(&account, "/file", 0, &mut content)
        .await
        .unwrap();
    assert_eq!(content, b"old");
    assert!(directory.path().join("dir").is_dir());
}

#[tokio::test]
async fn nothing_is_reachable_before_log_in() {
    let directory = tempfile::tempdir().unwrap();
    let storage = Storage::new(Work::new());
    let account = account(directory.path(), false);
    assert!(storage.list(&account, "/").await.is_err());
    assert!(storage.mkd(&account, "/x").await.is_err());
}

#[tokio::test]
async fn a_link_does_not_lead_out_of_the_root() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    let directory = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path(), directory.path().join("way-out")).unwrap();
    let account = account(directory.path(), false);
    let mut storage = Storage::new(Work::new());
    storage.enter(&account).unwrap();
    for path in ["/way-out/secret", "/../secret", "/x/../../secret"] {
        assert!(storage.get(&account, path, 0).await.is_err(), "{path}");
    }
}

#[test]
fn a_missing_root_refuses_the_log_in() {
    let mut storage = Storage::new(Work::new());
    assert!(
        storage
            .enter(&account(Path::new("/does/not/exist"), false))
            .is_err()
    );
}

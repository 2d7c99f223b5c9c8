//! A datastore that is full, or vanishes and comes back. Mounts are made in a namespace of a thread
//! of its own, so nobody else sees them.

use std::{fs, path::Path, thread};

use anyhow::{Context as _, Result, anyhow, ensure};
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
};

use super::{
    Case, Place, Stage,
    stage::{content, expect_failure, fetch, store, wait_until},
};
use crate::conformance::Then;

const MIB: usize = 1 << 20;
/// Where the file system is mounted, and the user's root in it.
const DATASTORE: &str = "datastore";
const HOME: &str = "datastore/home";
/// Bytes of it.
const SIZE: usize = 32 * MIB;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("a datastore that is full", |place| apart(|| full(place))),
        Case::new("a datastore that is unmounted", |place| {
            apart(|| unmounted(place))
        }),
    ]
}

/// Runs a case in a mount namespace of its own; processes that it starts are in it, too.
fn apart(case: impl FnOnce() -> Result<()> + Send) -> Result<()> {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let none = None::<&str>;
            unshare(CloneFlags::CLONE_NEWNS).context("a mount namespace")?;
            mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
                .context("making mounts private")?;
            case()
        });
        thread.join().map_err(|_panic| anyhow!("it panicked"))?
    })
}

fn mount_at(place: &Path) -> Result<()> {
    let (tmpfs, size) = (Some("tmpfs"), format!("size={SIZE}"));
    fs::create_dir_all(place)?;
    mount(tmpfs, place, tmpfs, MsFlags::empty(), Some(size.as_str()))
        .with_context(|| format!("mounting at {}", place.display()))?;
    Ok(fs::create_dir_all(place.join("home"))?)
}

fn start(place: &Place<'_>) -> Result<Stage> {
    let dir = tempfile::tempdir()?;
    mount_at(&dir.path().join(DATASTORE))?;
    Stage::start_in(place, "", dir, HOME)
}

fn full(place: &Place<'_>) -> Result<()> {
    let stage = start(place)?;
    let (old, new) = (content(MIB, 1), content(SIZE, 2));
    fs::write(stage.path("f"), &old)?;
    let mut session = stage.log_in()?;
    store(&mut session, "STOR warm", b"warm")?;
    let descriptors = stage.descriptors()?;
    // Told beforehand, and it costs no data connection.
    session.open_simply()?;
    session.command(format!("ALLO {}", 2 * SIZE).as_bytes(), "200")?;
    session.send_line(b"STOR f")?;
    expect_failure(&mut session, "452", "no space left")?;
    session.open_simply()?;
    session.command(b"STOR f", "150")?;
    drop(session.write(&new, Then::End));
    expect_failure(&mut session, "452", "no space left")?;
    ensure!(
        fs::read(stage.path("f"))? == old,
        "the old file has changed"
    );
    ensure!(
        !stage.path(".f.esxftpd-part").exists(),
        "what has come keeps the datastore full"
    );
    store(&mut session, "STOR f", &new[..SIZE / 4])?;
    ensure!(fs::read(stage.path("f"))? == new[..SIZE / 4], "not stored");
    stage.expect_descriptors(descriptors)
}

fn unmounted(place: &Place<'_>) -> Result<()> {
    let stage = start(place)?;
    let mountpoint = stage.root.parent().context("no mount point")?.to_owned();
    let file = content(8 * MIB, 5);
    fs::write(stage.path("f"), &file)?;
    let mut session = stage.log_in()?;
    store(&mut session, "STOR warm", b"warm")?;
    let mut downloading = stage.log_in()?;
    fetch(&mut downloading, "RETR warm")?;
    let descriptors = stage.descriptors()?;

    downloading.open_simply()?;
    downloading.command(b"RETR f", "150")?;
    let mut sent = downloading.read(Some(MIB))?;
    session.open_simply()?;
    session.command(b"STOR up", "150")?;
    session.write(&file[..3 * MIB], Then::GoOn)?;
    let part = stage.path(".up.esxftpd-part");
    wait_until(|| Ok(fs::metadata(&part).is_ok_and(|part| part.len() > 0)))?;
    umount2(&mountpoint, MntFlags::MNT_DETACH)?;
    session.write(&file[3 * MIB..], Then::End)?;
    expect_failure(&mut session, "451", "its datastore has gone").with_context(|| stage.log())?;
    // The file system goes when nobody has a file of it open any more.
    sent.extend(downloading.read(None)?);
    downloading.expect("226")?;
    ensure!(sent == file, "what was sent is wrong");
    for command in ["SIZE f", "CWD /", "MKD d", "STAT /"] {
        session.send_line(command.as_bytes())?;
        expect_failure(&mut session, "550", "no such").with_context(|| command.to_owned())?;
    }
    for command in ["LIST", "STOR f", "RETR f"] {
        session.open_simply()?;
        session.send_line(command.as_bytes())?;
        expect_failure(&mut session, "550", "no such").with_context(|| command.to_owned())?;
    }
    ensure!(
        fs::read_dir(&mountpoint)?.next().is_none(),
        "something was written below the mount point"
    );
    let mut newcomer = stage.greeted()?;
    newcomer.command(b"USER alice", "331")?;
    newcomer.command(b"PASS correct horse", "530")?;
    drop(newcomer);

    // It comes back, and nobody has to be told.
    mount_at(&mountpoint)?;
    store(&mut session, "STOR f", &file)?;
    ensure!(
        fetch(&mut session, "RETR f")? == file,
        "what was stored is wrong"
    );
    stage.log_in()?.check_alive()?;
    stage.expect_descriptors(descriptors)
}

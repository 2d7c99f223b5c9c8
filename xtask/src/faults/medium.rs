//! A medium that fails in the middle of a transfer, at its end, or altogether.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use super::{
    Case, Place, Stage,
    stage::{content, expect_failure, fetch, store, wait_until},
};
use crate::conformance::{Session, Then};

const MIB: usize = 1 << 20;

/// Errors of a medium, with the code and the words that clients get.
const ERRORS: &[(&str, &str, &str)] = &[
    ("EIO", "451", "the storage reports an error"),
    ("ESTALE", "451", "the storage reports an error"),
    ("ENOSPC", "452", "no space left"),
    ("EDQUOT", "552", "quota exceeded"),
    ("EROFS", "550", "the datastore is read-only"),
    ("EBUSY", "450", "the file is locked"),
];

/// What an upload does, by the calls for it.
const OF_UPLOADS: &[(&str, &[&str])] = &[
    ("write", &["pwrite64"]),
    ("sync", &["fsync"]),
    ("rename", &["rename", "renameat"]),
];

/// Every call by which a file or directory is reached.
const REACHING: &[&str] = &[
    "open",
    "openat",
    "stat",
    "lstat",
    "newfstatat",
    "getdents64",
];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for &(name, calls) in OF_UPLOADS {
        for &(errno, code, words) in ERRORS {
            cases.push(Case::new(format!("{errno} at {name}"), move |place| {
                upload(place, &lines(calls, errno), code, words)
            }));
        }
    }
    for &(errno, code, words) in ERRORS {
        cases.push(Case::new(format!("{errno} at appending"), move |place| {
            append(place, &lines(&["pwrite64"], errno), code, words)
        }));
    }
    for errno in ["EIO", "ENOSPC"] {
        cases.push(Case::new(
            format!("{errno} at sync of a directory"),
            move |place| unsynced(place, errno),
        ));
    }
    cases.push(Case::new("a medium that hangs", hanging));
    for errno in ["EIO", "ESTALE"] {
        cases.push(Case::new(format!("{errno} at read"), move |place| {
            download(place, &lines(&["pread64", "sendfile"], errno))
        }));
        cases.push(Case::new(format!("{errno} at listing"), move |place| {
            listing(place, &lines(&["getdents64"], errno))
        }));
        cases.push(Case::new(format!("{errno} everywhere"), move |place| {
            everywhere(place, &lines(REACHING, errno))
        }));
    }
    cases
}

fn lines(calls: &[&str], errno: &str) -> String {
    let lines: Vec<_> = calls.iter().map(|call| format!("{call} {errno}")).collect();
    lines.join("\n")
}

/// A session that has opened what stays open, and how many descriptors the daemon has then.
fn warm_up(stage: &Stage) -> Result<(Session, usize)> {
    let mut session = stage.log_in()?;
    let warm = content(100_000, 7);
    store(&mut session, "STOR warm", &warm)?;
    ensure!(fetch(&mut session, "RETR warm")? == warm, "a wrong file");
    session.check_alive()?;
    Ok((session, stage.descriptors()?))
}

/// The old file stays, what has come stays beside it, and the upload is completed later. Where space is
/// what is missing, what has come goes, so that it does not keep the datastore full.
fn upload(place: &Place<'_>, faults: &str, code: &str, words: &str) -> Result<()> {
    let stage = Stage::start(place, "")?;
    let (old, new) = (content(2 * MIB, 1), content(6 * MIB, 2));
    fs::write(stage.path("f"), &old)?;
    let (mut session, descriptors) = warm_up(&stage)?;
    let part = stage.path(".f.esxftpd-part");

    session.open_simply()?;
    session.command(b"STOR f", "150")?;
    session.write(&new[..3 * MIB], Then::GoOn)?;
    wait_until(|| Ok(fs::metadata(&part).is_ok_and(|part| part.len() > 0)))?;
    stage.fail(faults)?;
    // The server may give up before it has read all.
    drop(session.write(&new[3 * MIB..], Then::End));
    expect_failure(&mut session, code, words).with_context(|| stage.log())?;

    ensure!(
        fs::read(stage.path("f"))? == old,
        "the old file has changed"
    );
    ensure!(
        fetch(&mut session, "RETR f")? == old,
        "the old file is away"
    );
    // What only has no name yet is complete, and stays.
    let goes = matches!(code, "452" | "552") && !faults.contains("rename");
    let begun = if goes {
        ensure!(!part.exists(), "the part file is left");
        Vec::new()
    } else {
        fs::read(&part).context("the part file")?
    };
    ensure!(
        begun.is_empty() == goes && new.starts_with(&begun),
        "the part file is not the front of what was sent"
    );
    session.command(b"SITE CPFR f", "350")?;
    session.send_line(b"SITE CPTO copy")?;
    expect_failure(&mut session, code, words).context("a copy")?;
    let listing = fetch(&mut session, "NLST -a")?;
    let names = if goes {
        "f\r\nwarm\r\n"
    } else {
        ".f.esxftpd-part\r\nf\r\nwarm\r\n"
    };
    let listing = String::from_utf8_lossy(&listing);
    ensure!(listing == names, "{listing}");
    stage.expect_descriptors(descriptors)?;

    stage.heal()?;
    store(&mut session, "STOR g", b"second")?;
    ensure!(fs::read(stage.path("g"))? == b"second", "the second file");
    session.command(format!("REST {}", begun.len()).as_bytes(), "350")?;
    store(&mut session, "STOR f", &new[begun.len()..])?;
    ensure!(fs::read(stage.path("f"))? == new, "the file is not whole");
    ensure!(!part.exists(), "the part file is left");
    session.check_alive()?;
    stage.expect_descriptors(descriptors)
}

/// What the file held stays, with the front of what was sent behind it, and the client can go on.
fn append(place: &Place<'_>, faults: &str, code: &str, words: &str) -> Result<()> {
    let stage = Stage::start(place, "")?;
    let (old, new) = (content(MIB, 1), content(6 * MIB, 2));
    let whole = [old.as_slice(), new.as_slice()].concat();
    let rest = format!("REST {}", old.len());
    let (mut session, descriptors) = warm_up(&stage)?;
    for (before, command) in [("NOOP", "APPE f"), (rest.as_str(), "STOR f")] {
        fs::write(stage.path("f"), &old)?;
        session.open_simply()?;
        session.command(before.as_bytes(), "200|350")?;
        session.command(command.as_bytes(), "150")?;
        session.write(&new[..3 * MIB], Then::GoOn)?;
        wait_until(|| Ok(fs::metadata(stage.path("f"))?.len() > old.len() as u64))?;
        stage.fail(faults)?;
        drop(session.write(&new[3 * MIB..], Then::End));
        expect_failure(&mut session, code, words).with_context(|| stage.log())?;
        let left = fs::read(stage.path("f"))?;
        ensure!(left.starts_with(&old), "{command}: old bytes have changed");
        ensure!(whole.starts_with(&left), "{command}: wrong bytes");
        stage.heal()?;
        store(&mut session, "APPE f", &whole[left.len()..])?;
        ensure!(fs::read(stage.path("f"))? == whole, "{command}: not whole");
        stage.expect_descriptors(descriptors)?;
    }
    Ok(())
}

/// The file has its name, and nobody promises that it keeps it.
fn unsynced(place: &Place<'_>, errno: &str) -> Result<()> {
    let stage = Stage::start(place, "")?;
    let (old, new) = (content(MIB, 1), content(2 * MIB, 2));
    fs::write(stage.path("f"), &old)?;
    let (mut session, descriptors) = warm_up(&stage)?;
    stage.fail(&lines(&["fsync@directory"], errno))?;
    for name in ["f", "g"] {
        session.open_simply()?;
        session.command(format!("STOR {name}").as_bytes(), "150")?;
        session.write(&new, Then::End)?;
        expect_failure(&mut session, "451", "the new file is in place")?;
        ensure!(fs::read(stage.path(name))? == new, "{name} is not in place");
    }
    session.command(b"SITE CPFR f", "350")?;
    session.send_line(b"SITE CPTO copy")?;
    expect_failure(&mut session, "451", "the new file is in place").context("a copy")?;
    // Bytes that go to the file itself need no name.
    store(&mut session, "APPE f", &new)?;
    let names = b"copy\r\nf\r\ng\r\nwarm\r\n";
    ensure!(
        fetch(&mut session, "NLST -a")? == names,
        "part files are left"
    );
    stage.expect_descriptors(descriptors)?;
    stage.heal()?;
    store(&mut session, "STOR f", &old)?;
    ensure!(fs::read(stage.path("f"))? == old, "it is not stored again");
    stage.expect_descriptors(descriptors)
}

/// Paths to a datastore are down: what asks for it waits, and nobody else. What was given up is
/// not done later.
fn hanging(place: &Place<'_>) -> Result<()> {
    let stage = Stage::start(place, "stall-seconds = 1")?;
    let old = content(MIB, 1);
    fs::write(stage.path("f"), &old)?;
    let (mut session, descriptors) = warm_up(&stage)?;
    let mut other = stage.log_in()?;
    let mut unused = stage.log_in()?;
    let descriptors = descriptors.max(stage.descriptors()?);
    // Its client does not connect.
    unused.command(b"EPSV", "229")?;
    unused.command(b"STOR unused", "150")?;
    session.open_simply()?;
    session.command(b"STOR f", "150")?;
    stage.fail(&lines(&["fsync", "unlink", "unlinkat"], "HANG"))?;
    session.write(&content(MIB, 2), Then::End)?;
    session.send_line(b"ABOR")?;
    // Its empty file cannot be removed, and the session need not wait for that.
    let given_up = unused.command(b"ABOR", "426");
    given_up.context("a session that only has to tidy up waits")?;
    unused.expect("226")?;
    unused.check_alive()?;
    ensure!(fetch(&mut other, "RETR f")? == old, "others have to wait");
    ensure!(!stage.log().contains("panic"), "{}", stage.log());
    stage.heal()?;
    session.expect("426").with_context(|| stage.log())?;
    session.expect("226")?;
    ensure!(
        fs::read(stage.path("f"))? == old,
        "stored after it was aborted"
    );
    store(&mut session, "STOR f", b"new")?;
    ensure!(fs::read(stage.path("f"))? == b"new", "not stored");
    wait_until(|| Ok(!stage.path(".unused.esxftpd-part").exists()))?;
    drop(other);
    stage.expect_descriptors(descriptors)
}

/// What was sent is right, and it is said that it is not all.
fn download(place: &Place<'_>, faults: &str) -> Result<()> {
    let stage = Stage::start(place, "")?;
    let file = content(48 * MIB, 3);
    fs::write(stage.path("f"), &file)?;
    let (mut session, descriptors) = warm_up(&stage)?;

    session.open_simply()?;
    session.command(b"RETR f", "150")?;
    let mut sent = session.read(Some(MIB))?;
    stage.fail(faults)?;
    sent.extend(session.read(None).unwrap_or_default());
    ensure!(sent.len() < file.len(), "nothing has failed");
    ensure!(file.starts_with(&sent), "wrong bytes were sent");
    let said = expect_failure(&mut session, "451", "the storage reports an error");
    said.with_context(|| stage.log())?;
    // From the first byte on.
    session.open_simply()?;
    session.command(b"RETR f", "150")?;
    ensure!(session.read(None)?.is_empty(), "bytes of a dead medium");
    expect_failure(&mut session, "451", "the storage reports an error")?;
    session.send_line(b"HASH f")?;
    expect_failure(&mut session, "451", "the storage reports an error")?;
    stage.expect_descriptors(descriptors)?;

    stage.heal()?;
    ensure!(fetch(&mut session, "RETR f")? == file, "the file is away");
    stage.expect_descriptors(descriptors)
}

/// A directory can be opened and not be read: that is no empty directory.
fn listing(place: &Place<'_>, faults: &str) -> Result<()> {
    let stage = Stage::start(place, "")?;
    fs::create_dir(stage.path("d"))?;
    let (mut session, descriptors) = warm_up(&stage)?;
    stage.fail(faults)?;
    for command in ["LIST", "NLST", "MLSD", "LIST -R", "LIST w*"] {
        session.open_simply()?;
        // The directory is read before the client is told that a listing follows.
        session.send_line(command.as_bytes())?;
        let said = expect_failure(&mut session, "451", "the storage reports an error");
        said.with_context(|| command.to_owned())?;
    }
    session.send_line(b"STAT /")?;
    expect_failure(&mut session, "451", "the storage reports an error")?;
    session.send_line(b"RMD d")?;
    session.expect("250|451")?;
    stage.expect_descriptors(descriptors)?;
    stage.heal()?;
    ensure!(
        fetch(&mut session, "NLST")?.ends_with(b"warm\r\n"),
        "no listing"
    );
    stage.expect_descriptors(descriptors)
}

/// Nothing can be reached, and everything can be asked for.
fn everywhere(place: &Place<'_>, faults: &str) -> Result<()> {
    let stage = Stage::start(place, "")?;
    fs::write(stage.path("f"), "content")?;
    fs::create_dir(stage.path("d"))?;
    let (mut session, descriptors) = warm_up(&stage)?;
    stage.fail(faults)?;
    for command in [
        "SIZE f", "MDTM f", "MLST f", "CWD d", "DELE f", "MKD e", "RMD d", "RNFR f", "STAT f",
        "RETR f", "STOR f", "APPE f", "STOU", "LIST", "NLST", "MLSD", "HASH f",
    ] {
        if matches!(
            command.split(' ').next(),
            Some("RETR" | "STOR" | "APPE" | "STOU" | "LIST" | "NLST" | "MLSD")
        ) {
            session.open_simply()?;
        }
        session.send_line(command.as_bytes())?;
        let said = expect_failure(&mut session, "451", "the storage reports an error");
        said.with_context(|| command.to_owned())?;
    }
    // A log-in that finds its root or does not; the daemon lives on.
    let mut other = stage.greeted()?;
    other.command(b"USER alice", "331")?;
    other.command(b"PASS correct horse", "230|530")?;
    drop(other);
    stage.heal()?;
    ensure!(
        fetch(&mut session, "RETR f")? == b"content",
        "the file is away"
    );
    stage.log_in()?.check_alive()?;
    stage.expect_descriptors(descriptors)
}

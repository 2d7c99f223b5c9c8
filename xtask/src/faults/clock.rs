//! A clock of the day that jumps. Whatever waits must not notice.

use std::{fs, time::Duration};

use anyhow::{Result, ensure};

use super::{
    Case, Place, Stage,
    stage::{content, expect_failure, fetch},
};
use crate::conformance::{Session, Then};

const MIB: usize = 1 << 20;
const YEAR: i64 = 365 * 24 * 60 * 60;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("clock jumps during transfers", transfers),
        Case::new("clock jumps while a limit runs", limit),
    ]
}

/// Whether the daemon takes a file that was just made for a recent one.
fn looks_recent(session: &mut Session) -> Result<bool> {
    let line = fetch(session, "LIST new")?;
    let line = String::from_utf8_lossy(&line).into_owned();
    // `Nov 21 12:34`, or `Nov 21  2026`.
    let date = line.split_whitespace().nth(7).unwrap_or_default();
    ensure!(!date.is_empty(), "{line:?} is no line of ls");
    Ok(date.contains(':'))
}

fn transfers(place: &Place<'_>) -> Result<()> {
    let stage = Stage::start(place, "")?;
    let file = content(16 * MIB, 4);
    fs::write(stage.path("f"), &file)?;
    fs::write(stage.path("new"), "")?;
    let mut idle = stage.log_in()?;
    let mut uploading = stage.log_in()?;
    let mut downloading = stage.log_in()?;
    ensure!(
        looks_recent(&mut idle)?,
        "the clock is wrong from the start"
    );

    uploading.open_simply()?;
    uploading.command(b"STOR up", "150")?;
    downloading.open_simply()?;
    downloading.command(b"RETR f", "150")?;
    let mut sent = Vec::new();
    let pieces = file.chunks(4 * MIB);
    for (piece, shift) in pieces.zip([YEAR, -YEAR, 30 * YEAR, 1]) {
        stage.fail(&format!("realtime {shift}\n"))?;
        ensure!(looks_recent(&mut idle)? == (shift.abs() == 1), "no jump");
        uploading.write(piece, Then::GoOn)?;
        sent.extend(downloading.read(Some(2 * MIB))?);
    }
    uploading.write(b"", Then::End)?;
    uploading.expect("226")?;
    sent.extend(downloading.read(None)?);
    downloading.expect("226")?;
    ensure!(sent == file, "what was sent is wrong");
    ensure!(
        fs::read(stage.path("up"))? == file,
        "what was stored is wrong"
    );
    idle.check_alive()?;
    stage.log_in()?.check_alive()
}

/// A jump back does not make a limit longer.
fn limit(place: &Place<'_>) -> Result<()> {
    let stage = Stage::start(place, "stall-seconds = 2\nlog-in-seconds = 8")?;
    let mut session = stage.log_in()?;
    let mut waiting = stage.greeted()?;
    session.open_simply()?;
    session.command(b"STOR up", "150")?;
    session.write(b"begun", Then::GoOn)?;
    stage.fail(&format!("realtime -{YEAR}\n"))?;
    expect_failure(&mut session, "426", "nothing moved for 2 seconds")?;
    waiting.expect("421")?;
    ensure!(
        waiting.control.is_closed()?,
        "a client without a log-in stays"
    );
    ensure!(!stage.path("up").exists(), "half a file");
    let silence = Duration::from_millis(1);
    ensure!(session.control.is_quiet(silence)?, "a second reply");
    Ok(())
}

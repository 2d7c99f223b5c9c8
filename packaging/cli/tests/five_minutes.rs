//! The page "A VIB in five minutes": its commands are run as they stand there, one after the other.
#![cfg(unix)]
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a command is tested by running it, and what fails ends the test"
)]

use std::{env, path::Path, process::Command};

const PAGE: &str = include_str!("../../docs/five-minutes.md");

/// The blocks of the page: language and text.
fn blocks() -> Vec<(&'static str, &'static str)> {
    let mut parts = PAGE.split("```");
    let mut blocks = Vec::new();
    while let (Some(_), Some(block)) = (parts.next(), parts.next()) {
        blocks.push(block.split_once('\n').unwrap());
    }
    blocks
}

#[test]
fn the_commands_of_the_page_do_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_vib")).parent().unwrap();
    let path = format!("{}:{}", program.display(), env::var("PATH").unwrap());
    let blocks = blocks();
    let mut run = 0;
    for (number, (language, text)) in blocks.iter().enumerate() {
        // Where this program comes from is no business of a test of it.
        if *language != "sh" || text.starts_with("cargo install") {
            continue;
        }
        let output = Command::new("sh")
            .args(["-euc", text])
            .current_dir(folder.path())
            .env("PATH", &path)
            .env("LC_ALL", "C")
            .env_remove("SOURCE_DATE_EPOCH")
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}\n{stderr}");
        run += 1;
        // A block of text that follows is what was printed last.
        if let Some(("text", expected)) = blocks.get(number + 1) {
            let stdout = String::from_utf8_lossy(&output.stdout);
            assert!(stdout.ends_with(expected), "{text}\n{stdout}");
        }
    }
    assert!(run > 6, "only {run} blocks were found");
}

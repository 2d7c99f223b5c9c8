//! The man page, made from the command line and checked in: `UPDATE_GOLDEN=1` writes it anew.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "what fails ends the test"
)]

use std::{
    fs,
    process::{Command, Stdio},
};

use clap::CommandFactory as _;
use clap_mangen::Man;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/vib.1");
/// What the command line does not know.
const BEHIND: &str = include_str!("behind.roff");

type Section = fn(&Man, &mut dyn std::io::Write) -> Result<(), std::io::Error>;

fn page() -> String {
    let mut all = vib::Vib::command();
    all.build();
    let man = Man::new(all.clone());
    let mut page = Vec::new();
    let sections: [Section; 4] = [
        Man::render_title,
        Man::render_name_section,
        Man::render_synopsis_section,
        Man::render_description_section,
    ];
    for section in sections {
        section(&man, &mut page).unwrap();
    }
    let mut page = String::from_utf8(page).unwrap();
    let mut commands: Vec<_> = all.get_subcommands().collect();
    commands.sort_by_key(|command| command.get_display_order());
    for command in commands
        .iter()
        .filter(|command| command.get_name() != "help")
    {
        let name = command.get_name().to_uppercase();
        page.extend([".SH VIB ", &name, "\n"]);
        page += &section(command, Man::render_synopsis_section);
        page += &section(command, Man::render_description_section);
        page += &section(command, Man::render_options_section);
        for below in command
            .get_subcommands()
            .filter(|one| one.get_name() != "help")
        {
            page.extend([
                ".SH VIB ",
                &name,
                " ",
                &below.get_name().to_uppercase(),
                "\n",
            ]);
            page += &section(below, Man::render_synopsis_section);
            page += &section(below, Man::render_description_section);
            page += &section(below, Man::render_options_section);
        }
    }
    page + BEHIND
}

/// A section of one command, without its head.
fn section(command: &clap::Command, render: Section) -> String {
    let mut text = Vec::new();
    render(&Man::new(command.clone()), &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    let lines = text.lines().filter(|line| {
        !line.starts_with(".SH") && !line.starts_with(".ie") && !line.starts_with(".el")
    });
    lines.fold(".PP\n".to_owned(), |text, line| text + line + "\n")
}

#[test]
fn the_man_page_is_that_of_the_command_line() {
    let page = page();
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        fs::write(PAGE, &page).unwrap();
    }
    let there = fs::read_to_string(PAGE).unwrap_or_default();
    assert!(
        page == there,
        "packaging/cli/vib.1 is not current: run this test with UPDATE_GOLDEN=1 and review the difference"
    );
}

#[test]
fn groff_has_nothing_to_say_about_the_man_page() {
    let output = Command::new("groff")
        .args(["-man", "-Tutf8", "-ww", "-rLL=100n", PAGE])
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("groff: {error}"));
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && complaints.is_empty(),
        "{complaints}"
    );
}

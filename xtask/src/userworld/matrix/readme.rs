//! The table of expectations in `daemon/README.md`; `UPDATE_GOLDEN=1` writes it.

use std::{env, fs, path::Path};

use anyhow::{Context as _, Result};

use super::{Case, Engine, Expected, LIBUNFTP, cases};
use crate::userworld::{
    policy::Setting,
    table::{Profile, Table},
};

/// What stands around the table.
const BEGIN: &str =
    "<!-- made from xtask/userworld; UPDATE_GOLDEN=1 cargo test -p xtask writes it -->\n";
const END: &str = "<!-- end -->\n";

#[test]
fn table_of_the_readme_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../daemon/README.md");
    let text = fs::read_to_string(&path).unwrap();
    let table = Table::load().unwrap();
    let current = replaced(&text, &render(&table, &cases(&table).unwrap())).unwrap();
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path, current).unwrap();
        return;
    }
    assert!(
        text == current,
        "the table of daemon/README.md is not current; write it with UPDATE_GOLDEN=1"
    );
}

#[test]
fn only_the_table_is_replaced() {
    let text = format!("head\n{BEGIN}old\n{END}tail\n");
    let new = replaced(&text, "| new |\n").unwrap();
    assert_eq!(new, format!("head\n{BEGIN}\n| new |\n\n{END}tail\n"));
    assert_eq!(replaced(&new, "| new |\n").unwrap(), new);
    assert!(replaced("head\n", "").is_err());
}

fn replaced(text: &str, table: &str) -> Result<String> {
    let (head, rest) = text
        .split_once(BEGIN)
        .with_context(|| format!("no line {}", BEGIN.trim_end()))?;
    let (_, tail) = rest
        .split_once(END)
        .with_context(|| format!("no line {}", END.trim_end()))?;
    Ok(format!("{head}{BEGIN}\n{table}\n{END}{tail}"))
}

/// One line for each value of each toggle, one column for each profile.
fn render(table: &Table, cases: &[Case]) -> String {
    let settings = table.toggles.iter().flat_map(|toggle| {
        toggle.values.iter().map(|value| Setting {
            toggle: toggle.name.clone(),
            value: value.clone(),
        })
    });
    let settings = [None].into_iter().chain(settings.map(Some));
    let run = settings.filter(|setting| cases.iter().any(|case| case.setting == *setting));
    let lines = run.map(|setting| {
        let name = match &setting {
            Some(setting) => format!("`{setting}`"),
            None => "the profile".to_owned(),
        };
        let cells = Profile::ALL.map(|profile| {
            let case = Case {
                profile,
                setting: setting.clone(),
                engine: Engine::Native,
            };
            cell(cases.contains(&case).then(|| case.expected()))
        });
        format!("| {name} | {} |\n", cells.join(" | "))
    });
    let libunftp = Profile::ALL.map(|profile| {
        let listed = LIBUNFTP.iter().find(|(listed, _)| *listed == profile);
        cell(listed.map(|(_, expected)| *expected))
    });
    let libunftp = format!("| the engine libunftp | {} |\n", libunftp.join(" | "));
    let head = "| | esxi-6 | esxi-7 |\n| --- | --- | --- |\n".to_owned();
    [head].into_iter().chain(lines).chain([libunftp]).collect()
}

fn cell(expected: Option<Expected>) -> String {
    match expected {
        Some(Expected::Serves) => "serves".to_owned(),
        Some(Expected::Refuses) => "does not serve, and says why".to_owned(),
        None => "(its own answer)".to_owned(),
    }
}

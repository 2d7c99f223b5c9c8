//! The table, read once more and in another way than by the program under test.

use std::{fs, path::Path};

use syscalls::Sysno;
use toml::{Table, Value};

/// One row, as it stands in its file.
pub(crate) struct Row(Table);

/// All rows.
pub(crate) fn rows() -> Vec<Row> {
    ["files", "network", "threads", "time"]
        .iter()
        .flat_map(|name| entries(name, "row"))
        .map(Row)
        .collect()
}

/// Every toggle with its values.
pub(crate) fn toggles() -> Vec<(String, Vec<String>)> {
    entries("toggles", "toggle")
        .iter()
        .map(|toggle| (text(&toggle["name"]), texts(&toggle["values"])))
        .collect()
}

fn entries(file: &str, key: &str) -> Vec<Table> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("userworld/{file}.toml"));
    let table: Table = fs::read_to_string(path).unwrap().parse().unwrap();
    let entries = table[key].as_array().unwrap();
    entries
        .iter()
        .map(|entry| entry.as_table().unwrap().clone())
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(text).collect()
}

impl Row {
    pub(crate) fn calls(&self) -> Vec<Sysno> {
        let names = texts(&self.0["calls"]);
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    pub(crate) fn flag(&self) -> Option<String> {
        self.0.get("flag").map(text)
    }

    pub(crate) fn inspects(&self) -> Option<String> {
        self.0.get("inspect").map(text)
    }

    /// Argument and value of each condition.
    pub(crate) fn conditions(&self) -> Vec<(usize, i64)> {
        let conditions = self.0.get("where").and_then(Value::as_array);
        let number = |condition: &Value, key: &str| condition[key].as_integer().unwrap();
        conditions
            .into_iter()
            .flatten()
            .map(|c| {
                (
                    usize::try_from(number(c, "argument")).unwrap(),
                    number(c, "is"),
                )
            })
            .collect()
    }

    /// What the row promises under a profile, with one toggle set or none.
    pub(crate) fn answer(&self, profile: &str, setting: Option<(&str, &str)>) -> String {
        match setting {
            Some((toggle, value)) if self.0.get("toggle").map(text).as_deref() == Some(toggle) => {
                value.to_owned()
            }
            _ => text(&self.0[profile]),
        }
    }
}

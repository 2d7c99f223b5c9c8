//! Which part of a crate may import which: layers, without a circle.

use anyhow::Result;
use regex::Regex;

use super::{Findings, Tree, layout::sources};

/// The parts of a crate, by the folders or files of its sources, from the top down, each with those
/// that it may import. No part is below itself, so there is no circle; a test says so.
type Layers = &'static [(&'static str, &'static [&'static str])];

/// See `daemon/src/lib.rs` for the picture.
const DAEMON: Layers = &[
    ("main", &["cli"]),
    (
        "cli",
        &[
            "accounts", "admin", "config", "logging", "origin", "parts", "probe", "serve", "tls",
        ],
    ),
    ("parts", &["admin", "config", "storage"]),
    (
        "serve",
        &[
            "admin", "config", "logging", "probe", "server", "storage", "sys",
        ],
    ),
    (
        "admin",
        &["accounts", "origin", "server", "session", "storage", "sys"],
    ),
    (
        "server",
        &[
            "accounts", "config", "floods", "libunftp", "origin", "session", "sys", "task", "tls",
        ],
    ),
    (
        "libunftp",
        &[
            "accounts", "config", "session", "storage", "sys", "task", "tls", "transfer",
        ],
    ),
    (
        "session",
        &[
            "accounts", "config", "origin", "storage", "sys", "task", "tls", "transfer",
        ],
    ),
    ("transfer", &["config", "storage", "sys", "task", "tls"]),
    ("storage", &["accounts", "config", "sys", "task"]),
    ("accounts", &["config", "origin", "sys", "task"]),
    ("logging", &["config", "floods", "origin"]),
    ("probe", &["sys"]),
    ("tls", &["config", "sys"]),
    ("config", &["sys"]),
    ("task", &["sys"]),
    ("floods", &[]),
    ("origin", &[]),
    ("sys", &[]),
];

/// See `daemon/protocol/src/lib.rs`.
const PROTOCOL: Layers = &[
    (
        "fuzzing",
        &[
            "parse",
            "protocol",
            "reply",
            "request",
            "virtual_path",
            "wire",
        ],
    ),
    (
        "commands",
        &[
            "parse",
            "protocol",
            "reply",
            "request",
            "virtual_path",
            "wire",
        ],
    ),
    (
        "protocol",
        &["parse", "reply", "request", "virtual_path", "wire"],
    ),
    ("parse", &["reply", "request", "wire"]),
    ("reply", &["request", "virtual_path", "wire"]),
    ("wire", &["request"]),
    ("request", &["virtual_path"]),
    ("virtual_path", &[]),
];

/// See `packaging/cli/src/lib.rs`: commands above what they share.
const VIB: Layers = &[
    ("main", &[]),
    ("init", &["build", "clock", "permissions", "style"]),
    (
        "build",
        &["input", "output", "progress", "sign", "style", "verify"],
    ),
    ("sign", &["input", "verify"]),
    ("verify", &["clock", "input", "style"]),
    ("diff", &["input", "style"]),
    ("extract", &["input", "permissions"]),
    ("image", &["input", "permissions", "style"]),
    ("inspect", &["input"]),
    ("completions", &[]),
    ("input", &["progress"]),
    ("output", &["permissions"]),
    ("samples", &[]),
    ("style", &[]),
    ("progress", &[]),
    ("permissions", &[]),
    ("clock", &[]),
];

pub(super) fn check(tree: &Tree<'_>, findings: &mut Findings) -> Result<()> {
    for path in sources(tree)? {
        let layers = [
            ("daemon/src/", DAEMON),
            ("daemon/protocol/src/", PROTOCOL),
            ("packaging/cli/src/", VIB),
        ];
        for (folder, layers) in layers {
            if let Some(inside) = path.strip_prefix(folder)
                && inside != "lib.rs"
                && !inside.contains("tests")
            {
                for problem in problems(inside, &tree.read(&path)?, layers)? {
                    findings.add(&path, problem);
                }
            }
        }
    }
    Ok(())
}

/// What is wrong with the imports of one file, whose path begins in the folder of the sources.
fn problems(inside: &str, text: &str, layers: Layers) -> Result<Vec<String>> {
    let part = inside.split('/').next().unwrap_or(inside);
    let part = part.trim_end_matches(".rs");
    let Some((_, allowed)) = layers.iter().find(|(name, _)| *name == part) else {
        return Ok(vec![format!(
            "is in no layer; add `{part}` to xtask/src/tidy/layers.rs, above all that it imports"
        )]);
    };
    let mut problems = Vec::new();
    for imported in imports(text)? {
        let known = layers.iter().any(|(name, _)| *name == imported);
        if known && imported != part && !allowed.contains(&imported.as_str()) {
            problems.push(format!(
                "imports `{imported}`, which is not below `{part}`; hand a value down instead, or \
                 change xtask/src/tidy/layers.rs"
            ));
        }
    }
    Ok(problems)
}

/// The parts of the own crate that a file names outside of its tests and comments.
fn imports(text: &str) -> Result<Vec<String>> {
    let text = text.split("#[cfg(test)]").next().unwrap_or(text);
    let text = Regex::new(r"//[^\n]*")?.replace_all(text, "");
    let mut imports = Vec::new();
    for found in Regex::new(r"\bcrate::(\w+|\{)")?.captures_iter(&text) {
        let (Some(whole), Some(first)) = (found.get(0), found.get(1)) else {
            continue;
        };
        if first.as_str() == "{" {
            let rest = text.get(whole.end()..).unwrap_or_default();
            imports.extend(top_names(rest));
        } else {
            imports.push(first.as_str().to_owned());
        }
    }
    imports.sort_unstable();
    imports.dedup();
    Ok(imports)
}

/// The first names of the items in braces, up to the brace that ends them.
fn top_names(text: &str) -> Vec<String> {
    let (mut depth, mut name, mut names) = (0, String::new(), Vec::new());
    for letter in text.chars() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(std::mem::take(&mut name)),
            _ if depth == 0 => name.push(letter),
            _ => {}
        }
    }
    names.push(name);
    let first = |name: &String| {
        let first = name.trim().split("::").next().unwrap_or_default();
        (!first.is_empty()).then(|| first.to_owned())
    };
    names.iter().filter_map(first).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_layer_imports_itself_or_one_above_it() {
        for layers in [DAEMON, PROTOCOL, VIB] {
            for (at, (name, below)) in layers.iter().enumerate() {
                for imported in *below {
                    let place = layers.iter().position(|(other, _)| other == imported);
                    assert!(place.is_some_and(|place| place > at), "{name}: {imported}");
                }
            }
        }
    }

    #[test]
    fn an_import_that_points_up_is_found_in_every_form() {
        for text in [
            "use crate::session::Context;",
            "use crate::{config::{self, Config}, session::Context};",
            "fn f(x: crate::session::Context) {}",
        ] {
            let problems = problems("storage/files.rs", text, DAEMON).unwrap();
            assert_eq!(problems.len(), 1, "{text}: {problems:?}");
        }
        let fine = "use crate::{config::Config, task::Task};\n// crate::session\n#[cfg(test)]\nuse crate::session;";
        assert!(
            problems("storage/files.rs", fine, DAEMON)
                .unwrap()
                .is_empty()
        );
    }
}

//! Licence texts of all crates, each text once.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use spdx::Expression;
use walkdir::WalkDir;

use super::tree::{Crate, Tree};

/// How the names of such files begin, in lower case.
const NAMES: [&str; 6] = [
    "licence",
    "license",
    "copying",
    "copyright",
    "notice",
    "unlicense",
];
/// Folders deep, counted from the crate's: code of third parties brings texts of its own.
const DEPTH: usize = 4;
/// What is never in the program.
const OUTSIDE: [&str; 4] = ["benches", "examples", "target", "tests"];
/// A text with more bytes is none.
const MOST_BYTES: usize = 256 << 10;

/// The document: a list of the crates, then the texts.
pub(super) fn document(tree: &Tree) -> Result<String> {
    let mut texts = Texts::default();
    let mut list = String::new();
    for ((name, version), one) in &tree.crates {
        let mut numbers = Vec::new();
        for text in texts_of(one).with_context(|| format!("the crate {name} {version}"))? {
            let number = texts.number(text);
            if !numbers.contains(&number) {
                numbers.push(number);
            }
        }
        let numbers: Vec<_> = numbers.iter().map(ToString::to_string).collect();
        let plural = if numbers.len() == 1 { "text" } else { "texts" };
        writeln!(
            list,
            "{name} {version}: {}; {plural} {}",
            one.licence,
            numbers.join(", ")
        )?;
        if let Some(repository) = &one.repository {
            writeln!(list, "    {repository}")?;
        }
    }
    let (name, version) = &tree.daemon;
    let mut document = format!(
        "{name} {version} contains, or is compiled with, the crates below. Each has its licence as an SPDX\n\
         expression and the numbers of its texts, which follow the list. The texts of the Rust standard\n\
         library and of musl, which are linked in, come last.\n\n{list}"
    );
    for text in RUNTIME {
        let id = spdx::license_id(text).context("a licence of the standard library")?;
        texts.number(id.text().to_owned());
    }
    for (number, text) in (1..).zip(&texts.in_order) {
        write!(document, "\n{:=<100}\nText {number}\n\n{text}\n", "")?;
    }
    Ok(document)
}

/// Licences of the standard library (MIT OR Apache-2.0) and of musl (MIT).
const RUNTIME: [&str; 2] = ["Apache-2.0", "MIT"];

/// Texts in the order in which they came up.
#[derive(Debug, Default)]
struct Texts {
    in_order: Vec<String>,
    /// Number of a text, by its words: line breaks differ between copies.
    numbers: BTreeMap<String, usize>,
}

impl Texts {
    fn number(&mut self, text: String) -> usize {
        let words: Vec<_> = text.split_whitespace().collect();
        let next = self.in_order.len() + 1;
        let number = *self.numbers.entry(words.join(" ")).or_insert(next);
        if number == next {
            self.in_order.push(text);
        }
        number
    }
}

/// The texts that a crate brings; without any, those of the licences that it names.
fn texts_of(one: &Crate) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    for path in files(one)? {
        let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
        if bytes.len() > MOST_BYTES {
            bail!("{} is too large for a licence text", path.display());
        }
        let text = plain(&String::from_utf8_lossy(&bytes));
        if !text.is_empty() {
            texts.push(text);
        }
    }
    if texts.is_empty() {
        return canonical(&one.licence);
    }
    Ok(texts)
}

fn files(one: &Crate) -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = one.licence_file.iter().cloned().collect();
    let walk = WalkDir::new(&one.folder)
        .max_depth(DEPTH)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| !OUTSIDE.iter().any(|name| entry.file_name() == *name));
    for entry in walk {
        let entry = entry?;
        if entry.file_type().is_file()
            && is_licence(entry.path())
            && !files.contains(&entry.path().to_owned())
        {
            files.push(entry.into_path());
        }
    }
    Ok(files)
}

fn is_licence(path: &Path) -> bool {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    let is_code = [".rs", ".py", ".c", ".h", ".json", ".toml"]
        .iter()
        .any(|end| name.ends_with(end));
    !is_code && NAMES.iter().any(|begin| name.starts_with(begin))
}

/// Without blanks at line ends and empty lines around.
fn plain(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(str::trim_end).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

/// The texts of the licences and exceptions that an expression names.
fn canonical(licence: &Expression) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    for requirement in licence.requirements() {
        let id = requirement.req.license.id().with_context(|| {
            format!(
                "it has no licence text, and {} is no licence of SPDX; do without it",
                requirement.req
            )
        })?;
        texts.push(plain(id.text()));
        if let Some(exception) = requirement
            .req
            .addition
            .as_ref()
            .and_then(spdx::AdditionItem::id)
        {
            texts.push(plain(exception.text()));
        }
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(files: &[(&str, &str)], licence: &str) -> Result<Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        texts_of(&Crate {
            licence: Expression::parse(licence).unwrap(),
            licence_file: None,
            repository: None,
            folder: folder.path().to_owned(),
            checksum: String::new(),
            is_linked: true,
        })
    }

    #[test]
    fn a_crates_own_texts_are_taken() {
        let files = [
            ("LICENSE-MIT", "one\r\n"),
            ("COPYING.txt", "two"),
            ("third_party/x/LICENSE", "three"),
            ("src/license.rs", "code"),
            ("tests/LICENSE", "of a test"),
            ("NOTICE", "\n"),
        ];
        assert_eq!(written(&files, "MIT").unwrap(), ["two", "one", "three"]);
    }

    #[test]
    fn without_a_text_it_is_that_of_the_licence() {
        let texts = written(&[], "Apache-2.0 WITH LLVM-exception OR MIT").unwrap();
        assert_eq!(texts.len(), 3);
        assert!(texts[0].contains("Apache License") && texts[1].contains("LLVM"));
        let error = written(&[], "LicenseRef-mine").unwrap_err().to_string();
        assert!(
            error.contains("it has no licence text, and LicenseRef-mine is no licence of SPDX"),
            "{error}"
        );
    }

    #[test]
    fn a_text_is_told_from_another_by_its_words() {
        let mut texts = Texts::default();
        assert_eq!(texts.number("a b\nc".to_owned()), 1);
        assert_eq!(texts.number("d".to_owned()), 2);
        assert_eq!(texts.number("a\n b  c".to_owned()), 1);
        assert_eq!(texts.in_order.len(), 2);
    }
}

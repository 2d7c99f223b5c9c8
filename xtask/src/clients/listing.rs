//! The names in what servers answer to LIST, MLSD and NLST.

use anyhow::{Context as _, Result, ensure};

/// Names of a LIST answer in the form of `ls -l`: eight fields, then the name, which may hold
/// blanks.
pub(crate) fn list(text: &str) -> Result<Vec<String>> {
    lines(text)
        .filter(|line| !line.starts_with("total "))
        .map(list_name)
        .collect()
}

fn list_name(line: &str) -> Result<String> {
    let mut rest = line;
    for _ in 0..8 {
        let end = rest
            .find(' ')
            .with_context(|| format!("not in the form of `ls -l`: {line:?}"))?;
        rest = rest[end..].trim_start();
    }
    Ok(rest.to_owned())
}

/// Names of an MLSD answer (RFC 3659, section 7): facts, a blank, the name. Without the directory
/// itself.
pub(crate) fn mlsd(text: &str) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for line in lines(text) {
        let (facts, name) = line
            .split_once(' ')
            .with_context(|| format!("not an MLSD line: {line:?}"))?;
        let facts = facts.to_ascii_lowercase();
        if !facts.contains("type=cdir") && !facts.contains("type=pdir") {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// Names of an NLST answer.
pub(crate) fn nlst(text: &str) -> Vec<String> {
    lines(text).map(str::to_owned).collect()
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(|line| line.trim_end_matches('\r'))
        .filter(|line| !line.is_empty())
}

/// Fails unless both hold the same names, in any order.
pub(crate) fn expect_names(mut found: Vec<String>, expected: &[&str]) -> Result<()> {
    let mut expected = expected.to_vec();
    found.sort_unstable();
    expected.sort_unstable();
    ensure!(
        found == expected,
        "listed {found:?} instead of {expected:?}"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_blanks_survive() {
        let text = "total 8\r\n-rw-r--r--    1 0        0      67 Nov 20 11:00 a  b.bin\r\ndrwx------ 1 r r 0 Jan  1 1970 d\r\n";
        assert_eq!(list(text).unwrap(), ["a  b.bin", "d"]);
        assert_eq!(
            mlsd("Type=cdir; .\r\nType=file;Size=1; a b\r\n").unwrap(),
            ["a b"]
        );
        assert_eq!(nlst("a b\r\nc\r\n"), ["a b", "c"]);
        assert!(list("a.bin\r\n").is_err());
    }
}

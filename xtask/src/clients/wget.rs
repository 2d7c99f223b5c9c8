//! wget: downloads and listings; the account is in its settings file.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::round::{Client, Place};
use super::samples::Sample;
use super::{Security, run_client};
use crate::process;

pub(super) struct Wget;

impl Wget {
    fn get(at: &Place<'_>, path: &str, to: &Path) -> Result<()> {
        let target = at.target;
        let settings = at.work.join("wgetrc");
        fs::write(&settings, "")?;
        fs::set_permissions(&settings, fs::Permissions::from_mode(0o600))?;
        let account = format!("user = {}\npassword = {}\n", target.user, target.password);
        fs::write(&settings, account)?;
        let mut url = target.with(Security::Plain).url(path);
        let mut command = process::command("wget");
        command
            .args([
                "--no-verbose",
                "--tries=1",
                "--timeout=30",
                "--no-remove-listing",
            ])
            .arg("--output-document")
            .arg(to);
        if target.security == Security::Tls {
            url = url.replacen("ftp:", "ftps:", 1);
            command.arg("--no-check-certificate");
        }
        command
            .arg(url)
            .current_dir(&at.work)
            .env("WGETRC", &settings)
            .env("LC_ALL", "C.UTF-8");
        run_client(target, &mut command, b"")?
            .success()
            .map(drop)
            .context("wget")
    }
}

impl Client for Wget {
    fn name(&self) -> &'static str {
        "wget"
    }

    fn knows_tls(&self) -> bool {
        true
    }

    fn upload(&self, _: &Place<'_>, _: &[&Sample]) -> Option<Result<()>> {
        None
    }

    fn download(&self, at: &Place<'_>, names: &[&str], into: &Path) -> Result<()> {
        names
            .iter()
            .try_for_each(|name| Self::get(at, name, &into.join(name)))
    }

    fn list(&self, at: &Place<'_>) -> Result<Vec<String>> {
        let page = at.work.join("index.html");
        Self::get(at, "", &page)?;
        let html = fs::read_to_string(&page)?;
        // A link for each entry: `<a href="..">name</a>`.
        let mut names = Vec::new();
        for link in html.split("<a href=").skip(1) {
            let (_, rest) = link.split_once("\">").context("a link without an end")?;
            let (name, _) = rest.split_once("</a>").context("a link without an end")?;
            names.push(plain(name)?);
        }
        Ok(names)
    }
}

/// Resolves numeric character references, which wget writes for what is not a letter.
fn plain(html: &str) -> Result<String> {
    let mut text = String::new();
    let mut parts = html.split("&#");
    text.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (number, rest) = part.split_once(';').context("a reference without an end")?;
        let number = number.parse().context("a reference that is no number")?;
        text.push(char::from_u32(number).context("a reference to no character")?);
        text.push_str(rest);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn references_become_characters() {
        assert_eq!(plain("a&#32;b&#8470;").unwrap(), "a b\u{2116}");
        assert!(plain("&#x").is_err() && plain("&#x;").is_err());
    }
}

//! `vib init`: a package to begin with.

mod firewall;
mod from;
mod name;
mod template;

use std::{
    collections::BTreeMap,
    env::{self, VarError},
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use packaging::Epoch;
use serde_json::json;

use self::{firewall::Rule, name::Name, template::Template};
use crate::{
    build::Described,
    clock,
    permissions::{make_directory, make_file},
    print, style,
};

/// The description, in the folder of the package.
const DESCRIPTION: &str = "package.toml";

/// What to begin with.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The name of the package; can be left out with --firewall
    #[arg(required_unless_present = "firewall")]
    name: Option<Name>,
    /// The kind of package [default: firewall with --firewall, else daemon]
    #[arg(long, value_enum, conflicts_with = "from")]
    template: Option<Template>,
    /// A firewall rule, PROTOCOL:PORT:DIRECTION, such as tcp:51402:out or udp:5000-5010:in; can be
    /// given several times
    #[arg(long, value_name = "RULE")]
    firewall: Vec<Rule>,
    /// A directory laid out like the root of an ESXi host: the package contains its files
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    /// The vendor of the package
    #[arg(long, default_value = "custom")]
    vendor: Name,
    /// The directory to create; it must not exist, or be empty [default: the name of the package]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Print JSON, for programs: the paths of the files
    #[arg(long)]
    json: bool,
}

/// A file of a new package.
struct File {
    path: String,
    text: String,
    executable: bool,
}

impl Options {
    /// Writes the files and prints their paths.
    ///
    /// # Errors
    /// If the directory holds something, or cannot be written; if `--from` names none.
    pub(crate) fn run(&self) -> Result<()> {
        let name = match (&self.name, self.firewall.first()) {
            (Some(name), _) => name.clone(),
            (None, Some(rule)) => rule.name(),
            // The parser of the command line has asked for one of them.
            (None, None) => bail!("give the package a name: vib init NAME"),
        };
        let dir = self.dir.clone().unwrap_or_else(|| name.to_string().into());
        let dir = std::path::absolute(dir)?;
        let files = self.files(&name, &dir)?;
        write(&dir, &files)?;
        let paths: Vec<_> = files.iter().map(|file| dir.join(&file.path)).collect();
        if self.json {
            let object = json!({ "format": 1, "files": paths });
            print(&format!("{object:#}\n"))?;
        } else {
            for path in &paths {
                print(&format!("{}\n", path.display()))?;
            }
        }
        let description = dir.join(DESCRIPTION);
        if let Err(error) = Described::read(&description, None, None, BTreeMap::new(), None) {
            style::warn(&format!(
                "package.toml is not complete; correct:\n{error:#}"
            ));
        }
        Ok(())
    }

    fn files(&self, name: &Name, dir: &Path) -> Result<Vec<File>> {
        let date = release_date()?;
        let template = match (&self.from, self.template) {
            (Some(_), _) => None,
            (None, None) if self.firewall.is_empty() => Some(Template::Daemon),
            (None, None) => Some(Template::Firewall),
            (None, given) => given,
        };
        let mut rules = self.firewall.clone();
        if rules.is_empty() && template.is_some_and(Template::opens_ports) {
            rules.push(Rule::EXAMPLE);
        }
        let summary = template.map_or("Files for ESXi hosts", Template::summary);
        let vendor = &self.vendor;
        let filled = |text: &str| {
            let values = [
                ("%NAME%", name.to_string()),
                ("%COMMAND%", name.as_command()),
                ("%PAYLOAD%", name.as_payload()),
                ("%VENDOR%", vendor.to_string()),
                ("%CODE%", vendor.as_code()),
                ("%DATE%", date.to_string()),
                ("%SUMMARY%", summary.to_owned()),
                ("%DESCRIPTION%", format!("{summary}. Made by {vendor}.")),
            ];
            let fill = |text: String, (mark, value): &(&str, String)| text.replace(mark, value);
            values.iter().fold(text.to_owned(), fill)
        };
        let mut files: Vec<File> = Vec::new();
        let mut rows = match &self.from {
            Some(root) => from::rows(root, dir)?,
            None => String::new(),
        };
        for part in template.map_or(&[][..], Template::parts) {
            let path = filled(part.source);
            rows += &row(&path, &filled(part.destination), part.executable);
            files.push(File {
                path,
                text: filled(part.text),
                executable: part.executable,
            });
        }
        if !rules.is_empty() {
            let path = "firewall.xml".to_owned();
            let destination = format!("etc/vmware/firewall/{name}.xml");
            rows += &row(&path, &destination, false);
            files.push(File {
                path,
                text: firewall::ruleset(name, &rules),
                executable: false,
            });
        }
        let text = filled(include_str!("../../templates/package.toml")) + &rows;
        files.insert(
            0,
            File {
                path: DESCRIPTION.to_owned(),
                text,
                executable: false,
            },
        );
        Ok(files)
    }
}

/// A row of the description.
fn row(source: &str, destination: &str, executable: bool) -> String {
    let mode = if executable { "0755" } else { "0444" };
    format!("\n[[contents]]\nsource = {source:?}\ndestination = {destination:?}\nmode = {mode:?}\n")
}

/// Midnight of today, or what `SOURCE_DATE_EPOCH` says.
fn release_date() -> Result<Epoch> {
    const DAY: u64 = 24 * 60 * 60;
    let named = "the variable SOURCE_DATE_EPOCH";
    match env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text.parse().context(named),
        Err(VarError::NotPresent) => {
            let now = clock::now()?.unix();
            Ok(Epoch::from_unix(i64::try_from(now - now % DAY)?)?)
        }
        Err(error) => Err(error).context(named),
    }
}

/// Writes the files into a new directory; if that fails, those that were written are removed.
fn write(dir: &Path, files: &[File]) -> Result<()> {
    let shown = dir.display();
    let existed = fs::symlink_metadata(dir).is_ok();
    if existed {
        let is_empty = fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none());
        ensure!(
            is_empty,
            "{shown} exists and is not an empty directory; name another one with --dir"
        );
    }
    let written = files.iter().try_for_each(|file| {
        let path = dir.join(&file.path);
        let write = || {
            make_directory(path.parent().unwrap_or(dir))?;
            let mode = if file.executable { 0o755 } else { 0o644 };
            make_file(&path, mode)?.write_all(file.text.as_bytes())
        };
        write().with_context(|| path.display().to_string())
    });
    if written.is_err() {
        if existed {
            for file in files {
                fs::remove_file(dir.join(&file.path)).ok();
            }
        } else {
            fs::remove_dir_all(dir).ok();
        }
    }
    written
}

//! `vib image`: what installer media hold, and packages on their way into them.

mod iso;
mod packages;
mod replace;
mod source;
mod tree;

use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, ensure};
use clap::{Args, Subcommand};
use packaging::{
    Epoch,
    media::{self, Changes, Image},
    rules::Level,
};

use self::{packages::Packages, replace::Target, source::Source};
use crate::{print, style};

/// Options of `image`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell the release, the modules and the packages of a medium, and what does not agree
    ///
    /// Exit status: 1 if something does not agree, or if the medium cannot be read.
    Show {
        /// The ISO image, or the folder with the files of its root
        #[arg(value_name = "SRC")]
        source: PathBuf,
        /// Print JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Put packages into a copy of a medium of 5.0 to 6.7, in place of older ones of their names
    ///
    /// Prints the path of the copy; everything else goes to stderr. SRC is not touched.
    Add(Add),
    /// Take packages out of a copy of a medium of 5.0 to 6.7
    ///
    /// Prints the path of the copy; everything else goes to stderr. SRC is not touched.
    Remove(Remove),
}

#[derive(Debug, Args)]
struct Add {
    /// The ISO image, or the folder with the files of its root
    #[arg(value_name = "SRC")]
    source: PathBuf,
    /// VIBs, offline bundles, or zips around one [default: the VIB in dist/]
    #[arg(value_name = "PACKAGE")]
    packages: Vec<PathBuf>,
    /// Take only the VIB of this name from bundles; may be given several times [default: all]
    #[arg(long, value_name = "NAME")]
    vib: Vec<String>,
    /// Options for the boot line of the medium, such as KEY=VALUE; installed hosts do not keep them
    #[arg(long, value_name = "OPTIONS")]
    kernelopt: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Remove {
    /// The ISO image, or the folder with the files of its root
    #[arg(value_name = "SRC")]
    source: PathBuf,
    /// Names or ids of packages, as `image show` tells them
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
    /// Acceptance level of the profile: community, partner, accepted or certified [default: as it
    /// is]
    #[arg(long, value_parser = level)]
    level: Option<Level>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Common {
    /// Where the copy goes
    #[arg(long, value_name = "DST")]
    out: PathBuf,
    /// Replace an older copy
    #[arg(long)]
    force: bool,
    /// Name of the image profile [default: the old one with the names of the packages]
    #[arg(long)]
    name: Option<String>,
    /// Creator of the image profile [default: the vendor of the package]
    #[arg(long)]
    creator: Option<String>,
}

impl Options {
    /// Runs the command.
    ///
    /// # Errors
    /// With everything that speaks against it. What was there is then as it was.
    pub fn run(self) -> Result<ExitCode> {
        match self.command {
            Command::Show { source, json } => show(&source, json),
            Command::Add(options) => options.run(),
            Command::Remove(options) => options.run(),
        }
    }
}

fn show(source: &Path, json: bool) -> Result<ExitCode> {
    let summary = read(&Source::open(source)?, source)?.summary();
    if json {
        print(&(serde_json::to_string_pretty(&summary)? + "\n"))?;
    } else {
        print(&summary.to_string())?;
    }
    Ok(if summary.problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Add {
    fn run(self) -> Result<ExitCode> {
        let target = Target::new(&self.source, &self.common.out, self.common.force)?;
        let packages = Packages::read(&self.packages, &self.vib)?;
        let medium = Source::open(&self.source)?;
        let image = read(&medium, &self.source)?;
        let options = media::Options {
            kernelopt: self.kernelopt,
            ..self.common.options()?
        };
        let has_options = options.kernelopt.is_some();
        let changes = image
            .add(packages.additions(), &options)
            .with_context(|| refused(&self.common.out))?;
        if has_options {
            style::note(
                "installed hosts do not keep the boot options of the medium; those for hosts \
                 belong into a package or a kickstart file",
            );
        }
        publish(target, &medium, &changes, &packages)
    }
}

impl Remove {
    fn run(self) -> Result<ExitCode> {
        let target = Target::new(&self.source, &self.common.out, self.common.force)?;
        let medium = Source::open(&self.source)?;
        let image = read(&medium, &self.source)?;
        let options = media::Options {
            level: self.level,
            ..self.common.options()?
        };
        let changes = image
            .remove(&self.names, &options)
            .with_context(|| refused(&self.common.out))?;
        publish(target, &medium, &changes, &Packages::default())
    }
}

impl Common {
    fn options(&self) -> Result<media::Options> {
        Ok(media::Options {
            epoch: epoch()?,
            name: self.name.clone(),
            creator: self.creator.clone(),
            ..media::Options::default()
        })
    }
}

fn read(medium: &Source, source: &Path) -> Result<Image> {
    Image::read(medium.medium()).with_context(|| source.display().to_string())
}

fn refused(out: &Path) -> String {
    format!("{} was not written", out.display())
}

fn publish(
    target: Target,
    medium: &Source,
    changes: &Changes,
    packages: &Packages,
) -> Result<ExitCode> {
    for message in &changes.messages {
        style::note(message);
    }
    let path = target.write(|fresh| medium.copy(fresh, changes, packages))?;
    print(&format!("{}\n", path.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// What the variable says that makes builds reproducible.
fn epoch() -> Result<Option<Epoch>> {
    match env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => Ok(Some(
            text.parse().context("the variable SOURCE_DATE_EPOCH")?,
        )),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(error) => Err(error).context("the variable SOURCE_DATE_EPOCH"),
    }
}

fn level(text: &str) -> Result<Level> {
    let level = text.parse();
    ensure!(level.is_ok(), "it is none of {}", Level::NAMES.join(", "));
    level.map_err(|()| anyhow::anyhow!("{text}"))
}

//! curl: one process per step, the account in a netrc file.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

use super::report::{NotOffered, Report};
use super::samples::{Sample, Samples, expect_same};
use super::{Security, Target, expect_one_login, fresh_name, listing, quote, run_client, vacant};
use crate::process::{self, Finished};

/// curl's exit code for a server that refuses the file to retrieve.
const REMOTE_FILE_NOT_FOUND: i32 = 78;

/// curl with an account and a local directory for what it downloads.
pub(crate) struct Curl<'a> {
    target: &'a Target,
    work: &'a Path,
    netrc: PathBuf,
}

/// The cases, each in the directory that the first one makes.
pub(super) fn run(
    target: &Target,
    samples: &Samples,
    work: &Path,
    report: &mut Report,
) -> Result<()> {
    let curl = Curl::new(target, work)?;
    let name = fresh_name("curl");
    let home = target.below(&name);
    let inside = Curl {
        target: &home,
        work,
        netrc: curl.netrc.clone(),
    };
    let mut case = |case: &str, result: Result<()>| report.add("curl", case, result);

    case(
        "MKD, CWD",
        curl.quote(&[&format!("MKD {name}")])
            .and_then(|()| inside.expect_listed(&[])),
    );
    for sample in samples.whole() {
        case(
            &format!("STOR, RETR {}", sample.name),
            inside.round_trip(sample),
        );
    }
    case("LIST", inside.expect_listed(&samples.names()));
    case("NLST", inside.nlst(&samples.names()));
    case("MLSD", inside.mlsd(&samples.names()));
    case("SIZE", inside.size(&samples.accented));
    case("EPSV", inside.passive(&samples.accented, &[], "EPSV"));
    case(
        "PASV",
        inside.passive(&samples.accented, &["--disable-epsv"], "PASV"),
    );
    case("REST, RETR", inside.resume_download(samples));
    case("APPE", inside.resume_upload(samples));
    case("550, session lives on", inside.missing(&samples.accented));
    case("RNFR, RNTO", inside.rename(samples));
    case("DELE", inside.delete(samples));
    case(
        "RMD",
        curl.quote(&[&format!("RMD {name}")])
            .and_then(|()| inside.expect_no_directory()),
    );
    Ok(())
}

impl<'a> Curl<'a> {
    /// Creates the local directory `work` and the netrc file in it.
    ///
    /// # Errors
    /// If that is not possible.
    pub(crate) fn new(target: &'a Target, work: &'a Path) -> Result<Self> {
        fs::create_dir_all(work)?;
        let netrc = work.join("netrc");
        fs::write(&netrc, "")?;
        fs::set_permissions(&netrc, fs::Permissions::from_mode(0o600))?;
        let account = format!(
            "default login {} password {}\n",
            quote(&target.user),
            quote(&target.password)
        );
        fs::write(&netrc, account)?;
        Ok(Self {
            target,
            work,
            netrc,
        })
    }

    /// Uploads every whole sample into the target's directory.
    ///
    /// # Errors
    /// With the first sample that fails.
    pub(crate) fn upload_all(&self, samples: &Samples) -> Result<()> {
        samples
            .whole()
            .into_iter()
            .try_for_each(|sample| self.upload(&sample.path, sample.name))
    }

    /// Downloads every whole sample from the target's directory and compares.
    ///
    /// # Errors
    /// With the first one that differs.
    pub(crate) fn expect_all(&self, samples: &Samples) -> Result<()> {
        samples
            .whole()
            .into_iter()
            .try_for_each(|sample| self.expect_content(sample.name, &sample.path))
    }

    /// Whether a listing of the target's directory succeeds.
    pub(crate) fn can_list(&self) -> bool {
        self.succeed(&[self.target.url("").into()]).is_ok()
    }

    /// Runs curl in verbose mode: the dialogue is on the standard error, without the password.
    fn run(&self, args: &[OsString]) -> Result<Finished> {
        let mut command = process::command("curl");
        command.args([
            "-q",
            "--silent",
            "--show-error",
            "--verbose",
            "--connect-timeout",
            "10",
            "--netrc-file",
        ]);
        command.arg(&self.netrc);
        if self.target.security == Security::Tls {
            // Encryption or nothing; the certificate is not looked at.
            command.args(["--ssl-reqd", "--insecure"]);
        }
        command.args(args).current_dir(self.work);
        run_client(self.target, &mut command, b"")
    }

    fn succeed(&self, args: &[OsString]) -> Result<Finished> {
        self.run(args)?.success().context("curl")
    }

    /// Sends commands in the target's directory, after its (discarded) listing.
    fn quote(&self, commands: &[&str]) -> Result<()> {
        let mut args = vec!["--list-only".into(), "--output".into(), "discarded".into()];
        for command in commands {
            args.extend(["--quote".into(), format!("-{command}").into()]);
        }
        args.push(self.target.url("").into());
        self.succeed(&args).map(drop)
    }

    fn upload(&self, local: &Path, name: &str) -> Result<()> {
        self.succeed(&[
            "--upload-file".into(),
            local.into(),
            self.target.url(name).into(),
        ])
        .map(drop)
    }

    /// Downloads into a fresh local file and compares.
    fn expect_content(&self, name: &str, expected: &Path) -> Result<()> {
        let local = vacant(self.work, "downloaded")?;
        self.succeed(&[
            "--output".into(),
            local.clone().into(),
            self.target.url(name).into(),
        ])?;
        expect_same(&local, expected)
    }

    fn round_trip(&self, sample: &Sample) -> Result<()> {
        self.upload(&sample.path, sample.name)?;
        self.expect_content(sample.name, &sample.path)
    }

    fn expect_listed(&self, names: &[&str]) -> Result<()> {
        let text = self.succeed(&[self.target.url("").into()])?.stdout;
        listing::expect_names(listing::list(&text)?, names)
    }

    fn nlst(&self, names: &[&str]) -> Result<()> {
        let text = self
            .succeed(&["--list-only".into(), self.target.url("").into()])?
            .stdout;
        listing::expect_names(listing::nlst(&text), names)
    }

    fn mlsd(&self, names: &[&str]) -> Result<()> {
        let finished = self.run(&[
            "--request".into(),
            "MLSD".into(),
            self.target.url("").into(),
        ])?;
        if finished.stderr.contains("< 500 ") || finished.stderr.contains("< 502 ") {
            bail!(NotOffered);
        }
        listing::expect_names(listing::mlsd(&finished.success()?.stdout)?, names)
    }

    fn size(&self, sample: &Sample) -> Result<()> {
        let head = self
            .succeed(&["--head".into(), self.target.url(sample.name).into()])?
            .stdout;
        let size = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "))
            .context("no size")?;
        ensure!(
            size.trim() == sample.len.to_string(),
            "{size} instead of {} bytes",
            sample.len
        );
        Ok(())
    }

    /// Downloads with `options`, and looks whether `verb` was the command that opened the data
    /// connection.
    fn passive(&self, sample: &Sample, options: &[&str], verb: &str) -> Result<()> {
        let local = vacant(self.work, "downloaded")?;
        let mut args: Vec<OsString> = options.iter().map(Into::into).collect();
        args.extend([
            "--output".into(),
            local.clone().into(),
            self.target.url(sample.name).into(),
        ]);
        let dialogue = self.succeed(&args)?.stderr;
        let used: Vec<_> = ["EPSV", "PASV"]
            .into_iter()
            .filter(|v| dialogue.contains(&format!("> {v}")))
            .collect();
        ensure!(used == [verb], "{used:?} was used\n{dialogue}");
        expect_same(&local, &sample.path)
    }

    fn resume_download(&self, samples: &Samples) -> Result<()> {
        let local = vacant(self.work, "resumed")?;
        fs::copy(&samples.half.path, &local)?;
        let url = self.target.url(samples.big.name).into();
        let moved = self.resumed(
            &["--output".into(), local.clone().into(), url],
            "%{size_download}",
        )?;
        expect_rest(moved, samples)?;
        expect_same(&local, &samples.big.path)
    }

    fn resume_upload(&self, samples: &Samples) -> Result<()> {
        let name = "resumed.bin";
        self.upload(&samples.half.path, name)?;
        let local = samples.big.path.clone().into();
        let moved = self.resumed(
            &["--upload-file".into(), local, self.target.url(name).into()],
            "%{size_upload}",
        )?;
        expect_rest(moved, samples)?;
        self.expect_content(name, &samples.big.path)?;
        self.quote(&[&format!("DELE {name}")])
    }

    /// Continues a transfer and returns the number of bytes that were moved.
    fn resumed(&self, args: &[OsString], counter: &str) -> Result<u64> {
        let mut resumed: Vec<OsString> = ["--continue-at", "-", "--write-out", counter]
            .map(Into::into)
            .to_vec();
        resumed.extend_from_slice(args);
        let finished = self.succeed(&resumed)?;
        finished
            .stdout
            .trim()
            .parse()
            .with_context(|| format!("curl's counter: {}", finished.stdout))
    }

    /// A missing file and then one that exists, in one session.
    fn missing(&self, sample: &Sample) -> Result<()> {
        let missing = vacant(self.work, "missing")?;
        let url = self.target.url("no-such-file").into();
        let refused = self.run(&["--output".into(), missing.clone().into(), url])?;
        ensure!(
            refused.code == Some(REMOTE_FILE_NOT_FOUND),
            "missing file: {refused}"
        );
        ensure!(
            refused.stderr.contains("< 550"),
            "no 550 for a missing file\n{}",
            refused.stderr
        );

        let found = vacant(self.work, "downloaded")?;
        let both = self.succeed(&[
            "--output".into(),
            missing.into(),
            self.target.url("no-such-file").into(),
            "--output".into(),
            found.clone().into(),
            self.target.url(sample.name).into(),
        ])?;
        expect_one_login(&both.stderr, "> USER ")?;
        expect_same(&found, &sample.path)
    }

    fn rename(&self, samples: &Samples) -> Result<()> {
        let (from, to) = (samples.accented.name, "renamed ä.bin");
        self.quote(&[&format!("RNFR {from}"), &format!("RNTO {to}")])?;
        self.expect_listed(&[samples.big.name, samples.empty.name, to])?;
        self.expect_content(to, &samples.accented.path)?;
        self.quote(&[&format!("RNFR {to}"), &format!("RNTO {from}")])
    }

    fn delete(&self, samples: &Samples) -> Result<()> {
        let commands = samples.names().map(|name| format!("DELE {name}"));
        self.quote(&commands.each_ref().map(String::as_str))?;
        self.expect_listed(&[])
    }

    fn expect_no_directory(&self) -> Result<()> {
        let listed = self.run(&[self.target.url("").into()])?;
        ensure!(listed.code != Some(0), "the directory is still there");
        Ok(())
    }
}

fn expect_rest(moved: u64, samples: &Samples) -> Result<()> {
    let rest = samples.big.len - samples.half.len;
    ensure!(
        moved == rest,
        "{moved} bytes were transferred instead of the missing {rest}"
    );
    Ok(())
}

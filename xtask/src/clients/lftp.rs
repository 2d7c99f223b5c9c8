//! lftp: one script per case, the password in the environment of its process.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

use super::report::{NotOffered, Report};
use super::samples::{Sample, Samples, expect_same};
use super::{Security, Target, expect_one_login, fresh_name, listing, quote, run_client, vacant};
use crate::process;

/// No retries that would hide an error, and names in UTF-8 on both sides.
const SETTINGS: &str = "\
set ftp:passive-mode yes
set net:timeout 20
set net:max-retries 1
set net:persist-retries 0
set net:reconnect-interval-base 1
set ftp:charset UTF-8
set file:charset UTF-8
set xfer:clobber yes
set cmd:fail-exit yes
";

const PLAIN: &str = "set ftp:ssl-allow no\n";
/// Everything is protected; the certificate is not looked at.
const TLS: &str = "\
set ftp:ssl-force yes
set ftp:ssl-protect-data yes
set ftp:ssl-protect-list yes
set ssl:verify-certificate no
";

/// What one run of lftp printed: the results, and the dialogue with the server.
struct Printed {
    stdout: String,
    dialogue: String,
}

struct Lftp<'a> {
    target: &'a Target,
    work: &'a Path,
}

/// The cases, each in the directory that the first one makes.
pub(super) fn run(
    target: &Target,
    samples: &Samples,
    work: &Path,
    report: &mut Report,
) -> Result<()> {
    fs::create_dir_all(work)?;
    let name = fresh_name("lftp");
    let home = target.below(&name);
    let outside = Lftp { target, work };
    let lftp = Lftp {
        target: &home,
        work,
    };
    let mut case = |case: &str, result: Result<()>| report.add("lftp", case, result);

    let made = outside.script(&format!("mkdir {}", quote(&name)));
    case("MKD, CWD", made.and_then(|_| lftp.list("ls", &[])));
    for sample in samples.whole() {
        case(
            &format!("STOR, RETR {}", sample.name),
            lftp.round_trip(sample),
        );
    }
    case("LIST", lftp.list("ls", &samples.names()));
    case("NLST", lftp.nlst(&samples.names()));
    case("MLSD", lftp.mlsd(&samples.names()));
    case("SIZE", lftp.size(&samples.accented));
    case("EPSV", lftp.passive(&samples.accented, "yes", "EPSV"));
    case("PASV", lftp.passive(&samples.accented, "no", "PASV"));
    case("REST, RETR", lftp.resume_download(samples));
    case("REST, STOR", lftp.resume_upload(samples));
    case("550, session lives on", lftp.missing(&samples.accented));
    case("RNFR, RNTO", lftp.rename(samples));
    case("DELE", lftp.delete(samples));
    case("RMD", outside.remove(&name));
    Ok(())
}

/// Makes a directory in the target's.
pub(super) fn make_directory(target: &Target, work: &Path, name: &str) -> Result<()> {
    run_script(target, work, &format!("mkdir {}", quote(name)))
}

/// Runs commands in the target's directory.
pub(super) fn run_script(target: &Target, work: &Path, commands: &str) -> Result<()> {
    Lftp { target, work }.script(commands).map(drop)
}

/// Removes what failed cases have left in the target's directory. Whatever this cannot do stands in
/// the report already.
pub(super) fn clean_up(target: &Target, work: &Path, names: &[String]) {
    let remove: Vec<_> = names
        .iter()
        .map(|name| format!("rm -r -f {}", quote(name)))
        .collect();
    let lftp = Lftp { target, work };
    drop(lftp.script(&format!("set cmd:fail-exit no\n{}", remove.join("\n"))));
}

impl Lftp<'_> {
    /// Logs in, goes to the target's directory and runs `commands`, which must succeed unless they
    /// say otherwise.
    fn script(&self, commands: &str) -> Result<Printed> {
        let dialogue = self.work.join("dialogue");
        let script = self.work.join("script");
        let Target {
            host,
            port,
            user,
            password,
            directory,
            security,
        } = self.target;
        let go_home = if directory.is_empty() {
            String::new()
        } else {
            format!("cd {}\n", quote(directory))
        };
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.clone()
        };
        let open = format!(
            "open --env-password --user {} ftp://{host}:{port}\n",
            quote(user)
        );
        let security = match security {
            Security::Plain => PLAIN,
            Security::Tls => TLS,
        };
        let debug = format!("debug -T -o {} 9\n", quote_path(&dialogue)?);
        fs::write(
            &script,
            format!("{SETTINGS}{security}{debug}{open}{go_home}{commands}\n"),
        )?;
        let mut command = process::command("lftp");
        command
            .arg("--norc")
            .arg("-f")
            .arg(&script)
            .current_dir(self.work);
        command
            .envs([("LFTP_PASSWORD", password.as_str()), ("LC_ALL", "C.UTF-8")])
            .env("HOME", self.work);
        let finished = run_client(self.target, &mut command, b"")?;
        let dialogue = self.target.redact(&fs::read_to_string(dialogue)?);
        let finished = finished
            .success()
            .with_context(|| format!("lftp: {commands}\n{dialogue}"))?;
        Ok(Printed {
            stdout: finished.stdout,
            dialogue,
        })
    }

    fn round_trip(&self, sample: &Sample) -> Result<()> {
        self.script(&format!(
            "put {} -o {}",
            quote_path(&sample.path)?,
            quote(sample.name)
        ))?;
        self.expect_content(sample.name, &sample.path)
    }

    fn expect_content(&self, name: &str, expected: &Path) -> Result<()> {
        let local = vacant(self.work, "downloaded")?;
        self.script(&format!("get {} -o {}", quote(name), quote_path(&local)?))?;
        expect_same(&local, expected)
    }

    fn list(&self, command: &str, names: &[&str]) -> Result<()> {
        // lftp prefers MLSD where it is offered.
        let printed = self.script(&format!("set ftp:use-mlsd no\n{command}"))?;
        ensure!(
            printed.dialogue.contains("---> LIST"),
            "LIST was not used\n{}",
            printed.dialogue
        );
        listing::expect_names(listing::list(&printed.stdout)?, names)
    }

    fn nlst(&self, names: &[&str]) -> Result<()> {
        let printed = self.script("nlist")?;
        listing::expect_names(listing::nlst(&printed.stdout), names)
    }

    fn mlsd(&self, names: &[&str]) -> Result<()> {
        let printed = self.script("set ftp:use-mlsd yes\ncls -1")?;
        if !printed.dialogue.contains("---> MLSD") {
            bail!(NotOffered);
        }
        listing::expect_names(listing::nlst(&printed.stdout), names)
    }

    fn size(&self, sample: &Sample) -> Result<()> {
        let printed = self.script(&format!("quote SIZE {}", quote(sample.name)))?;
        let expected = format!("213 {}", sample.len);
        ensure!(
            printed.stdout.contains(&expected),
            "{:?} instead of {expected:?}",
            printed.stdout
        );
        Ok(())
    }

    fn passive(&self, sample: &Sample, prefer_epsv: &str, verb: &str) -> Result<()> {
        let local = vacant(self.work, "downloaded")?;
        let get = format!("get {} -o {}", quote(sample.name), quote_path(&local)?);
        let printed = self.script(&format!("set ftp:prefer-epsv {prefer_epsv}\n{get}"))?;
        ensure!(
            printed.dialogue.contains(&format!("---> {verb}")),
            "{verb} was not used\n{}",
            printed.dialogue
        );
        expect_same(&local, &sample.path)
    }

    fn resume_download(&self, samples: &Samples) -> Result<()> {
        let local = vacant(self.work, "resumed")?;
        fs::copy(&samples.half.path, &local)?;
        let printed = self.script(&format!(
            "get -c {} -o {}",
            quote(samples.big.name),
            quote_path(&local)?
        ))?;
        expect_rest(&printed, samples)?;
        expect_same(&local, &samples.big.path)
    }

    fn resume_upload(&self, samples: &Samples) -> Result<()> {
        let name = "resumed.bin";
        self.script(&format!(
            "put {} -o {name}",
            quote_path(&samples.half.path)?
        ))?;
        let printed = self.script(&format!(
            "put -c {} -o {name}",
            quote_path(&samples.big.path)?
        ))?;
        expect_rest(&printed, samples)?;
        self.expect_content(name, &samples.big.path)?;
        self.script(&format!("rm {name}")).map(drop)
    }

    /// A missing file and then one that exists, in one session.
    fn missing(&self, sample: &Sample) -> Result<()> {
        let missing = quote_path(&vacant(self.work, "missing")?)?;
        let found = vacant(self.work, "downloaded")?;
        let get = format!("get {} -o {}", quote(sample.name), quote_path(&found)?);
        let printed = self.script(&format!(
            "set cmd:fail-exit no\nget no-such-file -o {missing}\n{get}"
        ))?;
        ensure!(
            printed.dialogue.contains("<--- 550"),
            "no 550 for a missing file\n{}",
            printed.dialogue
        );
        expect_one_login(&printed.dialogue, "---> USER ")?;
        expect_same(&found, &sample.path)
    }

    fn rename(&self, samples: &Samples) -> Result<()> {
        let (from, to) = (samples.accented.name, "renamed ä.bin");
        self.script(&format!("mv {} {}", quote(from), quote(to)))?;
        self.list("ls", &[samples.big.name, samples.empty.name, to])?;
        self.expect_content(to, &samples.accented.path)?;
        self.script(&format!("mv {} {}", quote(to), quote(from)))
            .map(drop)
    }

    fn delete(&self, samples: &Samples) -> Result<()> {
        let names = samples.names().map(quote).join(" ");
        self.script(&format!("rm {names}"))?;
        self.list("ls", &[])
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.script(&format!("rmdir {}", quote(name)))?;
        let listed = listing::nlst(&self.script("nlist")?.stdout);
        ensure!(
            !listed.iter().any(|listed| listed == name),
            "the directory is still there"
        );
        Ok(())
    }
}

/// lftp restarts downloads and, where the server lets it, uploads with REST.
fn expect_rest(printed: &Printed, samples: &Samples) -> Result<()> {
    let rest = format!("---> REST {}", samples.half.len);
    ensure!(
        printed.dialogue.contains(&rest),
        "{rest:?} was not used\n{}",
        printed.dialogue
    );
    Ok(())
}

fn quote_path(path: &Path) -> Result<String> {
    Ok(quote(path.to_str().with_context(|| {
        format!("{} is not UTF-8", path.display())
    })?))
}

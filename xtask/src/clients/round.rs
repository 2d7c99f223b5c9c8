//! The round that every further client makes: all samples there, back again, and a listing.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::report::Report;
use super::samples::{Sample, Samples, expect_same};
use super::{Security, Target, curl, fresh_name, lftp, listing};

/// A client that can be told what to do, in one process for each step.
pub(super) trait Client {
    fn name(&self) -> &'static str;

    /// Whether it can protect connections with TLS.
    fn knows_tls(&self) -> bool;

    /// Puts files into the target's directory; `None` if the client cannot write.
    fn upload(&self, at: &Place<'_>, samples: &[&Sample]) -> Option<Result<()>>;

    /// Gets files of the target's directory into `into`, an empty local directory.
    fn download(&self, at: &Place<'_>, names: &[&str], into: &Path) -> Result<()>;

    /// The names in the target's directory.
    fn list(&self, at: &Place<'_>) -> Result<Vec<String>>;
}

/// Where a client works.
pub(super) struct Place<'a> {
    pub(super) target: &'a Target,
    /// A local directory for scripts and settings.
    pub(super) work: PathBuf,
}

/// Makes the round, in a new directory on the server. Clients without TLS are left out where the
/// target asks for it.
pub(super) fn run(
    client: &dyn Client,
    target: &Target,
    samples: &Samples,
    work: &Path,
    report: &mut Report,
) -> Result<()> {
    if target.security == Security::Tls && !client.knows_tls() {
        return Ok(());
    }
    let name = client.name();
    let work = work.join(name);
    let [scripts, downloads] = ["scripts", "downloads"].map(|dir| work.join(dir));
    for dir in [&work, &scripts, &downloads] {
        fs::create_dir_all(dir)?;
    }
    let directory = fresh_name(name);
    let made = lftp::make_directory(target, &work, &directory);
    report.add(name, "MKD", made);
    let home = target.below(&directory);
    let place = Place {
        target: &home,
        work: scripts,
    };
    let whole = samples.whole();
    match client.upload(&place, &whole) {
        Some(result) => report.add(name, "STOR", result),
        None => curl::Curl::new(&home, &work)?
            .upload_all(samples)
            .context("uploading for a client that cannot")?,
    }
    let got = client
        .download(&place, &samples.names(), &downloads)
        .and_then(|()| {
            whole
                .iter()
                .try_for_each(|sample| expect_same(&downloads.join(sample.name), &sample.path))
        });
    report.add(name, "RETR", got);
    let listed = client.list(&place);
    let listed = listed.and_then(|found| listing::expect_names(found, &samples.names()));
    report.add(name, "LIST", listed);
    Ok(())
}

/// The directories on the server that rounds have made.
pub(super) fn directories(clients: &[&dyn Client]) -> Vec<String> {
    clients
        .iter()
        .map(|client| fresh_name(client.name()))
        .collect()
}

//! `/etc/passwd`: seven fields a line, see passwd(5).

use super::HostCause;

/// Fields of a line.
const FIELDS: usize = 7;

/// Looks for the account with this name. The first line with it counts.
pub(crate) fn find(file: &[u8], name: &str) -> Result<(), HostCause> {
    let mut lines = file.split(|byte| *byte == b'\n');
    let line = lines.find(|line| {
        let rest = line.strip_prefix(name.as_bytes());
        rest.is_some_and(|rest| rest.first() == Some(&b':'))
    });
    let line = line.ok_or(HostCause::NoAccount)?;
    let fields: Vec<_> = line.splitn(FIELDS + 1, |byte| *byte == b':').collect();
    match fields.as_slice() {
        // `x` says that the password is in `/etc/shadow`.
        [_, password, ..] if fields.len() == FIELDS => {
            if *password == b"x" {
                Ok(())
            } else {
                Err(HostCause::UnknownHash)
            }
        }
        _ => Err(HostCause::Malformed),
    }
}

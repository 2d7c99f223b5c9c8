//! HASH, XCRC, XMD5, XSHA.. and MD5: digests of files.

use crate::{
    parse::{arguments::algorithm_name, command::DigestReply, file_arguments::Part},
    protocol::{Protocol, operation::Job, state::Position},
    reply::{Reply, shown},
    request::{Algorithm, Operation},
    virtual_path::VirtualPath,
    wire::name,
};

impl Protocol {
    /// HASH, with the algorithm of OPTS HASH and the range of RANG or REST. It uses a range up; the
    /// position of REST stays for the transfer that it is meant for.
    pub(crate) fn hash(&mut self, path: &[u8]) {
        let position = self.parameters.position;
        if position.end.is_some() {
            self.parameters.position = Position::default();
        }
        let part = Part {
            path: path.to_vec(),
            start: position.start,
            end: position.end,
        };
        self.digest(self.parameters.algorithm, &part, DigestReply::Hash);
    }

    pub(crate) fn digest(&mut self, algorithm: Algorithm, part: &Part, form: DigestReply) {
        let Part { path, start, end } = part;
        if end.is_some_and(|end| end < *start) {
            self.reply(Reply::new(501, "The range ends before it begins."));
        } else if let Some(path) = self.resolve(path) {
            let operation = Operation::Digest {
                path: path.clone(),
                algorithm,
                start: *start,
                end: *end,
            };
            self.perform(Job::Digest(path, algorithm, form), operation);
        }
    }

    pub(crate) fn digest_reply(
        path: &VirtualPath,
        algorithm: Algorithm,
        form: DigestReply,
        hex: &str,
        start: u64,
        end: u64,
    ) -> Reply {
        match form {
            // The range that RANG would take, so its last byte is part of it.
            DigestReply::Hash => {
                let name = algorithm_name(algorithm);
                let last = end.saturating_sub(1).max(start);
                let path = name::encode(path.as_bytes());
                Reply::new(213, format!("{name} {start}-{last} {hex} {path}"))
            }
            DigestReply::Bare => Reply::new(250, hex.to_ascii_uppercase()),
            DigestReply::Md5 => {
                let hex = hex.to_ascii_uppercase();
                Reply::new(251, format!("{} {hex}", shown(path)))
            }
        }
    }
}

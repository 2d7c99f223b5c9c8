//! FEAT and HELP: what holds now.

use crate::{
    parse::{
        arguments::ALGORITHMS,
        command::Help,
        file_arguments::SITE,
        verb::{KNOWN, Verb},
    },
    protocol::Protocol,
    reply::Reply,
    request::Fact,
};

impl Protocol {
    /// RFC 2389, section 3. Only what would work if it were sent next, or after a log-in.
    pub(crate) fn feat(&self) -> Reply {
        let mut features: Vec<String> = Vec::new();
        let mut add = |feature: &str| features.push(format!(" {feature}"));
        if self.settings.tls.is_some() {
            if self.security.tls() {
                add("PBSZ");
                add("PROT");
            } else {
                for mechanism in ["TLS", "TLS-C", "SSL"] {
                    add(&format!("AUTH {mechanism}"));
                }
                add("PBSZ");
                add("PROT");
            }
        }
        add("AVBL");
        add("CLNT");
        add("CSID");
        if self.settings.active {
            add("EPRT");
        }
        add("EPSV");
        add(&format!("HASH {}", self.hash_list()));
        add("HOST");
        add("LANG EN*");
        add("MD5");
        add("MDTM");
        add("MFF modify;UNIX.mode;");
        add("MFMT");
        add(&format!("MLST {}", self.fact_list()));
        add("RANG STREAM");
        add("REST STREAM");
        for command in SITE {
            let name = command.split(' ').next().unwrap_or_default();
            add(&format!("SITE {name}"));
        }
        add("SIZE");
        add("TVFS");
        add("UTF8");
        for digest in ["XCRC", "XMD5", "XSHA", "XSHA1", "XSHA256", "XSHA512"] {
            add(digest);
        }
        Reply::lines(211, "Features:", features, "End")
    }

    /// The algorithms, with a star at the one in force.
    fn hash_list(&self) -> String {
        let mut list = String::new();
        for (algorithm, name) in ALGORITHMS {
            list.push_str(name);
            list.push_str(star(algorithm == self.parameters.algorithm));
        }
        list
    }

    /// The facts, with a star at those that are sent.
    fn fact_list(&self) -> String {
        let mut list = String::new();
        for fact in Fact::ALL {
            list.push_str(fact.name());
            list.push_str(star(self.parameters.facts.contains(fact)));
        }
        list
    }

    /// HELP.
    pub(crate) fn help(subject: Help) -> Reply {
        match subject {
            Help::Unknown => Reply::new(502, "Unknown command. HELP lists the known ones."),
            Help::Of(known) if known.verb == Verb::Unsupported => {
                Reply::new(214, format!("{} is known, but not supported.", known.name))
            }
            Help::Of(known) => Reply::new(214, format!("Usage: {} {}", known.name, known.usage)),
            Help::All => {
                let names: Vec<&str> = KNOWN
                    .iter()
                    .filter(|known| known.verb != Verb::Unsupported)
                    .map(|known| known.name)
                    .collect();
                let lines = names.chunks(8).map(|names| format!(" {}", names.join(" ")));
                let end = "HELP with a command tells its usage.";
                Reply::lines(214, "The commands:", lines.collect(), end)
            }
        }
    }

    /// SITE HELP.
    pub(crate) fn site_help() -> Reply {
        let lines = SITE.iter().map(|usage| format!(" SITE {usage}"));
        Reply::lines(214, "The commands of SITE:", lines.collect(), "End")
    }
}

/// The end of an item of a list, with a mark if it is chosen.
fn star(chosen: bool) -> &'static str {
    if chosen { "*;" } else { ";" }
}

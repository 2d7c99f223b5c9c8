//! What people most often make.

/// What a package is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Template {
    /// A firewall ruleset
    Firewall,
    /// A script that runs at boot
    Script,
    /// A static program with init script, service entry and firewall ruleset
    Daemon,
    /// An esxcli command
    EsxcliPlugin,
}

/// A file of a template; texts hold marks such as `%NAME%`.
pub(super) struct Part {
    /// Its path beside the description.
    pub(super) source: &'static str,
    pub(super) destination: &'static str,
    pub(super) text: &'static str,
    pub(super) executable: bool,
}

const SCRIPT: &[Part] = &[Part {
    source: "init.d/%NAME%",
    destination: "etc/init.d/%NAME%",
    text: include_str!("../../templates/script.sh"),
    executable: true,
}];

const DAEMON: &[Part] = &[
    Part {
        source: "bin/%NAME%",
        destination: "opt/%NAME%/bin/%NAME%",
        text: include_str!("../../templates/daemon.sh"),
        executable: true,
    },
    Part {
        source: "init.d/%NAME%",
        destination: "etc/init.d/%NAME%",
        text: include_str!("../../templates/daemon-init.sh"),
        executable: true,
    },
    Part {
        source: "service.xml",
        destination: "etc/vmware/service/%NAME%.xml",
        text: include_str!("../../templates/service.xml"),
        executable: false,
    },
];

const ESXCLI_PLUGIN: &[Part] = &[
    Part {
        source: "bin/%NAME%",
        destination: "opt/%NAME%/bin/%NAME%",
        text: include_str!("../../templates/esxcli.sh"),
        executable: true,
    },
    Part {
        source: "esxcli.xml",
        destination: "usr/lib/vmware/esxcli/ext/%NAME%.xml",
        text: include_str!("../../templates/esxcli.xml"),
        executable: false,
    },
];

impl Template {
    /// Its files, besides the description and the ruleset.
    pub(super) fn parts(self) -> &'static [Part] {
        match self {
            Self::Firewall => &[],
            Self::Script => SCRIPT,
            Self::Daemon => DAEMON,
            Self::EsxcliPlugin => ESXCLI_PLUGIN,
        }
    }

    /// Whether it has a ruleset even if none was asked for.
    pub(super) fn opens_ports(self) -> bool {
        matches!(self, Self::Firewall | Self::Daemon)
    }

    /// What the description says until its author knows better.
    pub(super) fn summary(self) -> &'static str {
        match self {
            Self::Firewall => "A firewall ruleset",
            Self::Script => "A script that runs at boot",
            Self::Daemon => "A service",
            Self::EsxcliPlugin => "An esxcli command",
        }
    }
}

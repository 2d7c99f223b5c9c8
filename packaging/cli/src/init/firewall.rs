//! Rules of the firewall, from the command line to the ruleset.

use std::{
    fmt::{self, Write as _},
    str::FromStr,
};

use super::name::Name;

/// Ports that are opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    protocol: &'static str,
    first: u16,
    last: u16,
    outbound: bool,
}

/// A text that is no rule.
#[derive(Debug, thiserror::Error)]
#[error(
    "write PROTOCOL:PORT:DIRECTION, such as tcp:51402:out or udp:5000-5010:in (tcp, udp; in, out)"
)]
pub(super) struct NoRule;

impl Rule {
    /// For a ruleset of which nothing is known yet.
    pub(super) const EXAMPLE: Self = Self {
        protocol: "tcp",
        first: 8080,
        last: 8080,
        outbound: false,
    };

    /// For a package that is nothing but this rule.
    pub(super) fn name(&self) -> Name {
        let direction = if self.outbound { "out" } else { "in" };
        let ports = if self.first == self.last {
            self.first.to_string()
        } else {
            format!("{}-{}", self.first, self.last)
        };
        Name::of_rule(format!("{}-{ports}-{direction}", self.protocol))
    }
}

impl FromStr for Rule {
    type Err = NoRule;

    fn from_str(text: &str) -> Result<Self, NoRule> {
        let words: Vec<_> = text.split(':').collect();
        let [protocol, ports, direction] = words.as_slice() else {
            return Err(NoRule);
        };
        let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
        let port = |text: &str| match text.parse::<u16>() {
            Ok(port) if port > 0 && !text.starts_with('+') => Ok(port),
            _ => Err(NoRule),
        };
        let (first, last) = (port(first)?, port(last)?);
        if first > last {
            return Err(NoRule);
        }
        Ok(Self {
            protocol: match *protocol {
                "tcp" => "tcp",
                "udp" => "udp",
                _ => return Err(NoRule),
            },
            first,
            last,
            outbound: match *direction {
                "in" => false,
                "out" => true,
                _ => return Err(NoRule),
            },
        })
    }
}

/// An element `rule`, without its number.
impl fmt::Display for Rule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = if self.outbound { "outbound" } else { "inbound" };
        writeln!(out, "      <direction>{direction}</direction>")?;
        writeln!(out, "      <protocol>{}</protocol>", self.protocol)?;
        writeln!(out, "      <porttype>dst</porttype>")?;
        if self.first == self.last {
            return writeln!(out, "      <port>{}</port>", self.first);
        }
        writeln!(out, "      <port>")?;
        writeln!(out, "        <begin>{}</begin>", self.first)?;
        writeln!(out, "        <end>{}</end>", self.last)?;
        writeln!(out, "      </port>")
    }
}

/// The file for `etc/vmware/firewall`. Numbers of rules and the service have four digits.
pub(super) fn ruleset(name: &Name, rules: &[Rule]) -> String {
    let mut text = format!(
        "<!-- A ruleset of the firewall: esxcli network firewall ruleset rule list -r {name} -->\n\
         <ConfigRoot>\n  <service id=\"0000\">\n    <id>{name}</id>\n"
    );
    for (number, rule) in rules.iter().enumerate() {
        write!(text, "    <rule id=\"{number:04}\">\n{rule}    </rule>\n").unwrap_or_default();
    }
    text += "    <enabled>true</enabled>\n    <required>false</required>\n  </service>\n</ConfigRoot>\n";
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_as_they_are_written() {
        let rule: Rule = "udp:5000-5010:in".parse().unwrap();
        assert_eq!(rule.name().to_string(), "udp-5000-5010-in");
        for text in [
            "",
            "tcp:80",
            "tcp:0:in",
            "tcp:65536:in",
            "tcp:9-8:in",
            "tcp:+8:in",
            "icmp:8:in",
            "tcp:80:both",
            "tcp:80:in:more",
        ] {
            assert!(text.parse::<Rule>().is_err(), "{text}");
        }
    }
}

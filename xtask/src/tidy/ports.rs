//! The ports of the configuration, the firewall ruleset, the service entry and the README are the
//! same.

use anyhow::{Context as _, Result, ensure};
use roxmltree::{Document, Node};

use super::{Findings, Tree};

const CONFIG: &str = "daemon/esxftpd.toml";
const RULESET: &str = "firewall/esxftpd.xml";
const IMPLICIT_RULESET: &str = "firewall/esxftpd-implicit.xml";
const SERVICE: &str = "packaging/host/service.xml";
const README: &str = "README.md";

/// The ports that clients connect to.
#[derive(Debug, PartialEq, Eq)]
struct Ports {
    control: u16,
    /// First and last.
    passive: (u16, u16),
}

pub(super) fn check(tree: &Tree<'_>, findings: &mut Findings) -> Result<()> {
    let configured = configured(&tree.read(CONFIG)?).context(CONFIG)?;
    let ruleset_text = tree.read(RULESET)?;
    let ruleset = Document::parse(&ruleset_text).context(RULESET)?;
    let opened = opened(&ruleset).context(RULESET)?;
    if configured != opened {
        findings.add(
            RULESET,
            format!("opens {opened:?}, but {CONFIG} has {configured:?}; make them agree"),
        );
    }
    if let Err(problem) = implicit(&tree.read(IMPLICIT_RULESET)?) {
        findings.add(IMPLICIT_RULESET, format!("{problem:#}"));
    }
    for (word, wrong) in wrong_ports(&tree.read(README)?, &configured) {
        findings.add(
            README,
            format!("says \"{word} {wrong}\", which {CONFIG} has not"),
        );
    }
    service(
        &tree.read(SERVICE)?,
        text_of(ruleset.root_element(), "id")?,
        findings,
    )
}

/// The ports of the shipped configuration.
fn configured(text: &str) -> Result<Ports> {
    let config: toml::Table = text.parse()?;
    let addresses = value(&config, "listen", "addresses")?
        .as_array()
        .context("listen.addresses")?;
    let mut control = None;
    for address in addresses {
        let port = address
            .as_str()
            .and_then(|address| address.rsplit(':').next())
            .context("an address without a port")?;
        ensure!(
            control.is_none_or(|known| known == port),
            "the shipped addresses have several ports"
        );
        control = Some(port);
    }
    let range = value(&config, "passive", "ports")?
        .as_str()
        .and_then(|range| range.split_once('-'))
        .context("passive.ports")?;
    Ok(Ports {
        control: control.context("no address")?.parse()?,
        passive: (range.0.parse()?, range.1.parse()?),
    })
}

fn value<'c>(config: &'c toml::Table, table: &str, key: &str) -> Result<&'c toml::Value> {
    let value = config.get(table).and_then(|table| table.get(key));
    value.with_context(|| format!("no {table}.{key}"))
}

/// What stands after the words "port" and "ports", where it is not what is configured.
fn wrong_ports<'t>(text: &'t str, ports: &Ports) -> Vec<(&'static str, &'t str)> {
    let (first, last) = ports.passive;
    let words: Vec<_> = text.split_whitespace().collect();
    let mut wrong = Vec::new();
    for (word, number) in [
        ("port", ports.control.to_string()),
        ("ports", format!("{first}-{last}")),
    ] {
        let said: Vec<_> = words
            .windows(2)
            .filter(|pair| pair[0] == word)
            .map(|pair| pair[1].trim_end_matches(['.', ',', ':', ';', ')']))
            .filter(|next| next.starts_with(|c: char| c.is_ascii_digit()))
            .collect();
        if said.is_empty() {
            wrong.push((word, "nothing"));
        }
        wrong.extend(
            said.into_iter()
                .filter(|said| *said != number)
                .map(|said| (word, said)),
        );
    }
    wrong
}

/// The ports that the ruleset opens; it must hold two inbound rules, one for each purpose.
fn opened(ruleset: &Document<'_>) -> Result<Ports> {
    let rules: Vec<_> = ruleset
        .descendants()
        .filter(|node| node.has_tag_name("rule"))
        .collect();
    let [control, passive] = rules[..] else {
        anyhow::bail!("{} rules instead of two", rules.len());
    };
    for rule in [control, passive] {
        let kind = [
            text_of(rule, "direction")?,
            text_of(rule, "protocol")?,
            text_of(rule, "porttype")?,
        ];
        ensure!(kind == ["inbound", "tcp", "dst"], "a rule is {kind:?}");
    }
    Ok(Ports {
        control: text_of(control, "port")?.parse()?,
        passive: (
            text_of(passive, "begin")?.parse()?,
            text_of(passive, "end")?.parse()?,
        ),
    })
}

/// The ruleset for implicit TLS opens its port and nothing else, once somebody enables it.
fn implicit(text: &str) -> Result<()> {
    let ruleset = Document::parse(text)?;
    let root = ruleset.root_element();
    let found = ["id", "direction", "protocol", "porttype", "port", "enabled"]
        .map(|name| text_of(root, name).unwrap_or_default());
    let expected = ["esxftpd-implicit", "inbound", "tcp", "dst", "990", "false"];
    ensure!(found == expected, "says {found:?}, expected {expected:?}");
    let rules = ruleset
        .descendants()
        .filter(|node| node.has_tag_name("rule"));
    ensure!(rules.count() == 1, "has more than one rule");
    Ok(())
}

/// The service entry ties the init script to the ruleset; a wrong name would leave the ports
/// closed.
fn service(text: &str, ruleset_id: &str, findings: &mut Findings) -> Result<()> {
    let entry = Document::parse(text).context(SERVICE)?;
    for (element, expected) in [("ruleset", ruleset_id), ("initfilename", "esxftpd")] {
        let actual = text_of(entry.root_element(), element).context(SERVICE)?;
        if actual != expected {
            findings.add(
                SERVICE,
                format!("<{element}> is {actual:?}, expected {expected:?}"),
            );
        }
    }
    Ok(())
}

/// The text of the first element with this name below `node`.
fn text_of<'a>(node: Node<'a, '_>, name: &str) -> Result<&'a str> {
    let element = node.descendants().find(|node| node.has_tag_name(name));
    element
        .and_then(|element| element.text())
        .with_context(|| format!("no <{name}>"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = "<ConfigRoot><service id='0000'><id>x</id>\
        <rule id='0000'><direction>inbound</direction><protocol>tcp</protocol><porttype>dst</porttype><port>21</port></rule>\
        <rule id='0001'><direction>inbound</direction><protocol>tcp</protocol><porttype>dst</porttype>\
        <port><begin>2000</begin><end>2009</end></port></rule></service></ConfigRoot>";

    #[test]
    fn ports_are_read_from_both_files() {
        let ports = Ports {
            control: 21,
            passive: (2000, 2009),
        };
        let config =
            "listen.addresses = [\"0.0.0.0:21\", \"[::]:21\"]\npassive.ports = \"2000-2009\"\n";
        assert_eq!(configured(config).unwrap(), ports);
        assert_eq!(opened(&Document::parse(RULES).unwrap()).unwrap(), ports);
    }

    #[test]
    fn ports_of_a_text_are_compared_as_whole_numbers() {
        let ports = Ports {
            control: 21,
            passive: (2000, 2009),
        };
        assert!(wrong_ports("port 21 and ports 2000-2009.", &ports).is_empty());
        let wrong = wrong_ports("port 2121, port 21, ports 2000-20099", &ports);
        assert_eq!(wrong, [("port", "2121"), ("ports", "2000-20099")]);
        assert_eq!(wrong_ports("", &ports).len(), 2);
    }

    #[test]
    fn a_ruleset_for_implicit_tls_that_is_open_is_noticed() {
        let text = include_str!("../../../firewall/esxftpd-implicit.xml");
        implicit(text).unwrap();
        for (old, new) in [("<enabled>false", "<enabled>true"), ("990", "21")] {
            assert!(implicit(&text.replace(old, new)).is_err());
        }
    }

    #[test]
    fn an_outbound_rule_is_noticed() {
        let rules = RULES.replacen("inbound", "outbound", 1);
        assert!(opened(&Document::parse(&rules).unwrap()).is_err());
    }
}

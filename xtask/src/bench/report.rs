//! The table of results.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value, json};

use super::measure::{Bar, Better, FOLLOWERS, Measure};
use super::median;
use crate::peers::{Peer, Server};

/// Results by measure and server.
pub(super) struct Table {
    servers: Vec<(Peer, String)>,
    rows: Vec<Row>,
}

struct Row {
    measure: &'static str,
    unit: &'static str,
    better: Better,
    bar: Bar,
    values: BTreeMap<&'static str, Vec<f64>>,
}

impl Table {
    pub(super) fn new(servers: &[Server]) -> Self {
        let servers = servers
            .iter()
            .map(|server| (server.peer, server.version.clone()))
            .collect();
        Self {
            servers,
            rows: Vec::new(),
        }
    }

    /// Notes the values of one run.
    pub(super) fn add(&mut self, measure: &Measure, peer: Peer, values: &[f64]) {
        let first = (measure.name, measure.unit, measure.better, measure.bar);
        let followers = FOLLOWERS
            .iter()
            .filter(|(of, ..)| *of == measure.name)
            .map(|&(_, name, unit, better, bar)| (name, unit, better, bar));
        for (kind, value) in std::iter::once(first).chain(followers).zip(values) {
            self.row(kind)
                .values
                .entry(peer.name())
                .or_default()
                .push(*value);
        }
    }

    fn row(&mut self, kind: (&'static str, &'static str, Better, Bar)) -> &mut Row {
        let (measure, unit, better, bar) = kind;
        let known = self.rows.iter().position(|row| row.measure == measure);
        let index = known.unwrap_or_else(|| {
            self.rows.push(Row {
                measure,
                unit,
                better,
                bar,
                values: BTreeMap::new(),
            });
            self.rows.len() - 1
        });
        &mut self.rows[index]
    }

    /// A list with one object for each row. `ratio_to_best` is above 1 where ours is better than
    /// the best peer, whichever direction is the good one.
    pub(super) fn to_json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            let peers: Map<String, Value> = self
                .peers()
                .filter_map(|peer| Some((peer.name().to_owned(), json!(row.value(peer)?))))
                .collect();
            json!({
                "measure": row.measure,
                "unit": row.unit,
                "better": match row.better {
                    Better::Higher => "higher",
                    Better::Lower => "lower",
                },
                "esxftpd": row.value(Peer::Esxftpd),
                "peers": peers,
                "ratio_to_best": self.ratio(row),
            })
        });
        Value::Array(rows.collect())
    }

    fn peers(&self) -> impl Iterator<Item = Peer> {
        let peers = self.servers.iter().map(|(peer, _)| *peer);
        peers.filter(|peer| *peer != Peer::Esxftpd)
    }

    fn ratio(&self, row: &Row) -> Option<f64> {
        let ours = row.value(Peer::Esxftpd)?;
        let theirs = self.peers().filter_map(|peer| row.value(peer));
        match row.better {
            Better::Higher => theirs.reduce(f64::max).map(|best| ours / best),
            Better::Lower => theirs.reduce(f64::min).map(|best| best / ours),
        }
    }

    fn verdict(&self, row: &Row) -> String {
        let (bar, reached) = match row.bar {
            Bar::Ratio(least) => {
                let ratio = self.ratio(row);
                (format!("{least} x best"), ratio.map(|ratio| ratio >= least))
            }
            Bar::Value(limit) => {
                let ours = row.value(Peer::Esxftpd);
                (
                    format!("{limit} {}", row.unit),
                    ours.map(|ours| match row.better {
                        Better::Higher => ours >= limit,
                        Better::Lower => ours <= limit,
                    }),
                )
            }
        };
        let verdict = match reached {
            Some(true) => "reached",
            Some(false) => "**missed**",
            None => "not measured",
        };
        format!("{bar}: {verdict}")
    }
}

impl Row {
    fn value(&self, peer: Peer) -> Option<f64> {
        let values = self.values.get(peer.name())?;
        (!values.is_empty()).then(|| median(&mut values.clone()))
    }
}

/// Markdown.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "| measure | unit |")?;
        for (peer, version) in &self.servers {
            write!(f, " {} {version} |", peer.name())?;
        }
        writeln!(f, " ratio to best | bar |")?;
        writeln!(
            f,
            "| --- | --- |{} ---: | --- |",
            " ---: |".repeat(self.servers.len())
        )?;
        for row in &self.rows {
            write!(f, "| {} | {} |", row.measure, row.unit)?;
            for (peer, _) in &self.servers {
                match row.value(*peer) {
                    Some(value) => write!(f, " {} |", figure(value))?,
                    None => write!(f, " - |")?,
                }
            }
            match self.ratio(row) {
                Some(ratio) => write!(f, " {ratio:.2} |")?,
                None => write!(f, " - |")?,
            }
            writeln!(f, " {} |", self.verdict(row))?;
        }
        Ok(())
    }
}

/// Three digits that count.
fn figure(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        medium if medium >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

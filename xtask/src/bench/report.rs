//! The table of results.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};

use super::groups::GROUPS;
use super::machine::Machine;
use super::measures::{Bar, Better, Measure, Quantity};
use super::median;
use super::plot::{self, Bars, COLOURS, Chart};
use crate::peers::Peer;

/// What a reader must know.
const NOTES: &[&str] = &[
    "Medians. Client and server share the machine, files are in memory; each server is started anew \
     for each measure, and the order of the servers changes from round to round.",
    "What the client itself needs bounds what can be measured: with 0.2 s per GiB, no server is seen \
     to send more than 5,369 MB/s.",
    "TLS is 1.3 with AES-256-GCM for all servers: the client offers nothing else. Each data \
     connection has its handshake, which resumes a session where the server allows it; Pure-FTPd \
     does not.",
    "At 10 ms, all connections go through a relay of this program, which holds bytes for 5 ms in each \
     direction. It shares the machine, too, and it does not limit windows as a real distance does.",
    "esxftpd runs with its defaults: it writes uploads under another name, syncs and then renames \
     them. The others write in place and do not sync.",
];

/// Results by measure and server.
pub(super) struct Table {
    machine: Machine,
    /// With their versions.
    servers: Vec<(Peer, String)>,
    rows: Vec<Row>,
    failures: Vec<String>,
}

struct Row {
    quantity: Quantity,
    values: BTreeMap<&'static str, Vec<f64>>,
}

impl Table {
    /// A table without values.
    pub(super) fn new(
        machine: Machine,
        servers: Vec<(Peer, String)>,
        measures: &[&Measure],
    ) -> Self {
        let quantities = measures.iter().flat_map(|measure| measure.quantities);
        let rows = quantities.map(|&quantity| Row {
            quantity,
            values: BTreeMap::new(),
        });
        Self {
            machine,
            servers,
            rows: rows.collect(),
            failures: Vec::new(),
        }
    }

    /// Notes the values of one run.
    pub(super) fn add(&mut self, measure: &Measure, peer: Peer, values: &[f64]) {
        for (quantity, value) in measure.quantities.iter().zip(values) {
            for row in &mut self.rows {
                if row.quantity.name == quantity.name {
                    row.values.entry(peer.name()).or_default().push(*value);
                }
            }
        }
    }

    /// Notes why there is no value.
    pub(super) fn fail(&mut self, peer: Peer, error: &anyhow::Error) {
        let failure = format!("{}: {error:#}", peer.name());
        if !self.failures.contains(&failure) {
            self.failures.push(failure);
        }
    }

    /// The finished rows of a measure, for people who wait.
    pub(super) fn rows(&self, measure: &Measure) -> String {
        let rows = measure.quantities.iter().filter_map(|quantity| {
            let found = |row: &&Row| row.quantity.name == quantity.name;
            Some(self.line(self.rows.iter().find(found)?))
        });
        rows.collect()
    }

    /// Writes JSON: a list with one object for each row. `ratio_to_best` is above 1 where ours is
    /// better than the best peer, whichever direction is the good one.
    ///
    /// # Errors
    /// If the file cannot be written; what was there before then stays.
    pub(super) fn write_json(&self, path: &Path) -> Result<()> {
        replace(path, &format!("{:#}\n", self.to_json()))
    }

    /// Draws an SVG with a chart for each group of rows that has values.
    ///
    /// # Errors
    /// If the file cannot be written; what was there before then stays.
    pub(super) fn write_plot(&self, path: &Path) -> Result<()> {
        let servers = self.servers.iter().map(|(peer, version)| {
            let mut colours = Peer::ALL.iter().zip(COLOURS);
            let colour = colours.find(|(other, _)| *other == peer);
            let colour = colour.map_or(COLOURS[0], |(_, colour)| colour);
            (format!("{} {version}", peer.name()), colour)
        });
        replace(
            path,
            &plot::svg(&servers.collect::<Vec<_>>(), &self.charts())?,
        )
    }

    fn charts(&self) -> Vec<Chart> {
        let charts = GROUPS.iter().filter_map(|group| {
            let named = |name| self.rows.iter().find(move |row| row.quantity.name == name);
            let rows = group.rows.iter().filter_map(|name| named(*name));
            let rows: Vec<_> = rows.filter(|row| !row.values.is_empty()).collect();
            let Quantity { unit, better, .. } = rows.first()?.quantity;
            let better = match better {
                Better::Higher => "more",
                Better::Lower => "less",
            };
            let bars = rows.iter().map(|row| Bars {
                name: row.quantity.name,
                values: self
                    .servers
                    .iter()
                    .map(|(peer, _)| row.value(*peer))
                    .collect(),
            });
            Some(Chart {
                title: format!("{}: {unit}, {better} is better", group.title),
                bars: bars.collect(),
            })
        });
        charts.collect()
    }

    fn to_json(&self) -> Value {
        let versions: Map<String, Value> = self
            .servers
            .iter()
            .map(|(peer, version)| (peer.name().to_owned(), json!(version)))
            .collect();
        let machine = self.machine.to_string();
        let rows = self.rows.iter().map(|row| {
            let peers: Map<String, Value> = self
                .peers()
                .filter_map(|peer| Some((peer.name().to_owned(), json!(row.value(peer)?))))
                .collect();
            json!({
                "measure": row.quantity.name,
                "unit": row.quantity.unit,
                "better": match row.quantity.better {
                    Better::Higher => "higher",
                    Better::Lower => "lower",
                },
                "esxftpd": row.value(Peer::Esxftpd),
                "peers": peers,
                "ratio_to_best": self.ratio(row),
                "versions": versions,
                "machine": machine,
            })
        });
        Value::Array(rows.collect())
    }

    fn peers(&self) -> impl Iterator<Item = Peer> {
        let peers = self.servers.iter().map(|(peer, _)| *peer);
        peers.filter(|peer| *peer != Peer::Esxftpd)
    }

    /// How many times as good as the best peer ours is, where that says something.
    fn ratio(&self, row: &Row) -> Option<f64> {
        if matches!(row.quantity.bar, Bar::Difference(_)) {
            return None;
        }
        let ours = row.value(Peer::Esxftpd)?;
        // Our other engine is not a peer.
        let peers = self.peers().filter(|peer| *peer != Peer::Libunftp);
        let theirs = peers.filter_map(|peer| row.value(peer));
        let (good, bad) = match row.quantity.better {
            Better::Higher => (ours, theirs.reduce(f64::max)?),
            Better::Lower => (theirs.reduce(f64::min)?, ours),
        };
        (good > 0.0 && bad > 0.0).then(|| good / bad)
    }

    fn verdict(&self, row: &Row) -> String {
        let Quantity {
            unit, better, bar, ..
        } = row.quantity;
        let (bar, reached) = match bar {
            Bar::None => return "-".to_owned(),
            Bar::Ratio(least) => {
                let ratio = self.ratio(row);
                (format!("{least} x best"), ratio.map(|ratio| ratio >= least))
            }
            Bar::Value(limit) | Bar::Difference(limit) => {
                let ours = row.value(Peer::Esxftpd);
                let holds = |ours| match better {
                    Better::Higher => ours >= limit,
                    Better::Lower => ours <= limit,
                };
                (format!("{limit} {unit}"), ours.map(holds))
            }
        };
        let verdict = match reached {
            Some(true) => "reached",
            Some(false) => "**missed**",
            None => "not measured",
        };
        format!("{bar}: {verdict}")
    }

    /// A row of Markdown.
    fn line(&self, row: &Row) -> String {
        let figure = |peer| row.value(peer).map_or_else(|| "-".to_owned(), figure);
        let figures: Vec<_> = self.servers.iter().map(|(peer, _)| figure(*peer)).collect();
        let figures = figures.join(" | ");
        let ratio = self.ratio(row).map(|ratio| format!("{ratio:.2}"));
        format!(
            "| {} | {} | {figures} | {} | {} |\n",
            row.quantity.name,
            row.quantity.unit,
            ratio.as_deref().unwrap_or("-"),
            self.verdict(row)
        )
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
        writeln!(f, "Measured on: {}\n", self.machine)?;
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
            f.write_str(&self.line(row))?;
        }
        writeln!(f)?;
        for note in NOTES {
            writeln!(f, "- {note}")?;
        }
        for failure in &self.failures {
            writeln!(f, "- {failure}")?;
        }
        Ok(())
    }
}

/// Writes a file that gets its name when it is complete: a run may be ended at any time.
fn replace(path: &Path, text: &str) -> Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let dir = dir.unwrap_or(Path::new("."));
    let context = || path.display().to_string();
    let mut file = tempfile::NamedTempFile::new_in(dir).with_context(context)?;
    file.write_all(text.as_bytes()).with_context(context)?;
    file.persist(path).with_context(context)?;
    Ok(())
}

/// Three digits that count.
pub(super) fn figure(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        medium if medium >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::super::measures::MEASURES;
    use super::*;

    fn table(name: &str, ours: f64, theirs: f64) -> (Table, &'static Measure) {
        let measure = MEASURES
            .iter()
            .find(|measure| measure.name() == name)
            .unwrap();
        let servers = vec![
            (Peer::Esxftpd, "1".to_owned()),
            (Peer::Vsftpd, "2".to_owned()),
        ];
        let mut table = Table::new(Machine::here().unwrap(), servers, &[measure]);
        let values = |value| vec![value; measure.quantities.len()];
        table.add(measure, Peer::Esxftpd, &values(ours));
        table.add(measure, Peer::Vsftpd, &values(theirs));
        (table, measure)
    }

    #[test]
    fn a_ratio_above_one_is_good_for_us_in_both_directions() {
        let (table, measure) = table("RETR 1 GiB", 300.0, 200.0);
        assert_eq!(
            table.rows(measure),
            "| RETR 1 GiB | MB/s | 300 | 200 | 1.50 | 1.1 x best: reached |\n\
             | RETR, CPU of the server per GiB | s | 300 | 200 | 0.67 | 1.3 x best: **missed** |\n\
             | RETR, CPU of the client per GiB | s | 300 | 200 | 0.67 | - |\n"
        );
    }

    #[test]
    fn next_to_nothing_has_no_ratio() {
        let (zero, measure) = table("log-in", 0.5, 0.0);
        assert!(zero.rows(measure).contains("| - | 1 ms: reached |"));
        let (difference, measure) = table("300 log-ins", 0.2, -0.04);
        assert!(
            difference
                .rows(measure)
                .ends_with("| - | 36 KiB: reached |\n")
        );
    }

    #[test]
    fn what_a_server_cannot_do_is_told_once() {
        let (mut table, _) = table("NOOP", 50.0, 60.0);
        for _ in 0..2 {
            table.fail(Peer::Vsftpd, &anyhow!("500 Unknown command"));
        }
        assert_eq!(table.to_string().matches("500 Unknown command").count(), 1);
    }

    #[test]
    fn a_chart_has_the_rows_of_its_group_that_were_measured() {
        let (table, _) = table("RETR 1 GiB", 300.0, 200.0);
        let charts = table.charts();
        let titles: Vec<_> = charts.iter().map(|chart| chart.title.as_str()).collect();
        assert_eq!(
            titles,
            [
                "Large files: MB/s, more is better",
                "Processor time of the server for a GiB: s, less is better"
            ]
        );
        for chart in &charts {
            assert_eq!(chart.bars.len(), 1);
            assert_eq!(chart.bars[0].values, [Some(300.0), Some(200.0)]);
        }
    }

    #[test]
    fn json_is_whole_at_any_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bench.json");
        let (table, _) = table("NOOP", 50.0, 100.0);
        table.write_json(&path).unwrap();
        table.write_json(&path).unwrap();
        let value: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(value[0]["ratio_to_best"], 2.0);
        assert_eq!(value[0]["versions"]["vsftpd"], "2");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}

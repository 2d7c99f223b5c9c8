//! Rows that are shown in one chart: they have one unit, and one direction is the good one.

/// A chart.
pub(super) struct Group {
    pub(super) title: &'static str,
    /// Their names, from the top.
    pub(super) rows: &'static [&'static str],
}

/// All charts, from the top. The processor time of the client is in none of them.
pub(super) const GROUPS: &[Group] = &[
    Group {
        title: "Large files",
        rows: &[
            "RETR 1 GiB",
            "STOR 1 GiB",
            "RETR 1 GiB, TLS 1.3",
            "STOR 1 GiB, TLS 1.3",
            "RETR, 8 sessions",
            "STOR, 8 sessions",
        ],
    },
    Group {
        title: "Processor time of the server for a GiB",
        rows: &[
            "RETR, CPU of the server per GiB",
            "STOR, CPU of the server per GiB",
            "RETR, TLS 1.3, CPU of the server per GiB",
            "STOR, TLS 1.3, CPU of the server per GiB",
        ],
    },
    Group {
        title: "Files of 64 KiB and of 1 MiB",
        rows: &["RETR 64 KiB", "STOR 64 KiB", "RETR 1 MiB", "STOR 1 MiB"],
    },
    Group {
        title: "Small files",
        rows: &[
            "RETR 10 KiB",
            "STOR 10 KiB",
            "RETR 10 KiB, TLS 1.3",
            "STOR 10 KiB, TLS 1.3",
        ],
    },
    Group {
        title: "System calls for a small file",
        rows: &[
            "system calls for RETR of 10 KiB",
            "system calls for STOR of 10 KiB",
        ],
    },
    Group {
        title: "Listings",
        rows: &["LIST 100,000 entries", "MLSD 100,000 entries"],
    },
    Group {
        title: "Growth of memory in listings",
        rows: &["LIST, growth of memory", "MLSD, growth of memory"],
    },
    Group {
        title: "Upload of a thin disk",
        rows: &["STOR of a thin 8 GiB disk"],
    },
    Group {
        title: "Space that the thin disk takes",
        rows: &["thin disk, space used"],
    },
    Group {
        title: "Memory at 50 transfers",
        rows: &["memory at 50 transfers"],
    },
    Group {
        title: "Log-in",
        rows: &["log-in"],
    },
    Group {
        title: "Commands",
        rows: &["NOOP"],
    },
    Group {
        title: "Many log-ins",
        rows: &["300 log-ins"],
    },
    Group {
        title: "Memory of sessions",
        rows: &[
            "private memory of an idle session",
            "private memory of an idle session after a transfer",
        ],
    },
    Group {
        title: "Large files at 10 ms",
        rows: &["RETR 1 GiB at 10 ms", "STOR 1 GiB at 10 ms"],
    },
    Group {
        title: "Small files at 10 ms",
        rows: &["RETR 10 KiB at 10 ms", "STOR 10 KiB at 10 ms"],
    },
    Group {
        title: "Log-in at 10 ms",
        rows: &["log-in at 10 ms", "log-in with TLS 1.3 at 10 ms"],
    },
];

#[cfg(test)]
mod tests {
    use super::super::measures::MEASURES;
    use super::*;

    #[test]
    fn rows_of_a_group_have_one_unit_and_one_direction() {
        let quantities: Vec<_> = MEASURES
            .iter()
            .flat_map(|measure| measure.quantities)
            .collect();
        for group in GROUPS {
            let kinds: Vec<_> = group
                .rows
                .iter()
                .map(|name| {
                    let found = quantities.iter().find(|quantity| quantity.name == *name);
                    let found = found.unwrap_or_else(|| panic!("no row is called {name}"));
                    (found.unit, found.better)
                })
                .collect();
            assert!(
                kinds.iter().all(|kind| *kind == kinds[0]),
                "{}",
                group.title
            );
        }
    }

    #[test]
    fn every_row_is_in_one_group_but_those_of_the_client() {
        for quantity in MEASURES.iter().flat_map(|measure| measure.quantities) {
            let rows = GROUPS.iter().flat_map(|group| group.rows);
            let count = rows.filter(|name| **name == quantity.name).count();
            let wanted = usize::from(!quantity.name.contains("CPU of the client"));
            assert_eq!(count, wanted, "{}", quantity.name);
        }
    }
}

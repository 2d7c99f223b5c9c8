//! What is measured, and what is asked of ours.

use anyhow::{Context as _, Result, ensure};

use super::subject::{Link, Subject};
use super::{calls, listings, sessions, transfers};

/// Whether more is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Better {
    Higher,
    Lower,
}

/// What is asked of ours.
#[derive(Clone, Copy)]
pub(super) enum Bar {
    /// So many times as good as the best peer.
    Ratio(f64),
    /// No worse than this.
    Value(f64),
    /// No worse than this; a difference of two figures, which may be next to nothing for a server,
    /// so that ratios say nothing.
    Difference(f64),
    /// Nothing.
    None,
}

/// A row of the table.
#[derive(Clone, Copy)]
pub(super) struct Quantity {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    pub(super) better: Better,
    pub(super) bar: Bar,
}

/// What is measured at one time.
pub(super) struct Measure {
    /// The first one gives the measure its name.
    pub(super) quantities: &'static [Quantity],
    /// Bytes of memory that servers store for it at one time, where that is much.
    pub(super) stores: u64,
    run: fn(&Subject<'_>) -> Result<Vec<f64>>,
}

impl Measure {
    pub(super) fn name(&self) -> &'static str {
        self.quantities
            .first()
            .map_or_else(Default::default, |quantity| quantity.name)
    }

    /// The program that it cannot do without.
    pub(super) fn needs(&self) -> Option<&'static str> {
        (self.name() == CALLS).then_some(calls::PROGRAM)
    }

    /// Measures once: a value for each quantity.
    pub(super) fn run(&self, subject: &Subject<'_>) -> Result<Vec<f64>> {
        let values = (self.run)(subject).with_context(|| self.name())?;
        ensure!(
            values.len() == self.quantities.len(),
            "{}: {} values",
            self.name(),
            values.len()
        );
        Ok(values)
    }
}

const fn higher(name: &'static str, unit: &'static str, bar: Bar) -> Quantity {
    Quantity {
        name,
        unit,
        better: Better::Higher,
        bar,
    }
}

const fn lower(name: &'static str, unit: &'static str, bar: Bar) -> Quantity {
    Quantity {
        name,
        unit,
        better: Better::Lower,
        bar,
    }
}

const CALLS: &str = "system calls for RETR of 10 KiB";

/// All measures, in the order of the table.
pub(super) const MEASURES: &[Measure] = &[
    Measure {
        quantities: &[
            higher("RETR 1 GiB", "MB/s", Bar::Ratio(1.1)),
            lower("RETR, CPU of the server per GiB", "s", Bar::Ratio(1.3)),
            lower("RETR, CPU of the client per GiB", "s", Bar::None),
        ],
        stores: 0,
        run: |subject| transfers::retrieve(subject, Link::NEAR),
    },
    Measure {
        quantities: &[
            higher("STOR 1 GiB", "MB/s", Bar::Ratio(1.1)),
            lower("STOR, CPU of the server per GiB", "s", Bar::Ratio(1.0)),
            lower("STOR, CPU of the client per GiB", "s", Bar::None),
        ],
        stores: transfers::STORES,
        run: |subject| transfers::store(subject, Link::NEAR),
    },
    Measure {
        quantities: &[
            higher("RETR 1 GiB, TLS 1.3", "MB/s", Bar::Ratio(1.2)),
            lower("RETR, TLS 1.3, CPU of the server per GiB", "s", Bar::None),
            lower("RETR, TLS 1.3, CPU of the client per GiB", "s", Bar::None),
        ],
        stores: 0,
        run: |subject| transfers::retrieve(subject, Link::NEAR_TLS),
    },
    Measure {
        quantities: &[
            higher("STOR 1 GiB, TLS 1.3", "MB/s", Bar::Ratio(1.2)),
            lower("STOR, TLS 1.3, CPU of the server per GiB", "s", Bar::None),
            lower("STOR, TLS 1.3, CPU of the client per GiB", "s", Bar::None),
        ],
        stores: transfers::STORES,
        run: |subject| transfers::store(subject, Link::NEAR_TLS),
    },
    Measure {
        quantities: &[higher("RETR 10 KiB", "files/s", Bar::Ratio(1.0))],
        stores: 0,
        run: transfers::retrieve_small,
    },
    Measure {
        quantities: &[higher("STOR 10 KiB", "files/s", Bar::Ratio(1.0))],
        stores: 0,
        run: transfers::store_small,
    },
    Measure {
        quantities: &[higher("RETR 10 KiB, TLS 1.3", "files/s", Bar::Ratio(1.0))],
        stores: 0,
        run: transfers::retrieve_small_tls,
    },
    Measure {
        quantities: &[higher("STOR 10 KiB, TLS 1.3", "files/s", Bar::Ratio(1.0))],
        stores: 0,
        run: transfers::store_small_tls,
    },
    Measure {
        quantities: &[higher("RETR 64 KiB", "MB/s", Bar::None)],
        stores: 0,
        run: |subject| transfers::retrieve_files(subject, transfers::KIB_64),
    },
    Measure {
        quantities: &[higher("STOR 64 KiB", "MB/s", Bar::None)],
        stores: transfers::KIB_64.total(),
        run: |subject| transfers::store_files(subject, transfers::KIB_64),
    },
    Measure {
        quantities: &[higher("RETR 1 MiB", "MB/s", Bar::None)],
        stores: 0,
        run: |subject| transfers::retrieve_files(subject, transfers::MIB_1),
    },
    Measure {
        quantities: &[higher("STOR 1 MiB", "MB/s", Bar::None)],
        stores: transfers::MIB_1.total(),
        run: |subject| transfers::store_files(subject, transfers::MIB_1),
    },
    Measure {
        quantities: &[
            lower(CALLS, "calls", Bar::Value(26.0)),
            lower("system calls for STOR of 10 KiB", "calls", Bar::Value(32.0)),
        ],
        stores: 0,
        run: calls::of_small_files,
    },
    Measure {
        quantities: &[higher("RETR, 8 sessions", "MB/s", Bar::Ratio(1.0))],
        stores: 0,
        run: transfers::retrieve_in_parallel,
    },
    Measure {
        quantities: &[higher("STOR, 8 sessions", "MB/s", Bar::Ratio(1.0))],
        stores: transfers::STORES_IN_PARALLEL,
        run: transfers::store_in_parallel,
    },
    Measure {
        quantities: &[
            lower("LIST 100,000 entries", "s", Bar::Ratio(1.0)),
            lower("LIST, growth of memory", "MiB", Bar::Difference(40.0)),
        ],
        stores: 0,
        run: |subject| listings::list(subject, "LIST"),
    },
    Measure {
        quantities: &[
            lower("MLSD 100,000 entries", "s", Bar::Ratio(1.0)),
            lower("MLSD, growth of memory", "MiB", Bar::Difference(40.0)),
        ],
        stores: 0,
        run: |subject| listings::list(subject, "MLSD"),
    },
    Measure {
        quantities: &[
            lower("STOR of a thin 8 GiB disk", "s", Bar::Ratio(2.0)),
            lower("thin disk, space used", "MiB", Bar::Value(420.0)),
        ],
        stores: transfers::STORES_THIN,
        run: transfers::store_thin,
    },
    Measure {
        quantities: &[lower("memory at 50 transfers", "MiB", Bar::Value(64.0))],
        stores: 0,
        run: transfers::memory_of_transfers,
    },
    Measure {
        quantities: &[lower("log-in", "ms", Bar::Value(1.0))],
        stores: 0,
        run: |subject| sessions::log_in(subject, Link::NEAR, sessions::LOG_INS),
    },
    Measure {
        quantities: &[lower("NOOP", "µs", Bar::Ratio(1.0))],
        stores: 0,
        run: sessions::noop,
    },
    Measure {
        quantities: &[
            lower("300 log-ins", "s", Bar::Value(0.3)),
            lower(
                "private memory of an idle session",
                "KiB",
                Bar::Difference(32.0),
            ),
            lower(
                "private memory of an idle session after a transfer",
                "KiB",
                Bar::Difference(36.0),
            ),
        ],
        stores: 0,
        run: sessions::many_log_ins,
    },
    Measure {
        quantities: &[higher("RETR 1 GiB at 10 ms", "MB/s", Bar::None)],
        stores: 0,
        run: transfers::retrieve_distant,
    },
    Measure {
        quantities: &[higher("STOR 1 GiB at 10 ms", "MB/s", Bar::None)],
        stores: transfers::STORES,
        run: transfers::store_distant,
    },
    Measure {
        quantities: &[higher("RETR 10 KiB at 10 ms", "files/s", Bar::None)],
        stores: 0,
        run: transfers::retrieve_small_distant,
    },
    Measure {
        quantities: &[higher("STOR 10 KiB at 10 ms", "files/s", Bar::None)],
        stores: 0,
        run: transfers::store_small_distant,
    },
    Measure {
        quantities: &[lower("log-in at 10 ms", "ms", Bar::None)],
        stores: 0,
        run: |subject| sessions::log_in(subject, Link::DISTANT, sessions::DISTANT_LOG_INS),
    },
    Measure {
        quantities: &[lower("log-in with TLS 1.3 at 10 ms", "ms", Bar::None)],
        stores: 0,
        run: |subject| sessions::log_in(subject, Link::DISTANT_TLS, sessions::DISTANT_LOG_INS),
    },
];

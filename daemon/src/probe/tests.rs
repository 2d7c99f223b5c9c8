use std::{collections::BTreeSet, time::Instant};

use super::*;

#[test]
fn linux_has_all_that_the_daemon_needs() {
    let start = Instant::now();
    let report = Report::new(&[PathBuf::from("/"), PathBuf::from("/does/not/exist")]);
    assert!(start.elapsed().as_secs() < 5);
    let missing: Vec<_> = report
        .calls
        .iter()
        .filter(|row| row.means.starts_with("NEEDED"))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(report.kernel.starts_with("Linux "), "{}", report.kernel);
    assert_eq!(report.file_systems[0].result, "ok");
    assert_eq!(report.file_systems[1].result, "ENOENT");
}

#[test]
fn each_row_is_told_once_in_both_forms() {
    let report = Report::new(&[]);
    let ids: BTreeSet<_> = report.calls.iter().map(|row| &row.id).collect();
    assert_eq!(ids.len(), report.calls.len());
    let text = report.to_string();
    for id in &ids {
        let line = format!("\n{id:<38} ");
        assert!(text.contains(&line), "{id}");
    }
    let json = serde_json::to_value(&report).unwrap();
    let rows = json["calls"].as_array().unwrap();
    assert_eq!(rows.len(), ids.len());
    for key in ["id", "call", "result", "means"] {
        assert!(rows.iter().all(|row| row[key].is_string()), "{key}");
    }
}

#[test]
fn the_same_descriptors_are_open_afterwards() {
    let count = || fs::read_dir("/proc/self/fd").unwrap().count();
    let before = count();
    for _ in 0..20 {
        for trial in trials().filter(|trial| trial.call != "clone") {
            let _result = trial.run();
        }
    }
    // Other tests of this process have some open now and then.
    assert!(count() < before + 20);
}

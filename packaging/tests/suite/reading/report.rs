//! What people and programs are shown.

use super::bundles;
use super::fixture::{FILES, edited, read, sound, tar};
use crate::support::{assert_golden, on_disk, tool};

/// Compressed sizes and sums depend on the machine's gzip; these lines are not compared.
fn comparable(text: &str) -> String {
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("sha-256  "));
    let lines = lines.filter(|line| !line.contains("members ") && !line.starts_with("payload "));
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

#[test]
fn a_package_for_people() {
    assert_golden(
        "inspect-vib.txt",
        &comparable(&read(&sound()).unwrap().to_string()),
    );
}

#[test]
fn a_bundle_for_people() {
    let text = read(&bundles::sound()).unwrap().to_string();
    let head = text.split("VIB acme").next().unwrap();
    assert_golden("inspect-bundle.txt", head);
    assert!(
        text.contains("\n  file           hi.vib\n  file sha-256   verified, "),
        "{text}"
    );
}

#[test]
fn json_is_what_its_documentation_says() {
    let inspection = read(&sound()).unwrap();
    let json = serde_json::to_vec(&inspection).unwrap();
    let (folder, _) = on_disk("json", &json);
    // Another program's parser.
    let script = "import json
i = json.load(open('json')); c = i['contents']; p = c['payloads'][0]
assert i['format'] == 1 and c['kind'] == 'vib' and c['signature'] == 'empty'
assert c['descriptor']['id'] == 'acme_bootbank_hi_1.0-1' and c['descriptor']['type'] == 'bootbank'
assert [s['state'] for s in p['checksums']] == ['verified'] * 3
assert p['checksums'][0]['process'] == 'gunzip' and 'process' not in p['checksums'][1]
e = {e['path']: e for e in p['archive']['entries']}
assert e['etc/config/hi/hi.toml']['mode'] == '01644' and e['opt/']['kind'] == 'directory'
assert e['opt/hi/readme']['flavour'] == 'gnu' and p['archive']['terminated'] is True";
    tool("python3", &["-c", script], folder.path());
}

#[test]
fn what_a_terminal_would_obey_is_shown_as_text() {
    let plain = tar("gnu", &FILES);
    let bytes = edited(&plain, |text| {
        text.replace("Says hi", "Says &#155;2J&#10;hi")
    });
    let text = read(&bytes).unwrap().to_string();
    assert!(
        text.contains("summary        Says \\u{9b}2J hi\n"),
        "{text}"
    );
    assert!(!text.contains('\u{9b}'));
}

//! Where files go.

use packaging::{Manifest, Package};

use super::{BIN, assert_contains, changed, refusal_of, refuses};
use crate::support::{SAMPLE, sources};

#[test]
fn a_destination_outside_the_community_locations() {
    refuses(
        BIN,
        "\"usr/bin/hello\"",
        &[
            "contents row 1 \"usr/bin/hello\": lies outside the locations that a host grants to community packages; ",
            "move it below one of etc/cim, ",
            "(FORMAT.md L3)",
        ],
    );
}

#[test]
fn destinations_close_to_a_community_location() {
    for path in [
        "bin/hello",
        "etc/hello/hello",
        "etc/vmware/hello",
        "etc/rc.local.d/hello",
        "var/hello",
        "optional/hello",
    ] {
        refuses(BIN, &format!("{path:?}"), &[path, "FORMAT.md L3"]);
    }
}

#[test]
fn an_absolute_destination() {
    refuses(
        BIN,
        "\"/opt/hello\"",
        &[
            "\"/opt/hello\": is absolute; write \"opt/hello\"",
            "FORMAT.md L1",
        ],
    );
}

#[test]
fn a_destination_with_a_leading_dot() {
    refuses(
        BIN,
        "\"./opt/hello\"",
        &[
            "\"./opt/hello\": begins with \"./\"; write \"opt/hello\"",
            "FORMAT.md L1",
        ],
    );
}

#[test]
fn a_destination_that_climbs() {
    refuses(
        BIN,
        "\"opt/../bin/hello\"",
        &["climbs with \"..\"; spell the path out", "FORMAT.md L1"],
    );
}

#[test]
fn destinations_of_other_bad_form() {
    for (path, problem) in [
        ("", "is empty"),
        ("opt/hello/", "ends in a slash; write \\\"opt/hello\\\""),
        ("opt//hello", "has an empty or \\\".\\\" part"),
        ("opt/./hello", "has an empty or \\\".\\\" part"),
        ("opt/hello world", "contains ' '"),
        ("opt/hällo", "contains 'ä'"),
        ("opt/*", "contains '*'"),
    ] {
        refuses(
            BIN,
            &format!("{path:?}"),
            &[&problem.replace('\\', ""), "FORMAT.md L1"],
        );
    }
}

#[test]
fn a_path_of_more_than_99_bytes() {
    let path = format!("opt/{}", "p".repeat(96));
    refuses(
        BIN,
        &format!("{path:?}"),
        &[
            &path,
            "has 100 bytes, 99 are allowed; shorten",
            "FORMAT.md L2",
        ],
    );
    let longest = changed(BIN, &format!("\"opt/{}\"", "p".repeat(95)));
    let manifest = Manifest::parse(&longest).unwrap().with_version("1.2.0");
    let epoch = manifest.release_date;
    Package::new(manifest, &sources(), epoch).expect("99 bytes are allowed");
}

#[test]
fn a_directory_counts_with_its_slash() {
    let path = format!("opt/{}", "p".repeat(95));
    refuses(
        "\"opt/hello/cache\"",
        &format!("{path:?}"),
        &["has 100 bytes", "FORMAT.md L2"],
    );
}

#[test]
fn two_rows_with_one_destination() {
    refuses(
        "\"opt/hello/share/empty\"",
        BIN,
        &[
            "contents row 5 \"opt/hello/bin/hello\": is the destination of an earlier row, too; keep one of them",
            "FORMAT.md L4",
        ],
    );
}

#[test]
fn a_file_below_a_file() {
    refuses(
        "\"opt/hello/share/empty\"",
        "\"opt/hello/bin/hello/empty\"",
        &[
            "\"opt/hello/bin/hello/empty\": lies below \"opt/hello/bin/hello\", which is a file",
            "give one of them another destination",
            "FORMAT.md L4",
        ],
    );
}

#[test]
fn a_path_that_is_file_and_directory() {
    refuses(
        "\"opt/hello/cache\"",
        BIN,
        &[
            "\"opt/hello/bin/hello\": is both a file and a directory",
            "FORMAT.md L4",
        ],
    );
}

#[test]
fn a_configuration_file_whose_edits_would_be_lost() {
    refuses(
        "\"etc/config/hello/hello.toml\"",
        "\"opt/hello/hello.toml\"",
        &[
            "contents row 3 \"opt/hello/hello.toml\": is of type \"config\" outside etc/, where a reboot drops its edits",
            "move it below etc/config/ or make it type \"file\"",
            "FORMAT.md L5",
        ],
    );
}

#[test]
fn a_file_that_others_may_write() {
    refuses(
        "mode = \"0755\"",
        "mode = \"0775\"",
        &[
            "has mode 0775, by which others than root may write",
            "FORMAT.md L6",
        ],
    );
}

#[test]
fn an_init_script_that_cannot_be_started() {
    refuses(
        "\"etc/init.d/hello\"\nmode = \"0755\"",
        "\"etc/init.d/hello\"\nmode = \"0644\"",
        &[
            "has mode 0644 and cannot be started; set it to 0755",
            "FORMAT.md L6",
        ],
    );
}

#[test]
fn a_missing_source() {
    let mut sources = sources();
    sources.remove("build/hello");
    let text = refusal_of(SAMPLE, "1.2.0", &sources);
    assert_contains(
        &text,
        &[
            "contents row 1 \"opt/hello/bin/hello\": has the source \"build/hello\", which does not exist; ",
            "build or write that file, or mend its path",
            "FORMAT.md L7",
        ],
    );
}

#[test]
fn a_row_without_source() {
    refuses(
        "source = \"build/hello\"\n",
        "",
        &[
            "contents row 1",
            "has no source; name the file to pack",
            "FORMAT.md L7",
        ],
    );
}

#[test]
fn a_directory_with_source() {
    refuses(
        "destination = \"opt/hello/cache\"",
        "destination = \"opt/hello/cache\"\nsource = \"empty\"",
        &["contents row 4 \"opt/hello/cache\": is a directory with a source; remove the source"],
    );
}

#[test]
fn a_package_without_files() {
    let (head, _) = SAMPLE.split_once("[[contents]]").unwrap();
    let (bare, tables) = head.split_once("\n[urls]").unwrap();
    let text = refusal_of(
        &format!("{bare}\ncontents = []\n[urls]{tables}"),
        "1.2.0",
        &sources(),
    );
    assert_contains(
        &text,
        &["payloads \"hello\": holds no file; add a row with source, destination and payload"],
    );
}

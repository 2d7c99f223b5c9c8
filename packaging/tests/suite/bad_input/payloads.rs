//! Payloads, their names, and which rows go where.

use super::{assert_contains, changed, line_of, parse_error, refusal_of, refuses};
use crate::support::{SAMPLE, sources};

const PAYLOADS: &str = "payloads = [{ name = \"hello\" }]";
const ROW: &str = "source = \"hello.init\"\n";

/// The sample with other payloads, the second of which holds the init script.
fn two(payloads: &str, second: &str) -> String {
    changed(PAYLOADS, payloads).replace(ROW, &format!("{ROW}payload = {second:?}\n"))
}

fn refuses_two(payloads: &str, second: &str, parts: &[&str]) {
    let text = refusal_of(&two(payloads, second), "1.2.0", &sources());
    assert_eq!(text.lines().count(), 1, "{text}");
    assert_contains(&text, parts);
}

#[test]
fn no_payload_at_all() {
    let text = refusal_of(&changed(PAYLOADS, "payloads = []"), "1.2.0", &sources());
    assert_contains(
        &text,
        &["payloads: is empty; name one, for instance", "FORMAT.md I9"],
    );
}

#[test]
fn a_payload_without_files() {
    refuses(
        PAYLOADS,
        "payloads = [{ name = \"hello\" }, { name = \"more\" }]",
        &[
            "payloads \"more\": holds no file; add a row with source, destination and payload = \"more\", or remove",
            "FORMAT.md L8",
        ],
    );
    // A directory does not fill it.
    let toml = changed(
        PAYLOADS,
        "payloads = [{ name = \"hello\" }, { name = \"more\" }]",
    )
    .replace("mode = \"0700\"", "mode = \"0700\"\npayload = \"more\"");
    let text = refusal_of(&toml, "1.2.0", &sources());
    assert_contains(&text, &["payloads \"more\": holds no file"]);
}

#[test]
fn a_row_for_a_payload_that_is_not_there() {
    refuses(
        ROW,
        &format!("{ROW}payload = \"helo\"\n"),
        &[
            "contents row 2 \"etc/init.d/hello\": goes to the payload \"helo\", which payloads does not list; \
             add it there or use one of \"hello\"",
            "FORMAT.md L8",
        ],
    );
}

#[test]
fn two_payloads_of_one_name() {
    let text = refusal_of(
        &changed(
            PAYLOADS,
            "payloads = [{ name = \"hello\" }, { name = \"hello\" }]",
        ),
        "1.2.0",
        &sources(),
    );
    assert_contains(
        &text,
        &[
            "payloads \"hello\": is there twice; keep one",
            "FORMAT.md I9",
        ],
    );
}

#[test]
fn the_names_of_the_other_members() {
    for name in ["descriptor.xml", "sig.pkcs7"] {
        refuses(
            PAYLOADS,
            &format!("payloads = [{{ name = {name:?} }}]"),
            &["is the name of a member that every VIB has", "FORMAT.md I9"],
        );
    }
}

#[test]
fn names_that_the_boot_bank_cannot_tell_apart() {
    for (first, second, file) in [
        ("payload-a", "payload-b", "payload_.t00"),
        ("Driver", "driver", "driver.t00"),
        ("a-b", "a_b", "a_b.t00"),
    ] {
        refuses_two(
            &format!("payloads = [{{ name = {first:?} }}, {{ name = {second:?} }}]"),
            second,
            &[
                &format!(
                    "payloads {second:?}: becomes {file} in the boot bank, as another payload does; "
                ),
                "let their first 8 characters differ, or give one a vfat-name",
                "FORMAT.md H2",
            ],
        );
    }
    refuses_two(
        "payloads = [{ name = \"one\" }, { name = \"two\", vfat-name = \"one.t00\" }]",
        "two",
        &["becomes one.t00 in the boot bank"],
    );
}

#[test]
fn names_that_the_boot_bank_can_tell_apart() {
    for payloads in [
        "payloads = [{ name = \"payload-a\" }, { name = \"payload-b\", type = \"vgz\" }]",
        "payloads = [{ name = \"payload-a\" }, { name = \"payload-b\", vfat-name = \"b.t00\" }]",
    ] {
        crate::support::vib(&two(payloads, "payload-b"), "1.2.0");
    }
}

#[test]
fn file_names_that_are_not_8_3() {
    for name in [
        "",
        "hello",
        "hello.",
        ".t00",
        "nine-char.t00",
        "helloworld.t00",
        "Hello.t00",
        "a.b.c",
        "a.t000",
        "a/b.t00",
    ] {
        refuses(
            PAYLOADS,
            &format!("payloads = [{{ name = \"hello\", vfat-name = {name:?} }}]"),
            &[
                &format!(
                    "payloads \"hello\", vfat-name {name:?}: is not of the form 8.3; write 1 to 8"
                ),
                "FORMAT.md H2",
            ],
        );
    }
    refuses(
        PAYLOADS,
        "payloads = [{ name = \"hello\", vfat-name = \"boot.cfg\" }]",
        &[
            "vfat-name \"boot.cfg\": is a file of the host itself",
            "FORMAT.md H2",
        ],
    );
}

#[test]
fn types_and_keys_of_payloads_that_do_not_exist() {
    let toml = changed(
        PAYLOADS,
        "payloads = [{ name = \"hello\", type = \"vzstd\" }]",
    );
    let line = line_of(&toml, "payloads");
    assert_contains(
        &parse_error(&toml),
        &[
            &format!("line {line}, "),
            "unknown variant `vzstd`, expected `tgz` or `vgz`",
        ],
    );
    let toml = changed(PAYLOADS, "payloads = [{ name = \"hello\", level = 9 }]");
    assert_contains(
        &parse_error(&toml),
        &["unknown field `level`, expected one of `name`, `type`, `vfat-name`"],
    );
    let toml = changed(PAYLOADS, "payload = \"hello\"");
    assert_contains(
        &parse_error(&toml),
        &["key payload: unknown field `payload`"],
    );
}

#[test]
fn one_path_in_two_payloads() {
    let payloads = "payloads = [{ name = \"one\" }, { name = \"two\" }]";
    let toml = two(payloads, "two");
    for (from, to, problem) in [
        (
            "\"opt/hello/share/empty\"",
            "\"etc/init.d/hello\"",
            "is the destination of an earlier row, too",
        ),
        (
            "\"opt/hello/share/empty\"",
            "\"etc/init.d/hello/x\"",
            "lies below \"etc/init.d/hello\", which is a file",
        ),
        (
            "\"opt/hello/cache\"",
            "\"etc/init.d/hello\"",
            "is both a file and a directory",
        ),
    ] {
        let text = refusal_of(&toml.replace(from, to), "1.2.0", &sources());
        assert_contains(&text, &[problem, "FORMAT.md L4"]);
    }
}

#[test]
fn a_script_that_cannot_be_started() {
    let toml = SAMPLE.replacen(
        "destination = \"etc/init.d/hello\"\nmode = \"0755\"",
        "destination = \"etc/init.d/hello\"\nmode = \"0644\"",
        1,
    );
    let text = refusal_of(&toml, "1.2.0", &sources());
    assert_contains(
        &text,
        &[
            "contents row 2 \"etc/init.d/hello\": has mode 0644 and cannot be started; set it to 0755",
            "FORMAT.md L6",
        ],
    );
}

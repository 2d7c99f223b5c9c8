//! What `package.toml` cannot say.

use super::{assert_contains, changed, line_of, parse_error};

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let toml = changed(
        "payloads = [{ name = \"hello\" }]",
        "payloads = [{ name = \"hello\" }]\ncolour = \"red\"",
    );
    let line = line_of(&toml, "colour");
    assert_contains(
        &parse_error(&toml),
        &[&format!(
            "line {line}, key colour: unknown field `colour`, expected one of `name`"
        )],
    );
}

#[test]
fn an_unknown_key_of_a_row_is_named_with_its_line() {
    let toml = changed(
        "source = \"hello.init\"",
        "source = \"hello.init\"\nowner = \"root\"",
    );
    let line = line_of(&toml, "owner");
    assert_contains(
        &parse_error(&toml),
        &[&format!("line {line}, key owner: unknown field `owner`")],
    );
}

#[test]
fn an_unknown_table_is_named_with_its_line() {
    let toml = changed("[bulletin]", "[bulletins]");
    let line = line_of(&toml, "[bulletins]");
    assert_contains(
        &parse_error(&toml),
        &[&format!(
            "line {line}, table bulletins: unknown field `bulletins`"
        )],
    );
}

#[test]
fn a_missing_key_is_named() {
    assert_contains(
        &parse_error(&changed("summary = ", "# ")),
        &["line 1, package.toml: missing field `summary`"],
    );
    let toml = changed("mode = \"0700\"\n", "");
    assert_contains(
        &parse_error(&toml),
        &["table contents: missing field `mode`"],
    );
}

#[test]
fn modes_that_would_mean_something_else() {
    for mode in [
        "444",
        "0o444",
        "\"755\"",
        "\"0855\"",
        "\"1755\"",
        "\"+755\"",
        "\"07550\"",
    ] {
        let toml = changed("\"0755\"", mode);
        let line = line_of(&toml, "mode");
        assert_contains(
            &parse_error(&toml),
            &[
                &format!("line {line}, key mode: "),
                "four octal digits in quotes",
            ],
        );
    }
}

#[test]
fn a_release_date_without_offset_means_another_second_on_every_machine() {
    let toml = changed("2026-01-15T12:30:45Z", "2026-01-15T12:30:45");
    assert_contains(
        &parse_error(&toml),
        &[
            "line 5, key release-date: ",
            "write it like 2026-01-15T00:00:00Z",
        ],
    );
    let toml = changed("2026-01-15T12:30:45Z", "1969-01-15T12:30:45Z");
    assert_contains(
        &parse_error(&toml),
        &[
            "line 5, key release-date: ",
            "is not a time that a package can carry",
        ],
    );
}

#[test]
fn what_is_no_toml_is_told_with_its_line() {
    let toml = changed("payloads = [{ name = \"hello\" }]", "payload = ");
    let line = line_of(&toml, "payload =");
    assert_contains(
        &parse_error(&toml),
        &[&format!("line {line}, key payload: ")],
    );
}

#[test]
fn an_unknown_word_is_answered_with_the_known_ones() {
    assert_contains(
        &parse_error(&changed("type = \"config\"", "type = \"conf\"")),
        &["key type: unknown variant `conf`, expected one of `file`, `config`, `dir`"],
    );
    assert_contains(
        &parse_error(&changed("relation = \">=\"", "relation = \"=>\"")),
        &["key relation: unknown variant `=>`"],
    );
}

#[test]
fn maintenance_mode_is_one_word_or_two() {
    let head = "vendor = \"acme\"\n";
    for (value, problem) in [
        (
            "\"always\"",
            "expected true, false or { on-install = .., on-remove = .. }",
        ),
        ("{ on-install = true }", "missing field `on-remove`"),
        ("{ on-install = true, on-remove = 1 }", "expected a boolean"),
        (
            "{ on-install = true, on-remove = true, on-update = true }",
            "unknown field `on-update`, expected `on-install` or `on-remove`",
        ),
    ] {
        let toml = changed(head, &format!("{head}maintenance-mode = {value}\n"));
        let line = line_of(&toml, "maintenance-mode");
        assert_contains(
            &parse_error(&toml),
            &[&format!("line {line}, key maintenance-mode: "), problem],
        );
    }
}

#[test]
fn keys_of_hardware_and_tags_are_named_when_they_are_wrong() {
    let head = "vendor = \"acme\"\n";
    for (text, line, parts) in [
        (
            "[[hwplatform]]\nmaker = \"Acme\"\n",
            "maker",
            &["key maker: unknown field `maker`, expected `vendor` or `model`"][..],
        ),
        (
            "[[hwplatform]]\nmodel = \"One\"\n",
            "[[hwplatform]]",
            &["table hwplatform: missing field `vendor`"],
        ),
    ] {
        let toml = changed("[[contents]]", &format!("{text}[[contents]]"));
        let line = line_of(&toml, line);
        assert_contains(&parse_error(&toml), parts);
        assert_contains(&parse_error(&toml), &[&format!("line {line}, ")]);
    }
    let toml = changed(head, &format!("{head}software-tags = \"driver\"\n"));
    assert_contains(
        &parse_error(&toml),
        &["key software-tags: invalid type: string"],
    );
    let toml = changed(head, &format!("{head}overlay = \"yes\"\n"));
    assert_contains(&parse_error(&toml), &["key overlay: invalid type: string"]);
    let toml = changed(head, &format!("{head}acceptance-level = \"friendly\"\n"));
    assert_contains(
        &parse_error(&toml),
        &[
            "unknown variant `friendly`, expected one of `community`, `partner`, `accepted`, `certified`",
        ],
    );
}

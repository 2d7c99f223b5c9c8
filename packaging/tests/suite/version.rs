//! Versions against the rules of FORMAT.md I2 to I4.

use std::cmp::Ordering;

use packaging::Version;
use proptest::prelude::*;

fn compare(left: &str, right: &str) -> Ordering {
    Version::parse(left)
        .unwrap()
        .compare(&Version::parse(right).unwrap())
}

#[test]
fn versions_sort_as_on_a_host() {
    let ascending = [
        "rc-1",
        "0.1-1",
        "0.1.0-0.rc.1.1",
        "0.1.0-1",
        "0.1.0-1a",
        "0.1.0-2",
        "0.1.0-10",
        "0.1.0-10.0",
        "0.1.1-1",
        "0.2-1",
        "0.10-1",
        "0rc1-1",
        "1-1",
        "4-1",
        "4.0-1",
        "10-1",
        "99999999999999999999999-1",
        "100000000000000000000000-1",
    ];
    for pair in ascending.windows(2) {
        assert_eq!(
            compare(pair[0], pair[1]),
            Ordering::Less,
            "{} < {}",
            pair[0],
            pair[1]
        );
        assert_eq!(
            compare(pair[1], pair[0]),
            Ordering::Greater,
            "{} > {}",
            pair[1],
            pair[0]
        );
    }
}

#[test]
fn leading_zeros_do_not_count() {
    assert_eq!(compare("1.007-1", "1.7-01"), Ordering::Equal);
}

#[test]
fn a_release_candidate_written_into_the_upstream_part_would_sort_behind_the_release() {
    // The reason for the detour through the release part.
    assert_eq!(compare("0.1.0rc1-1", "0.1.0-1"), Ordering::Greater);
}

#[test]
fn semantic_versions_keep_their_order() {
    let ascending = [
        "0.0.9",
        "0.1.0-alpha.1",
        "0.1.0-alpha.2",
        "0.1.0-alpha.10",
        "0.1.0-beta.0",
        "0.1.0-rc.1",
        "0.1.0-rc.2",
        "0.1.0",
        "0.1.1-alpha.1",
        "0.1.1",
        "0.10.0",
        "1.0.0",
    ];
    for pair in ascending.windows(2) {
        let [left, right] =
            [pair[0], pair[1]].map(|text| Version::from_upstream(text, "1").unwrap());
        assert_eq!(left.compare(&right), Ordering::Less, "{left} < {right}");
    }
}

#[test]
fn a_second_build_of_a_release_candidate_is_newer_and_still_older_than_the_next() {
    let version = |upstream, release| Version::from_upstream(upstream, release).unwrap();
    let second_build = version("0.1.0-rc.1", "2");
    assert_eq!(
        second_build.compare(&version("0.1.0-rc.1", "1")),
        Ordering::Greater
    );
    assert_eq!(
        second_build.compare(&version("0.1.0-rc.2", "1")),
        Ordering::Less
    );
    assert_eq!(second_build.compare(&version("0.1.0", "1")), Ordering::Less);
}

#[test]
fn a_final_version_takes_the_release_behind_one_dash() {
    let version = Version::from_upstream("0.1.0", "1").unwrap();
    assert_eq!(version.to_string(), "0.1.0-1");
    assert_eq!((version.upstream(), version.release()), ("0.1.0", "1"));
}

#[test]
fn what_is_no_version_is_refused() {
    for text in [
        "", "1", "-", "1-", "-1", "1-2-3", "1..2-1", "1.-1", "1+2-1", "1 2-1", "ü-1",
    ] {
        Version::parse(text).expect_err(text);
    }
    assert!(Version::parse(&format!("{}-1", "1".repeat(33))).is_ok());
    Version::parse(&format!("{}-1", "1".repeat(34))).expect_err("36 characters");
}

#[test]
fn pre_releases_whose_order_would_be_lost_are_refused() {
    for text in [
        "1.0.0-rc1",
        "1.0.0-1",
        "1.0.0-rc",
        "1.0.0-rc.01",
        "1.0.0-rc.1.2",
        "1.0.0-rc.x",
        "1.0.0-rc-1.1",
    ] {
        let finding = Version::from_upstream(text, "1").expect_err(text);
        assert!(finding.to_string().contains("1.2.0-rc.1"), "{finding}");
    }
    Version::from_upstream("1.0.0+build", "1").expect_err("build metadata");
}

#[test]
fn a_release_of_zero_is_refused_because_it_would_precede_pre_releases() {
    for release in ["", "0", "00", "a", "0.1"] {
        Version::from_upstream("1.0.0", release).expect_err(release);
    }
}

/// A semantic version with a pre-release of the accepted form, as a key that sorts as semantic
/// versions do.
type Semantic = (u16, u16, u16, bool, String, u16);

fn semantic() -> impl Strategy<Value = Semantic> {
    let number = || prop_oneof![0..3_u16, any::<u16>()];
    let final_one =
        (number(), number(), number()).prop_map(|(a, b, c)| (a, b, c, true, String::new(), 0));
    let candidate = (number(), number(), number(), "[a-c][0-9a-c]{0,2}", number())
        .prop_map(|(a, b, c, word, number)| (a, b, c, false, word, number));
    prop_oneof![final_one, candidate]
}

fn spell((major, minor, patch, is_final, word, number): &Semantic) -> String {
    let core = format!("{major}.{minor}.{patch}");
    if *is_final {
        core
    } else {
        format!("{core}-{word}.{number}")
    }
}

proptest! {
    #[test]
    fn mapping_keeps_the_order_of_any_two_semantic_versions(left in semantic(), right in semantic()) {
        let [mapped_left, mapped_right] =
            [&left, &right].map(|version| Version::from_upstream(&spell(version), "1").unwrap());
        prop_assert_eq!(mapped_left.compare(&mapped_right), left.cmp(&right), "{} {}", mapped_left, mapped_right);
    }

    #[test]
    fn mapping_gives_what_a_descriptor_can_hold(version in semantic(), release in "[1-9][0-9]{0,2}") {
        let mapped = Version::from_upstream(&spell(&version), &release).unwrap();
        prop_assert_eq!(&Version::parse(&mapped.to_string()).unwrap(), &mapped);
    }

    #[test]
    fn comparing_is_a_total_order(texts in proptest::collection::vec("[0-2a_]{1,3}(\\.[0-2a_]{1,2}){0,2}-[0-2a]{1,2}", 3)) {
        let [a, b, c] = [0, 1, 2].map(|n| Version::parse(&texts[n]).unwrap());
        prop_assert_eq!(a.compare(&b), b.compare(&a).reverse());
        if a.compare(&b) != Ordering::Greater && b.compare(&c) != Ordering::Greater {
            prop_assert_ne!(a.compare(&c), Ordering::Greater);
        }
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in any::<String>()) {
        if let Ok(version) = Version::parse(&text) {
            prop_assert_eq!(version.to_string(), text);
        }
    }
}

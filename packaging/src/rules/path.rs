//! Paths: their form, their length, and where a package may install to.

use super::{CONFIG_BELOW_ETC, Finding, LOCATION, PATH_FORM, PATH_LENGTH, Releases};

/// Most bytes of a path, directories with their closing slash included.
pub const PATH_LIMIT: usize = 99;

/// Directories below which a community package may install, at any depth. `*` stands for any part
/// of one name.
pub const COMMUNITY_LOCATIONS: [&str; 25] = [
    "etc/cim",
    "etc/config",
    "etc/init.d",
    "etc/shutdown.d",
    "etc/vmware/default.map.d",
    "etc/vmware/driver.map.d",
    "etc/vmware/fallback.map.d",
    "etc/vmware/firewall",
    "etc/vmware/ihv.map.d",
    "etc/vmware/oem.map.d",
    "etc/vmware/pciid",
    "etc/vmware/service",
    "etc/vmware/shutdown/shutdown.d",
    "etc/vmware/vm-support",
    "opt",
    "usr/lib/cim",
    "usr/lib/hostprofiles/locale",
    "usr/lib/hostprofiles/plugins",
    "usr/lib/pycim",
    "usr/lib/vmware",
    "usr/lib/vmware-debug",
    "usr/lib64/vmware",
    "usr/libexec/jumpstart/plugins",
    "usr/share/hwdata/*.pciids.d",
    "var/lib/sfcb/registration",
];

/// Form of a destination: relative, in its simplest spelling, printable ASCII.
pub fn form(place: &str, path: &str) -> Option<Finding> {
    let found =
        |problem: &str, remedy: String| Some(Finding::new(PATH_FORM, place, problem, remedy));
    if path.is_empty() {
        return found(
            "is empty",
            "name the path on the host, without the leading slash".to_owned(),
        );
    }
    if path.starts_with('/') {
        return found(
            "is absolute",
            format!("write {:?}", path.trim_start_matches('/')),
        );
    }
    if path.starts_with("./") {
        return found(
            "begins with \"./\"",
            format!("write {:?}", path.trim_start_matches("./")),
        );
    }
    if path.ends_with('/') {
        return found(
            "ends in a slash",
            format!("write {:?}", path.trim_end_matches('/')),
        );
    }
    if path.split('/').any(|name| name == "..") {
        return found("climbs with \"..\"", "spell the path out".to_owned());
    }
    if path.split('/').any(|name| name.is_empty() || name == ".") {
        return found(
            "has an empty or \".\" part",
            "write each directory once".to_owned(),
        );
    }
    if let Some(stray) = path
        .chars()
        .find(|c| !c.is_ascii_graphic() || matches!(c, '\\' | '*'))
    {
        return found(
            &format!("contains {stray:?}"),
            "use printable ASCII without blanks".to_owned(),
        );
    }
    None
}

/// Length of a path of the payload; `path` of a directory ends in a slash.
pub fn length(place: &str, path: &str) -> Option<Finding> {
    (path.len() > PATH_LIMIT).then(|| {
        Finding::new(
            PATH_LENGTH,
            place,
            format!("has {} bytes, {PATH_LIMIT} are allowed", path.len()),
            "shorten its directories",
        )
    })
}

/// Whether a community package may own `path`.
pub fn community_location(place: &str, path: &str) -> Option<Finding> {
    let allowed = COMMUNITY_LOCATIONS
        .iter()
        .any(|location| lies_below(location, path));
    (!allowed).then(|| {
        Finding::new(
            LOCATION,
            place,
            "lies outside the locations that a host grants to community packages",
            format!("move it below one of {}", COMMUNITY_LOCATIONS.join(", ")),
        )
    })
}

/// Whether a community package may own `path` on the oldest releases, too.
pub fn old_community_location(place: &str, path: &str) -> Option<Finding> {
    path.starts_with("etc/init.d/").then(|| {
        Finding::new(
            LOCATION.on(Releases::up_to(5, 0)),
            place,
            "lies in etc/init.d, which 5.0 did not yet grant to community packages",
            "demand esx-version >= 5.1.0",
        )
    })
}

/// Editable files keep their edits below `/etc` only.
pub fn config_location(place: &str, path: &str) -> Option<Finding> {
    (!path.starts_with("etc/")).then(|| {
        Finding::new(
            CONFIG_BELOW_ETC,
            place,
            "is of type \"config\" outside etc/, where a reboot drops its edits",
            "move it below etc/config/ or make it type \"file\"",
        )
    })
}

/// A file in the place of editable ones is one: without the sticky bit, nobody saves it.
pub fn unsaved_config(place: &str, path: &str, mode: u32) -> Option<Finding> {
    (path.starts_with("etc/config/") && mode & 0o1000 == 0).then(|| {
        Finding::new(
            CONFIG_BELOW_ETC,
            place,
            "lies below etc/config/ without the sticky bit, so that a reboot drops its edits",
            "pack it with mode 1644, or elsewhere",
        )
    })
}

/// At least one name below `location`, whose names match one by one.
fn lies_below(location: &str, path: &str) -> bool {
    let mut names = path.split('/');
    location
        .split('/')
        .all(|pattern| names.next().is_some_and(|name| name_matches(pattern, name)))
        && names.next().is_some()
}

fn name_matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => {
            name.len() >= before.len() + after.len()
                && name.starts_with(before)
                && name.ends_with(after)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_holds_what_lies_below_it_and_not_itself() {
        assert!(lies_below("opt", "opt/a"));
        assert!(lies_below("opt", "opt/a/b/c"));
        assert!(!lies_below("opt", "opt"));
        assert!(!lies_below("opt", "optional/a"));
        assert!(!lies_below("etc/init.d", "etc/initXd/a"));
    }

    #[test]
    fn a_star_stands_for_a_part_of_one_name() {
        assert!(lies_below(
            "usr/share/hwdata/*.pciids.d",
            "usr/share/hwdata/acme.pciids.d/a"
        ));
        assert!(!lies_below(
            "usr/share/hwdata/*.pciids.d",
            "usr/share/hwdata/a/b.pciids.d/a"
        ));
        assert!(!lies_below(
            "usr/share/hwdata/*.pciids.d",
            "usr/share/hwdata/pciids.d/a"
        ));
    }
}

//! Versions of packages: syntax, order, and how a pre-release is written.

use std::cmp::Ordering;
use std::fmt;

use crate::rules::{Finding, PRE_RELEASE, VERSION};

/// A version `UPSTREAM-RELEASE`, for instance `0.1.0-1` (FORMAT.md I2).
///
/// Equality is that of the text. The host's order is [`Version::compare`], for which `1.0-1` and
/// `1.00-1` are alike.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version {
    upstream: String,
    release: String,
}

impl Version {
    /// Most characters of a whole version.
    pub const LIMIT: usize = 35;

    /// Reads a version as it stands in a descriptor.
    ///
    /// # Errors
    /// A finding against FORMAT.md I2.
    pub fn parse(text: &str) -> Result<Self, Finding> {
        let found = |problem: String, remedy: &str| {
            Finding::new(VERSION, format!("version {text:?}"), problem, remedy)
        };
        let (upstream, release) = match text.split('-').collect::<Vec<_>>()[..] {
            [upstream, release] => (upstream, release),
            ref parts => {
                return Err(found(
                    format!("has {} dashes, hosts accept exactly one", parts.len() - 1),
                    "write UPSTREAM-RELEASE, with dots or underscores inside the two",
                ));
            }
        };
        if let Some(problem) = fields_problem(upstream).or_else(|| fields_problem(release)) {
            return Err(found(
                problem,
                "write fields of ASCII letters, digits and '_', separated by dots",
            ));
        }
        if text.len() > Self::LIMIT {
            return Err(found(
                format!("has {} characters, {} are allowed", text.len(), Self::LIMIT),
                "shorten the version or the release",
            ));
        }
        Ok(Self {
            upstream: upstream.to_owned(),
            release: release.to_owned(),
        })
    }

    /// Joins a version as programs have it with the release of the package.
    ///
    /// A semantic pre-release moves into the release part, because that is the only place where it
    /// sorts before the final version on a host (FORMAT.md I4): `0.1.0-rc.1` with release `1`
    /// becomes `0.1.0-0.rc.1.1`.
    ///
    /// ```
    /// use packaging::Version;
    /// use std::cmp::Ordering;
    ///
    /// let candidate = Version::from_upstream("0.1.0-rc.1", "1")?;
    /// let final_one = Version::from_upstream("0.1.0", "1")?;
    /// assert_eq!(candidate.to_string(), "0.1.0-0.rc.1.1");
    /// assert_eq!(candidate.compare(&final_one), Ordering::Less);
    /// # Ok::<(), packaging::rules::Finding>(())
    /// ```
    ///
    /// # Errors
    /// A finding against FORMAT.md I2 or I4.
    pub fn from_upstream(upstream: &str, release: &str) -> Result<Self, Finding> {
        // Without this, a final version could sort before its own pre-releases.
        if matches!(leading_number(release), (None | Some(""), _)) {
            return Err(Finding::new(
                VERSION,
                format!("release {release:?}"),
                "does not begin with a number of at least 1",
                "count the builds of one version from \"1\"",
            ));
        }
        match upstream.split_once('-') {
            None => Self::parse(&format!("{upstream}-{release}")),
            Some((stem, pre)) if is_pre_release(pre) => {
                Self::parse(&format!("{stem}-0.{pre}.{release}"))
            }
            Some(_) => Err(Finding::new(
                PRE_RELEASE,
                format!("version {upstream:?}"),
                "has a dash that does not begin a pre-release of the form WORD.NUMBER",
                "write a pre-release like \"1.2.0-rc.1\" and everything else without a dash",
            )),
        }
    }

    /// The part before the dash.
    pub fn upstream(&self) -> &str {
        &self.upstream
    }

    /// The part behind the dash.
    pub fn release(&self) -> &str {
        &self.release
    }

    /// The host's order (FORMAT.md I3): upstream first, then release; field by field, the leading
    /// number of a field before its remaining text; a field without a number before all numbers;
    /// fewer fields before more.
    pub fn compare(&self, other: &Self) -> Ordering {
        compare_fields(&self.upstream, &other.upstream)
            .then_with(|| compare_fields(&self.release, &other.release))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}", self.upstream, self.release)
    }
}

/// What is wrong with one side of a version, as the end of a sentence.
pub(crate) fn fields_problem(fields: &str) -> Option<String> {
    if fields.split('.').any(str::is_empty) {
        return Some("has an empty field".to_owned());
    }
    let stray = fields
        .chars()
        .find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '.'))?;
    Some(format!("contains {stray:?}"))
}

/// Compares a version that is there with one of a constraint, in the host's order. One without a
/// release part ignores that of the other (FORMAT.md I10).
pub(crate) fn compare_loosely(provided: &str, wanted: &str) -> Ordering {
    let split = |text| str::split_once(text, '-').unwrap_or((text, ""));
    let ((upstream, release), (wanted_upstream, wanted_release)) = (split(provided), split(wanted));
    let upstream = compare_fields(upstream, wanted_upstream);
    if wanted_release.is_empty() || release.is_empty() {
        return upstream;
    }
    upstream.then_with(|| compare_fields(release, wanted_release))
}

fn compare_fields(left: &str, right: &str) -> Ordering {
    let fields = |text| str::split(text, '.').map(sort_key);
    fields(left).cmp(fields(right))
}

/// Orders fields without turning their digits into a number of limited size: without leading zeros,
/// more digits are more, and as many digits compare as text. `None`, a field without digits, comes
/// first.
fn sort_key(field: &str) -> (Option<(usize, &str)>, &str) {
    let (number, text) = leading_number(field);
    (number.map(|digits| (digits.len(), digits)), text)
}

/// Splits `007up` into `Some("7")` and `up`; zero is the empty string.
fn leading_number(field: &str) -> (Option<&str>, &str) {
    let end = field
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(field.len());
    let (digits, text) = field.split_at(end);
    (
        (!digits.is_empty()).then(|| digits.trim_start_matches('0')),
        text,
    )
}

/// `WORD.NUMBER`: the pre-releases whose order survives the host's comparison (FORMAT.md I4).
fn is_pre_release(text: &str) -> bool {
    text.split_once('.').is_some_and(|(word, number)| {
        word.starts_with(|first: char| first.is_ascii_alphabetic())
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && (number == "0" || number.starts_with(|first| matches!(first, '1'..='9')))
    })
}

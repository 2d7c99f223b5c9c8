//! The rules of the format that a package can break, each with its number in `FORMAT.md`.
//!
//! The numbers stand here and nowhere else; the checks name them through the constants. [`name`],
//! [`path`] and [`constraint`] judge single values; [`Package::new`](crate::Package::new) asks them
//! about a whole package.

use std::fmt;

use serde::{Serialize, Serializer};

pub mod constraint;
pub mod interface;
mod level;
pub mod name;
pub mod path;
mod release;
pub mod value;

pub use self::level::{Level, Levels};
pub use self::release::{Releases, UnknownRelease};

/// A rule of `FORMAT.md`: its number there, and where it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rule {
    number: &'static str,
    releases: Releases,
    levels: Levels,
}

impl Rule {
    /// A rule of all releases and levels.
    const fn new(number: &'static str) -> Self {
        Self {
            number,
            releases: Releases::ALL,
            levels: Levels::All,
        }
    }

    /// The rule, or a part of it, for these releases only.
    #[must_use]
    pub const fn on(self, releases: Releases) -> Self {
        Self {
            releases: self.releases.and(releases),
            ..self
        }
    }

    /// The rule for these acceptance levels only.
    const fn of(self, levels: Levels) -> Self {
        Self { levels, ..self }
    }

    /// The number as written in `FORMAT.md`, for instance `L3`.
    pub fn number(self) -> &'static str {
        self.number
    }

    /// Releases of the host where it holds.
    pub fn releases(self) -> Releases {
        self.releases
    }

    /// Acceptance levels that it is for.
    pub fn levels(self) -> Levels {
        self.levels
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "FORMAT.md {}", self.number)
    }
}

/// The number.
impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.number)
    }
}

/// Texts become XML and must consist of characters that XML has.
pub const TEXT: Rule = Rule::new("D6");
/// Syntax of a version.
pub const VERSION: Rule = Rule::new("I2");
/// How a pre-release is written.
pub const PRE_RELEASE: Rule = Rule::new("I4");
/// Name and vendor.
pub const NAME: Rule = Rule::new("I5");
/// The three characters that tell vendors apart.
pub const VENDOR_CODE: Rule = Rule::new("I6");
/// Length of the summary.
pub const SUMMARY: Rule = Rule::new("I7");
/// Keys of the addresses in the descriptor.
pub const URL_KEY: Rule = Rule::new("I8");
/// Name of a payload.
pub const PAYLOAD_NAME: Rule = Rule::new("I9");
/// Constraints on other packages.
pub const CONSTRAINT: Rule = Rule::new("I10");
/// Form of a path.
pub const PATH_FORM: Rule = Rule::new("L1");
/// Length of a path.
pub const PATH_LENGTH: Rule = Rule::new("L2");
/// Where a package of a given acceptance level may install to.
pub const LOCATION: Rule = Rule::new("L3").of(Levels::Community);
/// One entry per path.
pub const ONE_ENTRY_PER_PATH: Rule = Rule::new("L4");
/// Editable files are saved below `/etc` only.
pub const CONFIG_BELOW_ETC: Rule = Rule::new("L5");
/// Permission bits.
pub const MODE: Rule = Rule::new("L6");
/// A package holds at least one file, and every file has its bytes.
pub const CONTENT: Rule = Rule::new("L7");
/// Which payload holds what.
pub const PAYLOAD_CONTENT: Rule = Rule::new("L8");
/// File names in the boot bank.
pub const BOOT_BANK_NAME: Rule = Rule::new("H2");
/// Levels above community need a signature.
pub const SIGNATURE: Rule = Rule::new("S2");
/// Form of a signature, and what it covers.
pub const SIGNATURE_FORM: Rule = Rule::new("S3");
/// Whose signatures count.
pub const TRUST: Rule = Rule::new("S4");
/// Values that index files and bulletins cannot do without.
pub const BULLETIN: Rule = Rule::new("B6");
/// Releases of the host that a bundle is offered for.
pub const PLATFORM: Rule = Rule::new("B8");
/// What may share a bundle.
pub const ONE_DEPOT: Rule = Rule::new("B9");

/// Members of a VIB and their order.
pub const MEMBER_ORDER: Rule = Rule::new("A4");
/// No declaration in a descriptor.
pub const NO_DECLARATION: Rule = Rule::new("D1");
/// Root and version of a descriptor.
pub const DESCRIPTOR_ROOT: Rule = Rule::new("D2");
/// Elements of a descriptor.
pub const ELEMENTS: Rule = Rule::new("D3");
/// The file list names the files of the payloads.
pub const FILE_LIST: Rule = Rule::new("D4");
/// Community packages do not overlay.
pub const OVERLAY: Rule = Rule::new("D5").of(Levels::Community);
/// Size of a payload.
pub const PAYLOAD_SIZE: Rule = Rule::new("D7");
/// Descriptors in ASCII.
pub const ASCII: Rule = Rule::new("D11");
/// Truth values.
pub const TRUTH: Rule = Rule::new("D10");
/// What a package requires of the host's state and hardware.
pub const SYSTEM_REQUIRES: Rule = Rule::new("D8");
/// How a package is identified.
pub const IDENTITY: Rule = Rule::new("I1");
/// Type of a payload.
pub const PAYLOAD_TYPE: Rule = Rule::new("T1");
/// Dialect of a payload's archive.
pub const TAR_FLAVOUR: Rule = Rule::new("T2");
/// Parents before their files.
pub const PARENTS: Rule = Rule::new("T3");
/// Owner of a payload's files.
pub const OWNER: Rule = Rule::new("T4");
/// End of a payload's archive.
pub const TAR_END: Rule = Rule::new("T5");
/// Kinds of entries of a payload's archive.
pub const ENTRY_KIND: Rule = Rule::new("T9");
/// Checksums of a payload.
pub const CHECKSUMS: Rule = Rule::new("C1");
/// Order of the checksums.
pub const CHECKSUM_ORDER: Rule = Rule::new("C2");
/// The way from a bundle's index to its VIBs.
pub const DEPOT_PATHS: Rule = Rule::new("B1");
/// Elements of `index.xml`.
pub const INDEX: Rule = Rule::new("B2");
/// Elements of a vendor's index.
pub const VENDOR_INDEX: Rule = Rule::new("B3");
/// What a metadata zip holds.
pub const METADATA: Rule = Rule::new("B4");
/// A bundle describes its VIBs as they describe themselves.
pub const RECORD: Rule = Rule::new("B5");
/// Records for Update Manager.
pub const UPDATE_MANAGER: Rule = Rule::new("B7");
/// Programs that a host runs.
pub const PROGRAM: Rule = Rule::new("H4");
/// Scripts that a host runs.
pub const SCRIPT: Rule = Rule::new("H5");
/// XML files that a host parses because of their place.
pub const PARSED_XML: Rule = Rule::new("H6");
/// Modules of a host's kernel.
pub const MODULE: Rule = Rule::new("H8");
/// Interfaces that hosts provide.
pub const INTERFACE: Rule = Rule::new("H7");
/// Kinds of files that are read.
pub const KIND: Rule = Rule::new("R1");
/// VIBs of 4.x.
pub const LEGACY: Rule = Rule::new("R3");
/// A zip around a bundle.
pub const WRAPPER: Rule = Rule::new("R5");
/// Bounds of what is read.
pub const BOUNDS: Rule = Rule::new("R6");
/// Paths that stay inside.
pub const CONTAINED: Rule = Rule::new("R7");
/// Archives and streams are whole.
pub const WHOLE: Rule = Rule::new("R8");
/// Form of XML files.
pub const XML_FORM: Rule = Rule::new("R9");

/// Grammar of `boot.cfg`.
pub const BOOT_CONFIG: Rule = Rule::new("M1");
/// What a medium holds, and that its parts agree.
pub const MEDIUM: Rule = Rule::new("M2");
/// Release of a medium.
pub const RELEASE_OF_MEDIUM: Rule = Rule::new("M3");
/// Layout of the image database.
pub const DATABASE: Rule = Rule::new("M4");
/// Releases whose database is edited.
pub const EDITED_RELEASES: Rule = Rule::new("M5");
/// Payloads that can become modules.
pub const MODULE_PAYLOAD: Rule = Rule::new("M6");
/// Names of modules.
pub const MODULE_NAME: Rule = Rule::new("M7");
/// What the installer checks about all packages of a profile together.
pub const WHOLE_PROFILE: Rule = Rule::new("M8");
/// Acceptance level of a medium.
pub const PROFILE_LEVEL: Rule = Rule::new("M9");
/// A package that is there already.
pub const SAME_PACKAGE: Rule = Rule::new("M10");
/// Elements of an image profile.
pub const PROFILE: Rule = Rule::new("M11");
/// Options of the boot line.
pub const BOOT_OPTIONS: Rule = Rule::new("M12");
/// Layout of an ISO image.
pub const ISO: Rule = Rule::new("M13");
/// Editing an ISO image in place.
pub const ISO_EDIT: Rule = Rule::new("M14");
/// What Update Manager imports.
pub const UPGRADE_FOLDER: Rule = Rule::new("M15");

/// All rules that a finding can name.
pub const ALL: &[Rule] = &[
    BOOT_CONFIG,
    MEDIUM,
    RELEASE_OF_MEDIUM,
    DATABASE,
    EDITED_RELEASES,
    MODULE_PAYLOAD,
    MODULE_NAME,
    WHOLE_PROFILE,
    PROFILE_LEVEL,
    SAME_PACKAGE,
    PROFILE,
    BOOT_OPTIONS,
    ISO,
    ISO_EDIT,
    UPGRADE_FOLDER,
    ELEMENTS,
    SYSTEM_REQUIRES,
    ASCII,
    TRUTH,
    ENTRY_KIND,
    MEMBER_ORDER,
    NO_DECLARATION,
    DESCRIPTOR_ROOT,
    FILE_LIST,
    OVERLAY,
    PAYLOAD_SIZE,
    IDENTITY,
    PAYLOAD_TYPE,
    TAR_FLAVOUR,
    PARENTS,
    OWNER,
    TAR_END,
    CHECKSUMS,
    CHECKSUM_ORDER,
    DEPOT_PATHS,
    INDEX,
    VENDOR_INDEX,
    METADATA,
    RECORD,
    UPDATE_MANAGER,
    PROGRAM,
    SCRIPT,
    PARSED_XML,
    MODULE,
    INTERFACE,
    KIND,
    LEGACY,
    WRAPPER,
    BOUNDS,
    CONTAINED,
    WHOLE,
    XML_FORM,
    TEXT,
    VERSION,
    PRE_RELEASE,
    NAME,
    VENDOR_CODE,
    SUMMARY,
    URL_KEY,
    PAYLOAD_NAME,
    CONSTRAINT,
    PATH_FORM,
    PATH_LENGTH,
    LOCATION,
    ONE_ENTRY_PER_PATH,
    CONFIG_BELOW_ETC,
    MODE,
    CONTENT,
    PAYLOAD_CONTENT,
    BOOT_BANK_NAME,
    SIGNATURE,
    SIGNATURE_FORM,
    TRUST,
    BULLETIN,
    PLATFORM,
    ONE_DEPOT,
];

/// A broken rule: where, what is wrong there, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// Key of `package.toml` or part of a finished file, with the offending value.
    pub place: String,
    /// What is wrong, as the end of a sentence that begins with the place.
    pub problem: String,
    /// The next step, as an imperative.
    pub remedy: String,
}

impl Finding {
    pub(crate) fn new(
        rule: Rule,
        place: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            rule,
            place: place.into(),
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }
}

/// One line: place, problem, remedy, rule.
impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rule,
            place,
            problem,
            remedy,
        } = self;
        write!(out, "{place}: {problem}; {remedy} ({rule})")
    }
}

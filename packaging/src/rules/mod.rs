//! The rules of the format that a package can break, each with its number in `FORMAT.md`.
//!
//! The numbers stand here and nowhere else; the checks name them through the constants. [`name`],
//! [`path`] and [`constraint`] judge single values; [`Package::new`](crate::Package::new) asks them
//! about a whole package.

use std::fmt;

pub mod constraint;
pub mod name;
pub mod path;

/// A rule of `FORMAT.md`, by its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rule(&'static str);

impl Rule {
    /// The number as written in `FORMAT.md`, for instance `L3`.
    pub fn number(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "FORMAT.md {}", self.0)
    }
}

/// Texts become XML and must consist of characters that XML has.
pub const TEXT: Rule = Rule("D6");
/// Syntax of a version.
pub const VERSION: Rule = Rule("I2");
/// How a pre-release is written.
pub const PRE_RELEASE: Rule = Rule("I4");
/// Name and vendor.
pub const NAME: Rule = Rule("I5");
/// The three characters that tell vendors apart.
pub const VENDOR_CODE: Rule = Rule("I6");
/// Length of the summary.
pub const SUMMARY: Rule = Rule("I7");
/// Keys of the addresses in the descriptor.
pub const URL_KEY: Rule = Rule("I8");
/// Name of a payload.
pub const PAYLOAD_NAME: Rule = Rule("I9");
/// Constraints on other packages.
pub const CONSTRAINT: Rule = Rule("I10");
/// Form of a path.
pub const PATH_FORM: Rule = Rule("L1");
/// Length of a path.
pub const PATH_LENGTH: Rule = Rule("L2");
/// Where a package of a given acceptance level may install to.
pub const LOCATION: Rule = Rule("L3");
/// One entry per path.
pub const ONE_ENTRY_PER_PATH: Rule = Rule("L4");
/// Editable files are saved below `/etc` only.
pub const CONFIG_BELOW_ETC: Rule = Rule("L5");
/// Permission bits.
pub const MODE: Rule = Rule("L6");
/// A package holds at least one file, and every file has its bytes.
pub const CONTENT: Rule = Rule("L7");
/// Which payload holds what.
pub const PAYLOAD_CONTENT: Rule = Rule("L8");
/// File names in the boot bank.
pub const BOOT_BANK_NAME: Rule = Rule("H2");
/// Levels above community need a signature.
pub const SIGNATURE: Rule = Rule("S2");
/// Form of a signature, and what it covers.
pub const SIGNATURE_FORM: Rule = Rule("S3");
/// Whose signatures count.
pub const TRUST: Rule = Rule("S4");
/// Values that index files and bulletins cannot do without.
pub const BULLETIN: Rule = Rule("B6");
/// Releases of the host that a bundle is offered for.
pub const PLATFORM: Rule = Rule("B8");
/// What may share a bundle.
pub const ONE_DEPOT: Rule = Rule("B9");

/// Members of a VIB and their order.
pub const MEMBER_ORDER: Rule = Rule("A4");
/// No declaration in a descriptor.
pub const NO_DECLARATION: Rule = Rule("D1");
/// Root and version of a descriptor.
pub const DESCRIPTOR_ROOT: Rule = Rule("D2");
/// The file list names the files of the payloads.
pub const FILE_LIST: Rule = Rule("D4");
/// Community packages do not overlay.
pub const OVERLAY: Rule = Rule("D5");
/// Size of a payload.
pub const PAYLOAD_SIZE: Rule = Rule("D7");
/// How a package is identified.
pub const IDENTITY: Rule = Rule("I1");
/// Type of a payload.
pub const PAYLOAD_TYPE: Rule = Rule("T1");
/// Dialect of a payload's archive.
pub const TAR_FLAVOUR: Rule = Rule("T2");
/// Parents before their files.
pub const PARENTS: Rule = Rule("T3");
/// Owner of a payload's files.
pub const OWNER: Rule = Rule("T4");
/// End of a payload's archive.
pub const TAR_END: Rule = Rule("T5");
/// Checksums of a payload.
pub const CHECKSUMS: Rule = Rule("C1");
/// Order of the checksums.
pub const CHECKSUM_ORDER: Rule = Rule("C2");
/// The way from a bundle's index to its VIBs.
pub const DEPOT_PATHS: Rule = Rule("B1");
/// Elements of `index.xml`.
pub const INDEX: Rule = Rule("B2");
/// Elements of a vendor's index.
pub const VENDOR_INDEX: Rule = Rule("B3");
/// What a metadata zip holds.
pub const METADATA: Rule = Rule("B4");
/// A bundle describes its VIBs as they describe themselves.
pub const RECORD: Rule = Rule("B5");
/// Records for Update Manager.
pub const UPDATE_MANAGER: Rule = Rule("B7");
/// Programs that a host runs.
pub const PROGRAM: Rule = Rule("H4");
/// Kinds of files that are read.
pub const KIND: Rule = Rule("R1");
/// VIBs of 4.x.
pub const LEGACY: Rule = Rule("R3");
/// A zip around a bundle.
pub const WRAPPER: Rule = Rule("R5");
/// Bounds of what is read.
pub const BOUNDS: Rule = Rule("R6");
/// Paths that stay inside.
pub const CONTAINED: Rule = Rule("R7");
/// Archives and streams are whole.
pub const WHOLE: Rule = Rule("R8");
/// Form of XML files.
pub const XML_FORM: Rule = Rule("R9");

/// All rules that a finding can name.
pub const ALL: &[Rule] = &[
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
#[derive(Debug, Clone, PartialEq, Eq)]
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

//! Payloads and the rows that fill them, as `package.toml` has them.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

/// An element of `payloads`: one archive of the package.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct Payload {
    /// Name (FORMAT.md I9); 8 characters or fewer keep it readable in the boot bank.
    pub name: String,
    /// Kind of its archive.
    #[serde(default, rename = "type")]
    pub kind: PayloadType,
    /// File name in the boot bank, 8.3; the host makes one of the payload's name otherwise
    /// (FORMAT.md H2).
    pub vfat_name: Option<String>,
}

/// Kind of a payload's archive (FORMAT.md T1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum PayloadType {
    /// gzip around tar, which every release reads.
    #[default]
    Tgz,
    /// gzip around vmtar, whose files begin on pages.
    Vgz,
}

/// The word that stands in a descriptor.
impl fmt::Display for PayloadType {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Tgz => "tgz",
            Self::Vgz => "vgz",
        })
    }
}

/// A row of `[[contents]]`: one file or directory of a payload.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct Content {
    /// File to pack, relative to the folder of `package.toml`. Directories have none.
    pub source: Option<String>,
    /// Path on the host, without the leading slash (FORMAT.md L1 to L5).
    pub destination: String,
    /// Permission bits as four octal digits in quotes, such as `"0755"` (FORMAT.md L6).
    pub mode: Mode,
    /// What to make of the source.
    #[serde(default, rename = "type")]
    pub kind: ContentType,
    /// Name of the payload that holds it; the first one unless said otherwise (FORMAT.md L8).
    pub payload: Option<String>,
}

/// What a row of `[[contents]]` becomes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ContentType {
    /// A file that the host keeps as it is.
    #[default]
    File,
    /// A file that users edit: the packager sets the sticky bit, by which the host saves edits
    /// (FORMAT.md L5).
    Config,
    /// A directory, for the rare case that it is empty or has another mode than 0755.
    Dir,
}

/// Nine permission bits.
///
/// In TOML these are four octal digits in quotes. A bare number is refused: `444` would be decimal
/// and mean 0674.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode(u32);

impl Mode {
    /// The bits, 0 to 0o777.
    pub fn bits(self) -> u32 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FourDigits;
        impl de::Visitor<'_> for FourDigits {
            type Value = Mode;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(r#"four octal digits in quotes from "0000" to "0777""#)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Mode, E> {
                let four_digits = text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit());
                match u32::from_str_radix(text, 8) {
                    Ok(bits @ 0..=0o777) if four_digits => Ok(Mode(bits)),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_str(FourDigits)
    }
}

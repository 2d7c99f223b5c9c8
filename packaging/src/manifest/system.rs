//! What a package asks of the host, as `package.toml` has it.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

/// When the host must be in maintenance mode (FORMAT.md D8).
///
/// In TOML `true` or `false` for both, or a table with one of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MaintenanceMode {
    /// To install the package.
    pub on_install: bool,
    /// To remove it.
    pub on_remove: bool,
}

impl<'de> Deserialize<'de> for MaintenanceMode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields)]
        struct Each {
            on_install: bool,
            on_remove: bool,
        }

        struct OneOrEach;
        impl<'de> de::Visitor<'de> for OneOrEach {
            type Value = MaintenanceMode;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("true, false or { on-install = .., on-remove = .. }")
            }

            fn visit_bool<E: de::Error>(self, always: bool) -> Result<MaintenanceMode, E> {
                Ok(MaintenanceMode {
                    on_install: always,
                    on_remove: always,
                })
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<MaintenanceMode, A::Error> {
                let Each {
                    on_install,
                    on_remove,
                } = Each::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(MaintenanceMode {
                    on_install,
                    on_remove,
                })
            }
        }
        deserializer.deserialize_any(OneOrEach)
    }
}

/// Hardware that the package is for; on other hardware the host refuses it (FORMAT.md D8).
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct HwPlatform {
    /// The maker, as the firmware names it.
    pub vendor: String,
    /// The model, as the firmware names it; all of the maker's without it.
    pub model: Option<String>,
}

//! cargo, without what the environment would do to its builds.

use std::{env, ffi::OsString};

use xshell::{Cmd, Shell, cmd};

/// Variables that builds may see: where things are, and how to reach the registry.
const ALLOWED: &[&str] = &[
    "CARGO_HOME",
    "CI",
    "HOME",
    "LANG",
    "PATH",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TERM",
    "TMPDIR",
    "USER",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "ALL_PROXY",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
];

/// The same for families of variables.
const ALLOWED_PREFIXES: &[&str] = &[
    "CARGO_HTTP_",
    "CARGO_NET_",
    "CARGO_REGISTRIES_",
    "CARGO_REGISTRY_",
    "CARGO_SOURCE_",
];

/// A cargo command in an environment that cannot change what it builds.
///
/// A `RUSTFLAGS` there would replace the flags of `.cargo/config.toml` without a word, and give a
/// program that the VMkernel may not be able to run; `CFLAGS`, wrappers and profiles would give
/// other bytes.
pub(crate) fn cargo<'s>(sh: &'s Shell, arguments: &[&str]) -> Cmd<'s> {
    cmd!(sh, "cargo {arguments...}")
        .env_clear()
        .envs(allowed())
        // Incremental builds give other bytes, and these are not repeated often.
        .env("CARGO_INCREMENTAL", "0")
}

/// The part of the environment that builds may see.
pub(crate) fn allowed() -> impl Iterator<Item = (OsString, OsString)> {
    env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_allowed))
}

fn is_allowed(name: &str) -> bool {
    ALLOWED.contains(&name)
        || ALLOWED_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::is_allowed;

    #[test]
    fn what_changes_a_build_is_kept_out() {
        for name in [
            "RUSTFLAGS",
            "CFLAGS",
            "CFLAGS_x86_64_unknown_linux_musl",
            "CARGO_PROFILE_RELEASE_LTO",
            "RUSTC_WRAPPER",
        ] {
            assert!(!is_allowed(name), "{name}");
        }
        assert!(is_allowed("PATH") && is_allowed("CARGO_REGISTRIES_CRATES_IO_PROTOCOL"));
    }
}

//! What serves the sessions.

use serde::Deserialize;

use super::{Config, Findings, Required};

/// What serves the sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, rename_all = "kebab-case")]
pub struct Server {
    /// The engine of all sessions; read at startup.
    pub engine: Engine,
}

/// An implementation of FTP sessions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// That of this crate.
    #[default]
    Native,
    /// The library of this name. `daemon/LIBUNFTP.md` has its limits.
    Libunftp,
}

/// The key that the findings are about.
const KEY: &str = "server.engine";

/// What to do about every one of them.
const REMEDY: &str = "set server.engine to \"native\", which is the default";

/// Says what the engine cannot do that is configured.
pub(super) fn check(config: &Config, findings: &mut Findings) {
    if config.server.engine != Engine::Libunftp {
        return;
    }
    if !cfg!(feature = "libunftp") {
        return findings.error(
            KEY,
            "this build does not contain the engine libunftp",
            REMEDY,
        );
    }
    findings.warning(
        KEY,
        "the engine libunftp is for trusted networks only: clients can fill the memory before the login",
        REMEDY,
    );
    let mut refuse = |refused: bool, key: &str, problem: &str| {
        if refused {
            findings.error(key, problem, REMEDY);
        }
    };
    refuse(
        !config.listen.implicit_tls.is_empty(),
        "listen.implicit-tls",
        "the engine libunftp does not support implicit TLS",
    );
    let tls = config.tls.as_ref();
    refuse(
        tls.is_some_and(|tls| tls.require_session_reuse),
        "tls.require-session-reuse",
        "the engine libunftp cannot require that TLS sessions are resumed",
    );
    let unprotected = "the engine libunftp cannot require TLS on data connections";
    refuse(
        tls.is_some_and(|tls| tls.required == Required::Everything),
        "tls.required",
        unprotected,
    );
    for (index, user) in config.users.iter().enumerate() {
        refuse(
            user.login.tls_required == Required::Everything,
            &format!("users.{index}.tls-required"),
            unprotected,
        );
    }
    if config.active.enabled {
        findings.warning(
            "active.enabled",
            "with the engine libunftp, clients can make the daemon connect to any address and port",
            "set active.enabled to false; passive mode needs nothing",
        );
    }
    if config.transfers.ascii {
        findings.warning(
            "transfers.ascii",
            "the engine libunftp does not convert line ends",
            "set transfers.ascii to false",
        );
    }
}

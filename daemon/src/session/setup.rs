//! What sessions start with, from the configuration.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Result;
use protocol::{Settings, Times, TlsPolicy};
use rustls::ServerConfig;

use crate::{
    config::{self, Config, Required},
    tls::Sides,
};

/// How long the storage may take for an answer that should come at once, and for the end of what was
/// cancelled.
const ANSWER: Duration = Duration::from_secs(30);

/// What sessions start with.
#[derive(Debug)]
pub(crate) struct Setup {
    /// The configuration.
    pub(crate) config: Arc<Config>,
    /// Certificate and key, if TLS is configured and they can be used.
    pub(crate) tls: Option<Arc<ServerConfig>>,
}

impl Setup {
    /// Whether TLS is configured and there is no certificate for it, for now.
    pub(crate) fn lacks_certificate(&self) -> bool {
        self.config.tls.is_some() && self.tls.is_none()
    }

    /// What a session does TLS with, if there is a certificate.
    pub(super) fn sides(&self) -> Result<Option<Sides>> {
        let own = self.config.tls.as_ref();
        let own = own.is_some_and(|tls| tls.require_session_reuse);
        let sides = self.tls.as_ref().map(|tls| {
            if own {
                Sides::separate(tls)
            } else {
                Ok(Sides::shared(tls.clone()))
            }
        });
        sides.transpose()
    }

    /// What the protocol has to know.
    pub(super) fn settings(
        &self,
        client: SocketAddr,
        local: SocketAddr,
        implicit_tls: bool,
    ) -> Settings {
        let config: &Config = &self.config;
        let limits = &config.limits;
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        let policy = |tls: &config::Tls| TlsPolicy {
            control_required: tls.required >= Required::Control,
            data_required: tls.required == Required::Everything,
            no_certificate: self.lacks_certificate(),
        };
        Settings {
            greeting: config.greeting.clone(),
            client: client.ip(),
            local: local.ip(),
            passive_host: config.passive.host,
            active: config.active.enabled,
            ascii: config.transfers.ascii,
            tls: config.tls.as_ref().map(policy),
            implicit_tls,
            times: Times {
                log_in: seconds(limits.log_in_seconds),
                idle: seconds(limits.idle_seconds),
                data_connection: seconds(limits.data_connection_seconds),
                handshake: seconds(limits.handshake_seconds),
                stall: seconds(limits.stall_seconds),
                answer: ANSWER,
            },
            log_in_attempts: limits.log_in_attempts,
            trace: tracing::enabled!(tracing::Level::DEBUG),
        }
    }
}

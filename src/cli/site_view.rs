//! How agents reach this appliance, as the configuration says.

use std::path::PathBuf;

use clap::Args;

use crate::appliance::fleet::SiteView;
use crate::appliance::{Appliance, Authority};
use crate::config::Config;
use crate::domain::Result;
use crate::http::{AgentsAddress, Settings};
use crate::stream::{open_named, read_bounded};

/// Bytes of a file with certificates.
const PEM_BYTES: u64 = 64 << 10;

/// Where the configuration is.
#[derive(Debug, Clone, Args)]
pub(super) struct ConfigArgs {
    /// Configuration file [default: /etc/airlock/airlock.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

impl ConfigArgs {
    /// Reads the configuration.
    ///
    /// # Errors
    ///
    /// Those of [`Config::read`].
    pub(super) fn read(&self) -> Result<Config> {
        Config::read(self.config.as_deref())
    }

    /// Returns what agents are told of an appliance, without starting it.
    ///
    /// # Errors
    ///
    /// `E-USAGE` for the configuration; those of [`site_view`].
    pub(super) fn site_view(&self, appliance: &Appliance) -> Result<SiteView> {
        let settings = self.read()?.server;
        let agents = settings.agents_address(&settings.listen, &settings.tls.listen);
        site_view(&settings, &agents, appliance)
    }
}

/// Returns what agents are told of an appliance that they find at an address.
///
/// # Errors
///
/// `E-USAGE agents`; `E-STATE` for the appliance's authority; `E-IO`.
pub(super) fn site_view(settings: &Settings, agents: &AgentsAddress, appliance: &Appliance) -> Result<SiteView> {
    let authority = match &settings.tls.own {
        Some(own) => match &own.authority {
            Some(path) => {
                let file = open_named(path, "open")?;
                let bytes = read_bounded(file, PEM_BYTES, "the authority's certificate")?;
                Some(String::from_utf8_lossy(&bytes).into_owned())
            }
            None => None,
        },
        // Whoever speaks TLS for this appliance instead of itself has a certificate that agents know.
        None if settings.tls.listen.is_empty() => None,
        None => {
            let authority = Authority::open(appliance)?;
            Some(authority.certificate_pem().to_owned())
        }
    };
    SiteView::new(
        &agents.host,
        agents.https,
        &settings.agents.interval,
        authority.as_deref(),
    )
}

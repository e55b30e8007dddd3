//! How agents reach this appliance, as the configuration says.

use std::path::PathBuf;

use clap::Args;

use super::Ui;
use super::ui::escape;
use crate::appliance::fleet::SiteView;
use crate::appliance::{Appliance, Authority};
use crate::config::Config;
use crate::domain::Result;
use crate::http::{AgentsAddress, Settings};
use crate::stream::{open_named, read_bounded};

/// Bytes of a file with certificates.
const PEM_BYTES: u64 = 64 << 10;

// Where the configuration is.
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
        site_view(&settings, &agents, &|| whole_authority(appliance))
    }

    /// As [`Self::site_view`], at the address of the server that runs on this state folder where the configuration leaves that open; says
    /// so, and where the two differ otherwise.
    ///
    /// # Errors
    ///
    /// As [`Self::site_view`]; `E-IO`, `E-STATE planted`.
    pub(super) fn site_view_as_served(&self, appliance: &Appliance, ui: &mut Ui) -> Result<SiteView> {
        let settings = self.read()?.server;
        let mut agents = settings.agents_address(&settings.listen, &settings.tls.listen);
        let configured = format!("{}://{}", agents.scheme(), agents.host);
        let Some(served) = appliance.served()?.filter(|served| *served != configured) else {
            return site_view(&settings, &agents, &|| whole_authority(appliance));
        };
        let is_named = settings.agents.address.is_some() || (agents.https && !settings.tls.names.is_empty());
        match served.strip_prefix(agents.scheme()).and_then(|rest| rest.strip_prefix("://")) {
            Some(host) if !is_named => {
                ui.say(format_args!(
                    "agents are sent to {}, where the server that runs here is found; the configuration alone says {configured}",
                    escape(&served)
                ));
                agents.host = host.to_owned();
            }
            _ => ui.warn(format_args!(
                "agents are sent to {configured}, as the configuration says, and the server that runs here tells them {}: give both the \
                 same configuration",
                escape(&served)
            )),
        }
        site_view(&settings, &agents, &|| whole_authority(appliance))
    }
}

/// Warns where what is printed for other machines leads them to themselves, or lets whoever stands between read it: said before a secret
/// is made for it.
pub(super) fn warn_of_reach(view: &SiteView, ui: &mut Ui) {
    let base = view.base();
    if view.is_for_this_machine() {
        ui.warn(format_args!(
            "what is printed names {}, which leads every other machine to itself; [tls] listen and names, or [agents] address, say where this \
             appliance is found",
            escape(&base)
        ));
    } else if !view.is_secure() {
        ui.warn(format_args!(
            "what is printed names {}, without TLS: whoever stands between reads secrets and changes content; [tls] listen and names serve \
             HTTPS",
            escape(&base)
        ));
    }
}

/// The certificate of an appliance's authority that can sign.
fn whole_authority(appliance: &Appliance) -> Result<String> {
    Authority::open(appliance).map(|authority| authority.certificate_pem().to_owned())
}

/// Returns what agents are told of an appliance that they find at an address; `appliance` is asked for the certificate of its authority
/// where that is what they trust.
///
/// # Errors
///
/// `E-USAGE agents`; `E-STATE` for the appliance's authority; `E-IO`.
pub(super) fn site_view(
    settings: &Settings,
    agents: &AgentsAddress,
    appliance: &dyn Fn() -> Result<String>,
) -> Result<SiteView> {
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
        None => Some(appliance()?),
    };
    SiteView::new(
        &agents.host,
        agents.https,
        &settings.agents.interval,
        authority.as_deref(),
    )
}

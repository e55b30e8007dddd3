//! How agents reach this appliance, as the configuration says.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::appliance::hub::SiteView;
use crate::config::Config;
use crate::domain::Result;

/// Where the configuration is.
#[derive(Debug, Clone, Args)]
pub(super) struct ConfigArgs {
    /// Configuration file [default: /etc/airlock/airlock.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

impl ConfigArgs {
    /// Returns what agents are told of this appliance.
    pub(super) fn site_view(&self, _state: &Path) -> Result<SiteView> {
        let config = Config::read(self.config.as_deref())?;
        let address = config.server.listen.first().map(ToString::to_string);
        SiteView::new(&address.unwrap_or_default(), false, SiteView::INTERVAL, None)
    }
}

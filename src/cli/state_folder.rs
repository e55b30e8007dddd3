//! The option that names the state folder of an appliance.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use crate::appliance::Appliance;
use crate::config::Config;
use crate::domain::{Result, SystemClock};

/// Where the appliance lives.
#[derive(Debug, Clone, Args)]
pub(super) struct StateArgs {
    /// State folder of the appliance
    #[arg(long, value_name = "DIR", env = "AIRLOCK_STATE", default_value = "/var/lib/airlock")]
    pub(super) state: PathBuf,
}

impl StateArgs {
    /// Opens the appliance.
    ///
    /// # Errors
    ///
    /// Those of [`Appliance::open`].
    pub(super) fn open(&self) -> Result<Arc<Appliance>> {
        Appliance::open(&self.state, Arc::new(SystemClock)).map(Arc::new)
    }

    /// Opens the appliance as the configuration of the site says.
    ///
    /// # Errors
    ///
    /// Those of [`Appliance::open`].
    pub(super) fn open_as(&self, config: &Config) -> Result<Arc<Appliance>> {
        let appliance = Appliance::open(&self.state, Arc::new(SystemClock))?;
        Ok(Arc::new(appliance.with_shared_hosts(config.shared_hosts.clone())))
    }
}

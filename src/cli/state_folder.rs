//! The option that names the state folder of an appliance.

use std::path::PathBuf;

use clap::Args;

/// Where the appliance lives.
#[derive(Debug, Clone, Args)]
pub(super) struct StateArgs {
    /// State folder of the appliance
    #[arg(long, value_name = "DIR", env = "AIRLOCK_STATE", default_value = "/var/lib/airlock")]
    pub(super) state: PathBuf,
}

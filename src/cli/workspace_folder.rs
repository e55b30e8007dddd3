//! The option that names the workspace of a vendor.

use std::path::PathBuf;

use clap::Args;

use crate::domain::Result;
use crate::vendor_side::Workspace;

/// The option that names the workspace.
#[derive(Debug, Clone, Args)]
pub(super) struct WorkspaceArgs {
    /// The vendor's workspace, made by `airlock vendor init`
    #[arg(short, long, value_name = "DIR", env = "AIRLOCK_WORKSPACE")]
    pub(super) workspace: PathBuf,
}

impl WorkspaceArgs {
    /// Opens it.
    pub(super) fn open(&self) -> Result<Workspace> {
        Workspace::open(&self.workspace)
    }
}

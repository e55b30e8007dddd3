//! The option that names the workspace of a vendor.

use std::path::PathBuf;

use clap::Args;

use super::ui::Ui;
use crate::domain::Result;
use crate::vendor_side::Workspace;
use crate::vendor_side::ledger::is_taking_in;

// The option that names the workspace.
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

    /// As [`Self::open`], for a command that writes into the ledger: it waits while another one takes a package in, which is said. What is only
    /// asked is answered from what is there.
    pub(super) fn open_to_write(&self, ui: &mut Ui) -> Result<Workspace> {
        let workspace = self.open()?;
        if is_taking_in(workspace.folder())? {
            ui.say("another command, `airlock status verify`, takes packages into this workspace: this one waits until the ledger is free");
        }
        Ok(workspace)
    }
}

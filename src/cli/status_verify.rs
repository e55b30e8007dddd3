//! `airlock status verify`: what became of a package that came home.

use std::path::PathBuf;

use clap::Args;

use super::Ui;
use super::status_verify_ledger;
use super::workspace_folder::WorkspaceArgs;
use crate::domain::Result;

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// Status packages: files, named pipes, or - for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    workspace: WorkspaceArgs,
    /// Run every check and say what would be new, but keep nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &VerifyArgs, ui: &mut Ui) -> Result<()> {
    status_verify_ledger::run(&args.files, &args.workspace, args.dry_run, ui)
}

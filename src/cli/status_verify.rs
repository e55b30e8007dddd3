//! `airlock status verify`: what became of a package that came home; by a vendor with a ledger, or by a guard without one.

use std::path::PathBuf;

use clap::Args;

use super::status_verify_guard::{self, GuardArgs};
#[cfg(feature = "vendor")]
use super::status_verify_ledger;
#[cfg(feature = "vendor")]
use super::workspace_folder::WorkspaceArgs;
use super::{Ui, package_folder};
use crate::domain::Result;
#[cfg(feature = "vendor")]
use crate::domain::{Class, Error};

/// Verify status packages of sites, and take them into the ledger of a workspace
///
/// Everything is checked in a fixed order, from the site's signature to the last line and every sum; what is known already must come again
/// as it was. A refusal changes nothing and is recorded. The same package again changes nothing either. Several packages are taken in the
/// order in which they follow each other, each has its verdict, and the worst refusal is the exit code.
///
/// With --enrolment nothing is kept, and nothing but these files is read: for guards at the boundary, who let out only what holds, and
/// for auditors. What only a vendor's ledger knows is skipped, and said.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  airlock status verify /media/usb -w acme
  airlock status verify plant-7.airlock-status -w acme --dry-run
  airlock status verify 01234567-cdcdcdcd-11112222-7.airlock-status \\
    --enrolment enrolment-cdcdcdcd.json
  airlock status verify *.airlock-status --enrolment site.json \\
    --site-keys site-keys.json --approvals 2")]
pub(super) struct VerifyArgs {
    /// Status packages: files, folders with some in them, named pipes, or - for standard input; or texts of summaries, as codes or dictated
    /// lines
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The vendor's workspace, made by `airlock vendor init`
    #[cfg(feature = "vendor")]
    #[arg(short, long, value_name = "DIR", env = "AIRLOCK_WORKSPACE")]
    workspace: Option<PathBuf>,
    /// Run every check and say what would be new, but keep nothing
    #[cfg(feature = "vendor")]
    #[arg(long, conflicts_with = "enrolment")]
    dry_run: bool,
    #[command(flatten)]
    guard: GuardArgs,
}

pub(super) fn run(args: &VerifyArgs, ui: &mut Ui) -> Result<()> {
    #[cfg(feature = "vendor")]
    if args.workspace.is_none() && args.guard.enrolment.is_empty() {
        return Err(Error::new(
            Class::Usage,
            "judged-by",
            "it is not said by what the packages are to be judged",
        )
        .expected("the vendor's workspace, or enrolment files of the sites")
        .remedy("give -w DIR to take them into its ledger, or --enrolment FILE to judge them without one"));
    }
    let files = &package_folder::packages(&args.files)?;
    #[cfg(feature = "vendor")]
    if let (Some(workspace), true) = (&args.workspace, args.guard.enrolment.is_empty()) {
        let workspace = WorkspaceArgs {
            workspace: workspace.clone(),
        };
        return status_verify_ledger::run(files, &workspace, args.dry_run, ui);
    }
    #[cfg(feature = "vendor")]
    if let Some(workspace) = &args.workspace {
        ui.warn(format_args!(
            "with --enrolment nothing is kept: the ledger of {} is told nothing",
            workspace.display()
        ));
    }
    status_verify_guard::run(files, &args.guard, ui)
}

//! `airlock vendor backup`: a workspace in one encrypted file.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::advice::quoted;
use super::backup_check;
use super::backup_passphrase::BackupPassphraseArgs;
use super::ui::{Ui, bytes, escape};
use crate::backup::Sealing;
use crate::domain::{Clock as _, Result, SystemClock};
use crate::vendor_side::Workspace;

#[derive(Debug, Args)]
pub(super) struct VendorBackupArgs {
    /// Where to write: a free name
    #[arg(short, long, value_name = "FILE", required_unless_present = "check")]
    output: Option<PathBuf>,
    /// Make none: read this one to its end, and say what it is of
    #[arg(long, value_name = "FILE", conflicts_with = "output")]
    check: Option<PathBuf>,
    /// The vendor's workspace, made by `airlock vendor init`
    #[arg(
        short,
        long,
        value_name = "DIR",
        env = "AIRLOCK_WORKSPACE",
        required_unless_present = "check"
    )]
    workspace: Option<PathBuf>,
    #[command(flatten)]
    passphrase: BackupPassphraseArgs,
}

pub(super) fn backup(args: &VendorBackupArgs, ui: &mut Ui) -> Result<()> {
    if let Some(path) = &args.check {
        return backup_check::run(path, &args.passphrase, ui);
    }
    let (output, folder) = (
        args.output.clone().unwrap_or_default(),
        args.workspace.clone().unwrap_or_default(),
    );
    let workspace = Workspace::open(&folder)?;
    let passphrase = args.passphrase.for_a_new_one()?;
    let made = workspace.backup(
        &output,
        Sealing::usual(&passphrase),
        SystemClock.now(),
        &mut |done, total| {
            ui.progress("backup", done, total);
        },
    )?;
    let place = output.display().to_string();
    ui.result(
        &json!({"output": place, "bytes": made.bytes, "files": made.files, "domain": made.facts.domain}),
        format_args!(
            "{}, {}, read back\nvendor       {}\nfiles        {}",
            escape(&place),
            bytes(made.bytes),
            escape(&made.facts.vendor),
            made.files
        ),
    )?;
    ui.say(format_args!(
        "it holds the keys that are in the workspace: keep its passphrase elsewhere; `airlock vendor backup --check {}` reads it again",
        quoted(&escape(&place))
    ));
    Ok(())
}

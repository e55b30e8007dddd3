//! `airlock backup`: everything of an appliance that no bundle brings back, in one encrypted file.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::Ui;
use super::advice::quoted;
use super::backup_check;
use super::backup_passphrase::BackupPassphraseArgs;
use super::output_place::check_outside;
use super::state_folder::StateArgs;
use super::ui::{bytes, escape};
use crate::backup::Sealing;
use crate::domain::{Clock as _, Result, SystemClock, counted};

/// Make a backup of the appliance: keys, pins, log, agents, what was not told yet; encrypted with a passphrase
///
/// Servers, agents and imports go on meanwhile. The file has its name once it was read back whole. Content is left out, since bundles bring it
/// back; --with-content takes it too. `airlock restore` puts it back.
///
/// Whoever has the file and its passphrase is this site: keep the two apart.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  airlock backup -o /media/safe/plant-7.backup\n  airlock backup -o plant-7.backup --passphrase-file /dev/fd/3 3< secret\n  \
                  airlock backup --check plant-7.backup"
)]
pub(super) struct BackupArgs {
    /// Where to write: a free name outside the state folder
    #[arg(short, long, value_name = "FILE", required_unless_present = "check")]
    output: Option<PathBuf>,
    /// Take the content of the releases too
    #[arg(long)]
    with_content: bool,
    /// Make none: read this one to its end, and say what it is of
    #[arg(long, value_name = "FILE", conflicts_with_all = ["output", "with_content"])]
    check: Option<PathBuf>,
    #[command(flatten)]
    passphrase: BackupPassphraseArgs,
    #[command(flatten)]
    state: StateArgs,
}

pub(super) fn run(args: &BackupArgs, ui: &mut Ui) -> Result<()> {
    if let Some(path) = &args.check {
        return backup_check::run(path, &args.passphrase, ui);
    }
    let output = args.output.clone().unwrap_or_default();
    check_outside(&output, &args.state.state)?;
    let appliance = args.state.open_to_change("backup", ui)?;
    let passphrase = args.passphrase.for_a_new_one()?;
    let made = appliance.backup(
        &output,
        Sealing::usual(&passphrase),
        args.with_content,
        SystemClock.now(),
        &mut |done, total| ui.progress("backup", done, total),
    )?;
    let place = output.display().to_string();
    let content = if args.with_content {
        counted(made.blobs, "blob")
    } else {
        "left out: it comes back with its bundles".to_owned()
    };
    ui.result(
        &json!({
            "output": place, "bytes": made.bytes, "files": made.files, "blobs": made.blobs, "content": args.with_content,
            "site": made.facts.site, "instance": made.facts.instance,
        }),
        format_args!(
            "{}, {}, read back\nsite         {} ({})\nfiles        {}\ncontent      {content}",
            escape(&place),
            bytes(made.bytes),
            escape(&made.facts.name),
            made.facts.site,
            made.files,
        ),
    )?;
    ui.say(format_args!(
        "keep its passphrase elsewhere; `airlock backup --check {}` reads it again",
        quoted(&escape(&place))
    ));
    Ok(())
}

//! `airlock vendor release`: release files to begin with.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use super::advice::quoted;
use super::times::source_date_epoch;
use super::ui::{Ui, escape};
use super::workspace_folder::WorkspaceArgs;
use crate::domain::{Class, Clock as _, Error, Name, Result, SystemClock};
use crate::stream::{Looked, write_atomically};
use crate::vendor_side::release_file::Draft;
use crate::vendor_side::{next_number, usual_scope};

/// What is done about release files.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum ReleaseFileCommand {
    /// Write a commented release.yaml to begin with: product, channel, next free number and date are filled in, names of images are yours to
    /// fill in
    ///
    /// Which numbers are signed already: `airlock vendor ledger show`.
    #[command(after_help = "Examples:\n  airlock vendor release new -w acme -o release.yaml\n  \
                            airlock vendor release new -w acme --channel beta > beta.yaml")]
    New(NewArgs),
}

#[derive(Debug, Args)]
pub(super) struct NewArgs {
    #[command(flatten)]
    workspace: WorkspaceArgs,
    /// Product of the release [default: the only one of the trust root]
    #[arg(long, value_name = "NAME")]
    product: Option<Name>,
    /// Channel of the release [default: the only one that the product was released in, else stable]
    #[arg(long, value_name = "NAME")]
    channel: Option<Name>,
    /// The file to write, under a free name [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Runs a command.
pub(super) fn run(command: &ReleaseFileCommand, ui: &mut Ui) -> Result<()> {
    match command {
        ReleaseFileCommand::New(args) => new(args, ui),
    }
}

fn new(args: &NewArgs, ui: &mut Ui) -> Result<()> {
    let workspace = args.workspace.open()?;
    let (product, channel) = usual_scope(&workspace, args.product.as_ref(), args.channel.as_ref())?;
    let sequence = next_number(&workspace, &product, &channel)?.sequence;
    let text = Draft {
        product: product.clone(),
        channel: channel.clone(),
        sequence,
        issued_at: source_date_epoch()?.unwrap_or_else(|| SystemClock.now()),
    }
    .text();
    let Some(path) = &args.output else {
        return ui.script(text.as_bytes());
    };
    check_free(path)?;
    write_atomically(path, text.as_bytes(), 0o644)?;
    let shown = path.display().to_string();
    ui.result(
        &json!({"file": shown, "product": product, "channel": channel, "sequence": sequence}),
        format_args!("{}\nrelease      {sequence} of {product}/{channel}", escape(&shown)),
    )?;
    ui.say(format_args!(
        "fill in the names of its images; then `airlock bundle create -f {} -w {} -o FILE`, with --dry-run first",
        quoted(&shown),
        quoted(&workspace.folder().display().to_string())
    ));
    Ok(())
}

/// A release file is written by hand: nothing takes the place of one.
fn check_free(path: &Path) -> Result<()> {
    match Looked::itself(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::io("look at", path, error)),
        Ok(_) => Err(
            Error::new(Class::Usage, "output", format!("{} is there already", path.display()))
                .expected("a free name")
                .remedy("write the file under another name with -o"),
        ),
    }
}

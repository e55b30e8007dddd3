//! `airlock status acknowledge`: what a vendor has may go here.

use std::io::Read as _;
use std::path::PathBuf;

use clap::Args;

use super::file_kind::Door;
use super::state_folder::StateArgs;
use super::{Ui, heard_view};
use crate::domain::{Clock as _, Result, SystemClock, limits};
use crate::stream::{open_named, read_bounded};

#[derive(Debug, Args)]
pub(super) struct AcknowledgeArgs {
    /// The vendor's file
    file: PathBuf,
    #[command(flatten)]
    state: StateArgs,
}

pub(super) fn run(args: &AcknowledgeArgs, ui: &mut Ui) -> Result<()> {
    let appliance = args.state.open(ui)?;
    // What is refused of an acknowledgement has a row of its own.
    appliance.verify_seals()?;
    let file = open_named(&args.file, "open the acknowledgement")?;
    // One byte more than it may have: that it is too long is a refusal, and in the log.
    let most = limits::ACKNOWLEDGEMENT_BYTES as u64 + 1;
    let bytes = read_bounded(file.take(most), most, "an acknowledgement")?;
    let told = |error| Door::ACKNOWLEDGEMENT.told(error, &args.file);
    let heard = appliance.acknowledge(&bytes, SystemClock.now()).map_err(told)?;
    heard_view::warn(&heard, ui);
    let (value, human) = (heard_view::to_json(&heard), heard_view::describe(&heard));
    heard.outcome.map_err(told)?;
    ui.result(&value, human)
}

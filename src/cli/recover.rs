//! `airlock recover`: somebody says what became of the state folder.

use clap::{Args, ValueEnum};
use serde_json::json;

use super::Ui;
use super::state_folder::StateArgs;
use crate::appliance::Recovery;
use crate::domain::{Clock as _, Result, SystemClock};

/// Say that the state folder was put back from a copy, or that another one like it is in use
///
/// Vendors number what they hear of this site; a state that was turned back would tell other things under numbers that they know. So it
/// begins another life, under a name of its own, right after what both sides share. A folder that was copied file by file does so by
/// itself; a disk or snapshot that was turned back does not know it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  airlock recover --as restored\n  airlock recover --as cloned")]
pub(super) struct RecoverArgs {
    /// What became of it
    #[arg(long = "as", value_name = "WHAT", value_enum)]
    what: What,
    #[command(flatten)]
    state: StateArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    /// The folder, or a part of it, was put back from a copy
    Restored,
    /// Another folder like it is in use
    Cloned,
}

pub(super) fn run(args: &RecoverArgs, ui: &mut Ui) -> Result<()> {
    let recovery = match args.what {
        What::Restored => Recovery::Restored,
        What::Cloned => Recovery::Cloned,
    };
    let instance = args.state.open()?.recover(recovery, SystemClock.now())?;
    ui.result(
        &json!({"instance": instance}),
        format_args!("instance     {instance}\nimports and exports go on under this name"),
    )
}

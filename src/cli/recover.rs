//! `airlock recover`: somebody says what became of the state folder, or of its token key.

use clap::{Args, ValueEnum};
use serde_json::json;

use super::Ui;
use super::confirm::confirm;
use super::state_folder::StateArgs;
use crate::appliance::Recovery;
use crate::domain::{Clock as _, Result, SystemClock};

/// Say that the state folder was put back from a copy, that another one like it is in use, or that its token key is lost
///
/// Vendors number what they hear of this site; a state that was turned back would tell other things under numbers that they know. So it
/// begins another life, under a name of its own, right after what both sides share. A folder that was copied file by file does so by
/// itself; a disk or snapshot that was turned back does not know it.
///
/// With the token key, every token and every secret that this site issued is lost, and so is every credential of `airlock access`: agents are
/// refused until their targets are connected again, people and machines until their credentials were made again. Secrets that a vendor's
/// bundle brought go on.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  airlock recover --as restored\n  airlock recover --as cloned --yes\n  airlock recover --as token-key-lost"
)]
pub(super) struct RecoverArgs {
    /// What became of it
    #[arg(long = "as", value_name = "WHAT", value_enum)]
    what: What,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    state: StateArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    /// The folder, or a part of it, was put back from a copy
    Restored,
    /// Another folder like it is in use
    Cloned,
    /// identity/token.key is lost: another one is made; every target has to be connected, and every credential made, again
    TokenKeyLost,
}

impl What {
    /// How it is said on the command line.
    fn word(self) -> &'static str {
        match self {
            Self::Restored => "restored",
            Self::Cloned => "cloned",
            Self::TokenKeyLost => "token-key-lost",
        }
    }

    /// What will be done, and what that costs.
    fn meant(self) -> &'static str {
        match self {
            Self::Restored => {
                "this state folder begins another life, since it was put back from a copy: drafts end, and what no vendor has acknowledged is \
                 told again; there is no way back to the life before"
            }
            Self::Cloned => {
                "this state folder begins another life, since another one like it is in use: drafts end, and what no vendor has acknowledged is \
                 told again; there is no way back to the life before"
            }
            Self::TokenKeyLost => {
                "another token key is made: every token and every secret that this site issued ends, and every target that is not connected \
                 by a vendor's bundle has to be connected again; so does every credential of `airlock access list`, which has to be removed \
                 and made again"
            }
        }
    }
}

pub(super) fn run(args: &RecoverArgs, ui: &mut Ui) -> Result<()> {
    let appliance = args.state.open_to_change("recover", ui)?;
    ui.say(args.what.meant());
    confirm(ui, args.yes, &format!("airlock recover --as {}", args.what.word()))?;
    let recovery = match args.what {
        What::Restored => Recovery::Restored,
        What::Cloned => Recovery::Cloned,
        What::TokenKeyLost => {
            appliance.replace_lost_token_key(SystemClock.now())?;
            return ui.result(
                &json!({"token_key": "made"}),
                "another token key is made; start the server again, connect every target once more (airlock target connect TARGET --new-secret), and make every \
                 credential of `airlock access list` again (airlock access remove, airlock access add)",
            );
        }
    };
    let instance = appliance.recover(recovery, SystemClock.now())?;
    ui.result(
        &json!({"instance": instance}),
        format_args!("instance     {instance}\nimports and exports go on under this name"),
    )
}

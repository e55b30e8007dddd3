//! `airlock status`: what a site tells its vendors, and what a vendor makes of it.

use clap::Subcommand;

#[cfg(feature = "site")]
use super::status_rotate_key;
use super::{Ui, status_verify};
use crate::domain::Result;

/// The way home: what leaves a site for its vendors, and what a vendor makes of it
#[derive(Debug, Subcommand)]
pub(super) enum StatusCommand {
    /// Make another status key and another recipient key, with an enrolment file for each vendor
    ///
    /// For a planned change, a loss and a theft alike. The new keys count at once; a vendor takes them with `airlock vendor enroll FILE
    /// --replace SITE`, after comparing the fingerprint with you by voice, and refuses what is signed by the new key until then.
    #[cfg(feature = "site")]
    #[command(after_help = "Example:\n  airlock status rotate-key")]
    RotateKey(status_rotate_key::RotateKeyArgs),
    Verify(status_verify::VerifyArgs),
}

pub(super) fn run(command: &StatusCommand, ui: &mut Ui) -> Result<()> {
    match command {
        #[cfg(feature = "site")]
        StatusCommand::RotateKey(args) => status_rotate_key::run(args, ui),
        StatusCommand::Verify(args) => status_verify::run(args, ui),
    }
}

//! `airlock status`: what a site tells its vendors, and what a vendor makes of it.

use clap::Subcommand;

use super::Ui;
#[cfg(feature = "site")]
use super::status_rotate_key;
#[cfg(feature = "vendor")]
use super::status_verify;
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
    /// Verify status packages of sites, and take them into the ledger of a workspace
    ///
    /// Everything is checked in a fixed order, from the site's signature to the last line; what is known already must come again as it was.
    /// A refusal changes nothing and is recorded. The same package again changes nothing either. Several packages are taken in the
    /// order in which they follow each other; the worst refusal is the exit code.
    #[cfg(feature = "vendor")]
    #[command(
        after_help = "Examples:\n  airlock status verify /media/usb/*.airlock-status -w acme\n  \
                            airlock status verify plant-7.airlock-status -w acme --dry-run"
    )]
    Verify(status_verify::VerifyArgs),
}

pub(super) fn run(command: &StatusCommand, ui: &mut Ui) -> Result<()> {
    match command {
        #[cfg(feature = "site")]
        StatusCommand::RotateKey(args) => status_rotate_key::run(args, ui),
        #[cfg(feature = "vendor")]
        StatusCommand::Verify(args) => status_verify::run(args, ui),
    }
}

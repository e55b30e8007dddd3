//! `airlock status`: what a site tells its vendors, and what a vendor makes of it.

use clap::Subcommand;

use super::Ui;
#[cfg(feature = "vendor")]
use super::status_verify;
#[cfg(feature = "site")]
use super::{status_preview, status_rotate_key, status_summary};
use crate::domain::Result;

/// The way home: what leaves a site for its vendors, and what a vendor makes of it
#[derive(Debug, Subcommand)]
pub(super) enum StatusCommand {
    /// Make the next status package of a vendor as a draft, and show what it says
    ///
    /// The draft is the bytes that would leave, without the signature; it lies in outbox/ until it is exported or another one takes its place.
    /// What is shown is read back from that file. A draft that is there and shows what is asked for is shown again: what came since is not in
    /// it. How much packages show is said under [export] in the configuration; here it can only become less. Texts pass a redactor, which is a
    /// net and no promise: look at every line of a package that shows texts before it leaves.
    #[cfg(feature = "site")]
    #[command(
        after_help = "Examples:\n  airlock status preview\n  airlock status preview --lines | less\n  airlock status preview --vendor acme-erp --profile minimal --discard"
    )]
    Preview(status_preview::PreviewArgs),
    /// Show the newest signed package as QR codes, as text, or as lines to be read aloud
    ///
    /// For a site from which no file may leave, or not now: a summary says what runs and how far the package reaches, signed, in a few codes
    /// or a minute on the telephone. It says less than the package, so whoever approved that has approved this. The vendor gives it to
    /// `airlock status verify`.
    #[cfg(feature = "site")]
    #[command(after_help = "Examples:\n  airlock status summary --qr summary.png\n  airlock status summary --spoken")]
    Summary(status_summary::SummaryArgs),
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
        StatusCommand::Preview(args) => status_preview::run(args, ui),
        #[cfg(feature = "site")]
        StatusCommand::RotateKey(args) => status_rotate_key::run(args, ui),
        #[cfg(feature = "site")]
        StatusCommand::Summary(args) => status_summary::run(args, ui),
        #[cfg(feature = "vendor")]
        StatusCommand::Verify(args) => status_verify::run(args, ui),
    }
}

//! `airlock status`: what a site tells its vendors, and what a vendor makes of it.

use clap::Subcommand;

use super::{Ui, status_verify};
#[cfg(feature = "site")]
use super::{status_acknowledge, status_export, status_list, status_preview, status_rotate_key, status_summary};
#[cfg(feature = "vendor")]
use super::{status_replay, status_show};
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
    #[cfg(feature = "site")]
    Export(status_export::ExportArgs),
    /// List the packages that were made here: drafts, what was signed, what left, what a vendor acknowledged
    ///
    /// Numbers count by vendor and life of the state folder. What was exported and has its file leaves once more with
    /// `airlock status export DEST --again NUMBER`, as the same bytes; what is acknowledged the vendor has.
    #[cfg(feature = "site")]
    #[command(after_help = "Examples:\n  airlock status list\n  airlock status list --vendor acme-erp")]
    List(status_list::ListArgs),
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
    /// Take in what a vendor acknowledges: what it has of this site may go here
    ///
    /// Only what lies within packages that this site signed and the vendor names by their heads; the rest is told again. Records that are
    /// acknowledged go first when room is needed, and after `status.keep_days`. One that is refused frees nothing, and a lost one costs
    /// nothing but room. A bundle for this site alone brings its acknowledgement along by itself.
    #[cfg(feature = "site")]
    #[command(after_help = "Example:\n  airlock status acknowledge /media/usb/plant-7.ack")]
    Acknowledge(status_acknowledge::AcknowledgeArgs),
    Verify(status_verify::VerifyArgs),
    /// What runs at sites, as their packages say: since when, what failed and why, what is stale
    ///
    /// Without SITE a line for each site and live release. With SITE its targets and deployments, their history along the shown line,
    /// days of metrics, and with --logs the lines of containers, read from the package files. Nothing is live: every answer says as of
    /// when. What no signed release of yours states for the site is `unknown`. `jsonl` and `csv` carry everything for other tools.
    #[cfg(feature = "vendor")]
    #[command(
        after_help = "Examples:\n  airlock status show -w acme\n  airlock status show plant-7 -w acme --last 20 --logs\n  \
                            airlock status show -w acme --format jsonl > facts.jsonl"
    )]
    Show(status_show::ShowArgs),
    /// At the vendor: send what sites told into a hub, as the agents of their targets
    ///
    /// Each target gets the last status of every revision, the newest sample, and lines of logs of the last 30 days, oldest first. What was
    /// sent is not sent again: run the command after every package. A site reports only for targets of a release signed for it that stand
    /// nowhere else; for a target without a site, --site says which one reports for it at this hub, for good.
    ///
    /// The hub gives statuses and samples the time when it gets them: the site's own times stand in the text of each status.
    #[cfg(feature = "vendor")]
    #[command(
        after_help = "Examples:\n  airlock status replay --hub https://hub.example.com -w acme --dry-run\n  \
                            airlock status replay --hub https://hub.example.com -w acme --credentials hub-secrets.json"
    )]
    Replay(status_replay::ReplayArgs),
}

pub(super) fn run(command: &StatusCommand, ui: &mut Ui) -> Result<()> {
    match command {
        #[cfg(feature = "site")]
        StatusCommand::Preview(args) => status_preview::run(args, ui),
        #[cfg(feature = "site")]
        StatusCommand::Export(args) => status_export::run(args, ui),
        #[cfg(feature = "site")]
        StatusCommand::List(args) => status_list::run(args, ui),
        #[cfg(feature = "site")]
        StatusCommand::Summary(args) => status_summary::run(args, ui),
        #[cfg(feature = "site")]
        StatusCommand::RotateKey(args) => status_rotate_key::run(args, ui),
        #[cfg(feature = "site")]
        StatusCommand::Acknowledge(args) => status_acknowledge::run(args, ui),
        StatusCommand::Verify(args) => status_verify::run(args, ui),
        #[cfg(feature = "vendor")]
        StatusCommand::Show(args) => status_show::run(args, ui),
        #[cfg(feature = "vendor")]
        StatusCommand::Replay(args) => status_replay::run(args, ui),
    }
}

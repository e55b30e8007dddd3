//! `airlock vendor ledger`: what this workspace knows of releases and sites.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::head_view::headline;
use super::ledger_answers::{self, AskArgs, EndArgs, FindingsArgs, WhoLacksArgs};
use super::ledger_papers::{self, ProofArgs, ReportArgs};
use super::ui::Ui;
use super::vendor_ack::{self, AckArgs};
use super::workspace_folder::WorkspaceArgs;
use crate::db::ledger::Recorded;
use crate::domain::{Class, Clock as _, Error, FixId, Result, SystemClock};
use crate::media;
use crate::vendor_side::{Learned, learn};

/// What the ledger is asked and told.
#[derive(Debug, Subcommand)]
pub(super) enum LedgerCommand {
    /// Take in a release that another workspace signed, from its bundle
    ///
    /// Afterwards its number is used here too, and what sites report of it is understood. The release role of the root under which it
    /// was made must have signed it; it may have expired since. The same bundle again changes nothing but the ids of --fixes, which are
    /// added.
    #[command(after_help = "Example:\n  airlock vendor ledger learn release-7.airlock -w acme --fixes CVE-2026-41234")]
    Learn(LearnArgs),
    /// Make the next acknowledgement for a site: what it sent and is here it may let go
    ///
    /// It says up to which numbers everything of the site is in the ledger without a hole, and what was found in its packages. Where nothing
    /// is new since the newest one, that one is written again. A bundle for this site alone takes it along by itself; the file is for a site
    /// that gets none now, and is applied there with `airlock status acknowledge FILE`.
    #[command(after_help = "Example:\n  airlock vendor ledger ack plant-7 -o plant-7.ack -w acme")]
    Ack(AckArgs),
    /// List what was signed, and at how many sites it is, as their newest packages say
    #[command(after_help = "Example:\n  airlock vendor ledger show -w acme")]
    Show(AskArgs),
    /// List whose packages are here, up to which numbers, with holes and lost branches
    #[command(after_help = "Example:\n  airlock vendor ledger sites -w acme --format json")]
    Sites(AskArgs),
    /// List what was found in packages and is to be looked at
    ///
    /// Findings that wait for something end when it comes; equivocations and what a person must judge end with `airlock vendor ledger
    /// end`.
    #[command(after_help = "Example:\n  airlock vendor ledger findings -w acme --all")]
    Findings(FindingsArgs),
    /// End a finding that was looked at
    #[command(after_help = "Example:\n  airlock vendor ledger end F7 -w acme")]
    End(EndArgs),
    /// List which sites lack a fix or a version
    ///
    /// The first release that fixes it, or is called so, is the bar. A site has it when everything of the product that it runs is of a
    /// release at or above the bar. It is unknown where the site never reported, its newest package is older than --as-of-max, or it is
    /// in doubt what runs; that is never counted as has.
    #[command(after_help = "Example:\n  airlock vendor ledger who-lacks CVE-2026-41234 -w acme --as-of-max 14d")]
    WhoLacks(WhoLacksArgs),
    /// Write the proof that a release was installed at a site: an in-toto statement with the site's own receipts
    ///
    /// With --key it is signed, in a DSSE envelope. The key must be one of no role under your root, such as `openssl genpkey -algorithm
    /// ed25519` makes.
    #[command(
        after_help = "Example:\n  airlock vendor ledger proof plant-7 0.9 -w acme -o plant-7.intoto.json --key proof.pem"
    )]
    Proof(ProofArgs),
    /// Write a report of one import or of a period at a site: text, or HTML that prints on a page
    #[command(
        after_help = "Examples:\n  airlock vendor ledger report plant-7 --release 0.9 -w acme --html -o plant-7.html\n  \
                            airlock vendor ledger report plant-7 --since 2026-11-01T00:00:00Z -w acme"
    )]
    Report(ReportArgs),
}

#[derive(Debug, Args)]
pub(super) struct LearnArgs {
    /// Bundle files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    workspace: WorkspaceArgs,
    /// What the release fixes, such as CVE-2026-41234 (may repeat); with one file only
    #[arg(long = "fixes", value_name = "ID")]
    fixes: Vec<FixId>,
}

/// Runs a ledger command.
pub(super) fn run(command: &LedgerCommand, ui: &mut Ui) -> Result<()> {
    match command {
        LedgerCommand::Learn(args) => learn_all(args, ui),
        LedgerCommand::Ack(args) => vendor_ack::run(args, ui),
        LedgerCommand::Show(args) => ledger_answers::show(args, ui),
        LedgerCommand::Sites(args) => ledger_answers::list_sites(args, ui),
        LedgerCommand::Findings(args) => ledger_answers::list_findings(args, ui),
        LedgerCommand::End(args) => ledger_answers::end(args, ui),
        LedgerCommand::WhoLacks(args) => ledger_answers::lacks(args, ui),
        LedgerCommand::Proof(args) => ledger_papers::prove(args, ui),
        LedgerCommand::Report(args) => ledger_papers::write_report(args, ui),
    }
}

/// Says what became of the fixes that were given, and what it is known to fix.
fn fixes(learned: &Learned, given: usize) -> String {
    let list = |fixes: &[FixId]| fixes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match (given, learned.new_fixes.is_empty()) {
        (0, _) if learned.fixes.is_empty() => String::new(),
        (0, _) => format!("\nfixes {}", list(&learned.fixes)),
        (_, true) => format!("\nfixes {}: all were known already", list(&learned.fixes)),
        (_, false) => format!(
            "\nfixes {}; learned now: {}",
            list(&learned.fixes),
            list(&learned.new_fixes)
        ),
    }
}

fn learn_all(args: &LearnArgs, ui: &mut Ui) -> Result<()> {
    if args.files.len() > 1 && !args.fixes.is_empty() {
        return Err(Error::new(
            Class::Usage,
            "fixes",
            format!("--fixes is given for {} bundles", args.files.len()),
        )
        .expected("one bundle, whose fixes they are")
        .remedy("give the bundles of each list of fixes by themselves"));
    }
    let workspace = args.workspace.open_to_write(ui)?;
    let mut list = Vec::new();
    let mut text = Vec::new();
    for path in &args.files {
        let source = media::open(path, None)?;
        let learned = learn(&workspace, source.into_bundle()?, &args.fixes, SystemClock.now())?;
        let (result, word) = match learned.recorded {
            Recorded::New => ("learned", "learned"),
            Recorded::Already => ("already", "known already:"),
        };
        list.push(json!({
            "result": result, "head_digest": learned.head_digest, "product": learned.head.product, "channel": learned.head.channel,
            "epoch": learned.head.epoch, "sequence": learned.head.sequence, "version": learned.head.version, "blobs": learned.items,
            "fixes": learned.fixes, "new_fixes": learned.new_fixes,
        }));
        text.push(format!(
            "{word} {}\nhead {}{}",
            headline(&learned.head),
            learned.head_digest,
            fixes(&learned, args.fixes.len())
        ));
    }
    ui.result(&list, text.join("\n"))
}

//! `airlock audit show|verify|export`: the log of everything that was done or refused here.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::Ui;
use super::audit_show::{self, ShowArgs};
use super::output_place::{self, Makes};
use super::state_folder::StateArgs;
use super::ui::escape;
use crate::appliance::Compared;
use crate::db::sealed_log::AUDIT_BROKEN;
use crate::domain::{Clock as _, Result, SystemClock, counted};
use crate::stream::open_named;

/// Look at, check and export the audit log
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum AuditCommand {
    /// Show rows of the log: what was done or refused, when, and who ran the program
    #[command(
        after_help = "Examples:\n  airlock audit show --since 7d --class E-SIGNATURE\n  airlock audit show --what import --what activate --last 1000 --format json"
    )]
    Show(ShowArgs),
    /// Walk the log, and what leaves of it for each vendor
    ///
    /// Every row is sealed by the next. A log that was rewritten as a whole holds in itself: compare it with what left before.
    #[command(
        after_help = "Examples:\n  airlock audit verify\n  airlock audit verify --against /media/usb/audit-november.jsonl\n  airlock audit verify --against 7.airlock-status"
    )]
    Verify(VerifyArgs),
    /// Write the whole log as lines of canonical JSON, with a signed checkpoint as the last one
    ///
    /// Keep copies outside: `airlock audit verify --against FILE` says later whether the log still begins with them.
    #[command(after_help = "Example:\n  airlock audit export -o audit-november.jsonl")]
    Export(ExportArgs),
}

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// An earlier export, an acknowledgement of a vendor, or a status package that left (may repeat)
    #[arg(long, value_name = "FILE")]
    against: Vec<PathBuf>,
    #[command(flatten)]
    state: StateArgs,
}

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// Where to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Replace what an earlier export wrote there
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    state: StateArgs,
}

pub(super) fn run(command: &AuditCommand, ui: &mut Ui) -> Result<()> {
    match command {
        AuditCommand::Show(args) => audit_show::run(args, ui),
        AuditCommand::Verify(args) => verify(args, ui),
        AuditCommand::Export(args) => export(args, ui),
    }
}

fn verify(args: &VerifyArgs, ui: &mut Ui) -> Result<()> {
    let appliance = args.state.open(ui)?;
    let state = match appliance.verify_audit() {
        // What left before is proven all the same, up to the first row that differs.
        Err(broken) if broken.is(AUDIT_BROKEN) => {
            for path in &args.against {
                let shown = escape(&path.display().to_string());
                match appliance.compare_audit(open_named(path, "open the copy")?) {
                    Ok(compared) => ui.say(format_args!("{shown}: {}", said(&compared).2)),
                    Err(error) => ui.say(format_args!("{shown}: {}", escape(error.found()))),
                }
            }
            return Err(broken);
        }
        verified => verified?,
    };
    let mut human = format!(
        "audit log    {}\nlast hash    {}",
        hold(state.rows),
        state.hash.spoken()
    );
    for (domain, rows, seal) in &state.streams {
        human += &format!(
            "\nstream       of the trust domain {domain}: {}\nlast seal    {}",
            hold(*rows),
            seal.spoken()
        );
    }
    let mut against = Vec::new();
    for path in &args.against {
        let file = open_named(path, "open the copy")?;
        let shown = path.display().to_string();
        let compared = appliance.compare_audit(file).map_err(|error| error.context(&shown))?;
        let (kind, row, what) = said(&compared);
        human += &format!("\n{}: {what}", escape(&shown));
        against.push(json!({"file": shown, "kind": kind, "row": row}));
    }
    let streams: Vec<_> = state
        .streams
        .iter()
        .map(|(domain, rows, seal)| json!({"domain": domain, "rows": rows, "seal": seal}))
        .collect();
    ui.result(
        &json!({"rows": state.rows, "hash": state.hash, "streams": streams, "against": against}),
        human,
    )
}

/// What a comparison came to: of which kind of copy, up to which row, and in words.
fn said(compared: &Compared) -> (&'static str, u64, String) {
    match compared {
        Compared::Export { rows } => (
            "export",
            *rows,
            format!("the log begins with its {}", counted(*rows, "row")),
        ),
        Compared::Acknowledgement { row, .. } => (
            "acknowledgement",
            *row,
            format!("the stream has the seal of row {row} that it names"),
        ),
        Compared::Package { number, row, .. } => (
            "package",
            *row,
            format!("the stream has every row that package {number} carries, up to row {row}"),
        ),
    }
}

/// Says that so many rows are what they were.
fn hold(rows: u64) -> String {
    format!("{} {}", counted(rows, "row"), if rows == 1 { "holds" } else { "hold" })
}

fn export(args: &ExportArgs, ui: &mut Ui) -> Result<()> {
    output_place::check_outside(&args.output, &args.state.state)?;
    output_place::check_free(&args.output, Makes::AuditLog, args.replace, [])?;
    let checkpoint = args.state.open(ui)?.export_audit(&args.output, SystemClock.now())?;
    let path = args.output.display().to_string();
    ui.result(
        &json!({
            "output": path, "rows": checkpoint.number, "hash": checkpoint.hash, "site": checkpoint.site,
            "instance": checkpoint.instance, "at": checkpoint.at,
        }),
        format_args!(
            "{} in {}\nlast hash    {}",
            counted(checkpoint.number, "row"),
            escape(&path),
            checkpoint.hash.spoken()
        ),
    )
}

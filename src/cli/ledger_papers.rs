//! `airlock vendor ledger proof|report`: papers for others, about what a site's own signatures say.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::instant::{moment, usual_limits};
use super::output_place::{self, Makes};
use super::passphrase::PassphraseArgs;
use super::ui::{Ui, escape};
use super::workspace_folder::WorkspaceArgs;
use crate::crypto::open_key;
use crate::domain::{Clock as _, Result, SystemClock, Timestamp, counted};
use crate::stream::write_atomically;
use crate::vendor_side::ledger::ask::{Period, Report, ReportOf, html, proof, report, sign, text};

#[derive(Debug, Args)]
pub(super) struct ProofArgs {
    /// Name or id of the site
    site: String,
    /// The release: head digest or its beginning, number such as 0.7, or version
    release: String,
    #[command(flatten)]
    workspace: WorkspaceArgs,
    /// Where to write it
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Replace such a file that stands at --output
    #[arg(long)]
    replace: bool,
    /// Private key file of no role: signs the statement in a DSSE envelope
    #[arg(long, value_name = "PEM")]
    key: Option<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("of").required(true).args(["release", "since"]))]
pub(super) struct ReportArgs {
    /// Name or id of the site
    site: String,
    #[command(flatten)]
    workspace: WorkspaceArgs,
    /// A release, as for `proof`: what became of it
    #[arg(long, value_name = "RELEASE", conflicts_with = "until")]
    release: Option<String>,
    /// First second of a period: `YYYY-MM-DDTHH:MM:SSZ`, or with an offset, or a day (its start in UTC), or how long ago, such as 36h or
    /// 30d: what happened in it
    #[arg(long, value_name = "TIME|AGE", value_parser = moment)]
    since: Option<Timestamp>,
    /// Its last second, in the same forms; now
    #[arg(long, value_name = "TIME|AGE", value_parser = moment, requires = "since")]
    until: Option<Timestamp>,
    /// A page of HTML in place of text
    #[arg(long)]
    html: bool,
    /// Where to write it; without it to stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace a report that stands at --output
    #[arg(long, requires = "output")]
    replace: bool,
}

/// Writes the proof of an installation.
pub(super) fn prove(args: &ProofArgs, ui: &mut Ui) -> Result<()> {
    let inputs = args.key.iter().chain(&args.passphrase.passphrase_file);
    output_place::check_free(&args.output, Makes::Proof, args.replace, inputs.map(PathBuf::as_path))?;
    let workspace = args.workspace.open()?;
    let made = proof(&workspace, &args.site, &args.release)?;
    let (bytes, key) = match &args.key {
        None => (made.statement.clone(), None),
        Some(path) => {
            let mut asker = args.passphrase.asker();
            let key = open_key(path, &mut |path| asker.ask(path))?;
            (sign(&workspace, &made.statement, &key)?, Some(key.public().id()))
        }
    };
    write_atomically(&args.output, &bytes, 0o644)?;
    let release = &made.release;
    let output = args.output.display().to_string();
    let when = made.activated_at.or(made.imported_at);
    ui.result(
        &json!({
            "output": output, "site": made.name, "head": release.head, "product": release.product, "channel": release.channel,
            "version": release.version, "imported_at": made.imported_at, "activated_at": made.activated_at,
            "receipts": made.receipts, "key": key,
        }),
        format_args!(
            "{}: {}/{} {} at {}{}, by {}{}",
            escape(&output),
            release.product,
            release.channel,
            escape(&release.label()),
            escape(&made.name),
            when.map_or(String::new(), |at| format!(" {at}")),
            counted(made.receipts, "receipt"),
            key.map_or(", without a signature of its own (--key makes one)".to_owned(), |key| format!(", signed with key {key}")),
        ),
    )
}

/// Writes the report of an import or of a period.
pub(super) fn write_report(args: &ReportArgs, ui: &mut Ui) -> Result<()> {
    if let Some(path) = &args.output {
        output_place::check_free(path, Makes::Report, args.replace, [])?;
    }
    let of = match (&args.release, args.since) {
        (None, Some(since)) => ReportOf::Period(Period {
            since,
            until: args.until.unwrap_or_else(|| SystemClock.now()),
        }),
        (release, _) => ReportOf::Import(release.clone().unwrap_or_default()),
    };
    let made = report(&args.workspace.open()?, &args.site, &of, &usual_limits())?;
    let drawn = if args.html { html(&made) } else { text(&made) };
    let Some(path) = &args.output else {
        if args.html {
            return ui.script(drawn.as_bytes());
        }
        return ui.result(&to_json(&made), drawn.trim_end());
    };
    write_atomically(path, drawn.as_bytes(), 0o644)?;
    let output = path.display().to_string();
    ui.result(
        &json!({"output": output, "kind": if args.html { "html" } else { "text" }, "title": made.title}),
        format_args!("{}: {}", escape(&output), escape(&made.title)),
    )
}

fn to_json(report: &Report) -> serde_json::Value {
    let tables = report
        .tables
        .iter()
        .map(|table| json!({"title": table.title, "columns": table.columns, "rows": table.rows, "more": table.more}));
    json!({
        "title": report.title, "facts": report.facts.iter().map(|(label, value)| json!({"label": label, "value": value})).collect::<Vec<_>>(),
        "tables": tables.collect::<Vec<_>>(), "notes": report.notes,
    })
}

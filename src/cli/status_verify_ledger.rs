//! `airlock status verify FILE… -w DIR`: packages are verified and taken into the ledger.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::Ui;
use super::file_kind::Door;
use super::status_verify_summary::{self, Sorted, sort};
use super::ui::escape;
use super::workspace_folder::WorkspaceArgs;
use crate::domain::{Clock as _, Counter, Error, Result, SystemClock, Uuid, counted};
use crate::vendor_side::ledger::ask::finding_advice;
use crate::vendor_side::ledger::{
    Identity, IngestEvent, IngestOptions, Outcome, ReceiptTold, Refused, TakenIn, Verdict, ingest,
};

/// Receipts, releases and deployments that are shown a package, each; JSON has more.
const SHOWN: usize = 20;

/// Takes packages in and says what became of each. The worst refusal is the result.
pub(super) fn run(files: &[PathBuf], workspace: &WorkspaceArgs, dry_run: bool, ui: &mut Ui) -> Result<()> {
    let options = IngestOptions {
        now: SystemClock.now(),
        dry_run,
    };
    let workspace = workspace.open()?;
    let Sorted {
        summaries,
        packages: files,
    } = sort(files)?;
    if !summaries.is_empty() {
        return status_verify_summary::run(&workspace, &summaries, &files, dry_run, ui);
    }
    let mut verdicts = ingest(&workspace, &files, options, &mut |event| match event {
        IngestEvent::Copying { done, total } => ui.progress("copy", done, total),
        IngestEvent::Reading { done, total } => ui.progress("verify", done, total),
    })?;
    for Verdict { file, outcome } in &mut verdicts {
        if let Outcome::Refused(refused) = outcome
            && let Some(told) = Door::PACKAGE.instead(&refused.error, file)
        {
            refused.error = told;
        }
    }
    for verdict in &verdicts {
        if let Outcome::Refused(refused) = &verdict.outcome
            && let Some(error) = &refused.unrecorded
        {
            ui.warn(format_args!(
                "{}: its refusal could not be recorded: {error}",
                escape(&verdict.file.display().to_string())
            ));
        }
    }
    let exit = |verdict: &Verdict| match &verdict.outcome {
        Outcome::Refused(refused) => Some(refused.error.class().exit_code()),
        _ => None,
    };
    // Of equal ones the first.
    let refused = verdicts.iter().enumerate().rev();
    let worst = refused
        .filter_map(|(at, verdict)| Some((exit(verdict)?, at)))
        .max_by_key(|(exit, _)| *exit)
        .map(|(_, at)| at);
    // A refusal of one file alone says everything itself.
    let several = files.len() > 1;
    if several || worst.is_none() {
        let values: Vec<Value> = verdicts.iter().map(|verdict| to_json(verdict, dry_run)).collect();
        let texts: Vec<String> = verdicts
            .iter()
            .enumerate()
            .map(|(at, verdict)| to_text(verdict, dry_run, worst == Some(at)))
            .collect();
        ui.result(&values, texts.join("\n"))?;
    }
    match worst.map(|at| verdicts.swap_remove(at)) {
        Some(Verdict {
            file,
            outcome: Outcome::Refused(refused),
        }) => Err(if several {
            refused.error.context(&file.display().to_string())
        } else {
            refused.error
        }),
        _ => Ok(()),
    }
}

fn to_json(verdict: &Verdict, dry_run: bool) -> Value {
    let (result, said) = match &verdict.outcome {
        Outcome::Taken(taken) => ("taken-in", json!(taken)),
        Outcome::Already(known) => ("already", json!(known)),
        Outcome::Refused(refused) => ("refused", refusal(refused)),
    };
    let mut value = json!({"file": verdict.file, "result": result, "dry_run": dry_run});
    if let (Some(members), Value::Object(said)) = (value.as_object_mut(), said) {
        members.extend(said);
    }
    value
}

fn refusal(refused: &Refused) -> Value {
    let Refused {
        error,
        site,
        head,
        numbered,
        ..
    } = refused;
    json!({
        "class": error.class().name(), "code": error.code(), "step": error.step().map(|step| step.to_string()),
        "found": error.found(), "expected": error.expectation(), "remedy": error.advice(), "site": site, "head": head,
        "instance": numbered.as_ref().map(|(instance, _)| instance), "number": numbered.as_ref().map(|(_, number)| number),
    })
}

/// One package for people. Why the worst one was refused is said last, as the end of the command.
fn to_text(verdict: &Verdict, dry_run: bool, is_worst: bool) -> String {
    let file = escape(&verdict.file.display().to_string());
    match &verdict.outcome {
        Outcome::Taken(taken) => taken_in(taken, &file, dry_run),
        Outcome::Already(known) => {
            let Identity { site, number, head, .. } = &known.identity;
            let name = escape(&known.name);
            let put_back = match (known.file_put_back, dry_run) {
                (false, _) => "",
                (true, false) => "; its file was gone from packages/ or damaged, and is put back",
                (true, true) => "; its file is gone from packages/ or damaged, and would be put back",
            };
            let damaged = known.copy_is_damaged.as_ref().map_or_else(String::new, |why| {
                format!("; this copy of it is damaged ({why}), the one in packages/ is whole")
            });
            format!(
                "{file}: package {number} of {name} is in the ledger already (site {site}, head {head}){put_back}{damaged}"
            )
        }
        Outcome::Refused(refused) => refused_text(&refused.error, &file, is_worst),
    }
}

fn refused_text(error: &Error, file: &str, is_worst: bool) -> String {
    let step = error.step().map_or_else(String::new, |step| format!(" at {step}"));
    let why = if is_worst { String::new() } else { format!(": {error}") };
    format!("{file}: refused, {} {}{step}{why}", error.class(), error.code())
}

fn taken_in(taken: &TakenIn, file: &str, dry_run: bool) -> String {
    let verb = if dry_run { "would be taken in" } else { "is taken in" };
    let mut text = format!(
        "{file}: package {} of {} {verb}, as of {}\n  site      {}\n  head      {}",
        taken.identity.number,
        escape(&taken.name),
        taken.made_at,
        taken.identity.site,
        taken.identity.head,
    );
    text += &format!(
        "\n  new       {}, {}, {}, {}",
        counted(taken.records, "status record"),
        counted(taken.gaps, "gap"),
        counted(taken.new_receipts, "receipt"),
        counted(taken.audit_rows, "row").replacen("row", "log row", 1),
    );
    if taken.log_lines > 0 {
        text += &format!(
            "\n  logs      {}, which stay in the package's file",
            counted(taken.log_lines, "line")
        );
    }
    if !taken.is_newest {
        text += "\n  older     what the site is now is known from another package";
    }
    list(&mut text, "receipt", &taken.receipts, taken.new_receipts, receipt);
    list(&mut text, "holds", &taken.releases, taken.new_releases, |release| {
        let differs = match release.agrees {
            Some(true) => "",
            Some(false) => ", not as it was signed here",
            None => ", not signed here",
        };
        format!(
            "release {} of {}/{}: {}{differs}",
            number(release.epoch, release.sequence),
            release.product,
            release.channel,
            release.state
        )
    });
    list(&mut text, "fails", &taken.failed, taken.new_failures, |failed| {
        format!(
            "{} on {}: {}, {}, since {}",
            called(failed.application.as_deref(), "deployment", failed.deployment),
            called(failed.target_name.as_deref(), "target", failed.target),
            failed.state,
            failed.signal,
            failed.first
        )
    });
    for noticed in &taken.findings {
        text += &format!(
            "\n  finding   {}: {}\n            {}",
            noticed.code,
            noticed.detail,
            finding_advice(noticed.code)
        );
    }
    for code in &taken.settled {
        text += &format!("\n  settled   {code}");
    }
    text
}

/// What a signed release for the site calls something; nobody else's word is taken for it.
fn called(name: Option<&str>, what: &str, id: Uuid) -> String {
    name.map_or_else(|| format!("{what} {id}"), escape)
}

fn list<T>(text: &mut String, what: &str, items: &[T], all: u64, line: impl Fn(&T) -> String) {
    for item in items.iter().take(SHOWN) {
        *text += &format!("\n  {what:<9} {}", line(item));
    }
    let more = all.saturating_sub(SHOWN as u64);
    if more > 0 {
        *text += &format!("\n  {what:<9} and {more} more");
    }
}

fn receipt(receipt: &ReceiptTold) -> String {
    let why = match (&receipt.class, &receipt.code) {
        (Some(class), Some(code)) => format!(" ({} {})", escape(class), escape(code)),
        _ => String::new(),
    };
    let foreign = if receipt.matched {
        ""
    } else {
        ", not signed here for this site"
    };
    format!(
        "{} on {}: release {} ({}) of {}/{}{why}{foreign}",
        receipt.result,
        receipt.at,
        number(receipt.epoch, receipt.sequence),
        escape(&receipt.version),
        receipt.product,
        receipt.channel,
    )
}

fn number(epoch: u64, sequence: u64) -> Counter {
    Counter { epoch, sequence }
}

//! `airlock scrub`: is what is stored still what was imported?

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::Ui;
use super::damage_view::DamageView;
use super::output_place::{self, Makes};
use super::scope_names::ScopeNames;
use super::site_view::ConfigArgs;
use super::state_folder::StateArgs;
use super::ui::{bytes, escape};
use crate::appliance::REPAIR;
use crate::appliance::care::{Pace, Scrubbed};
use crate::crypto::canonical;
use crate::domain::{Error, Result, counted};
use crate::stream::write_atomically;

/// Hash all stored content anew, no faster than is said, and set aside what is not what was imported
///
/// Damaged content is never served: it goes into evidence/, and what mends it is said, here and in `airlock release list`: the bundle that
/// brought it, imported once more, or a small file with what is damaged alone, which the vendor makes of --report; the command ends with E-STATE
/// (27) then. What the database says of each release is compared with its signed index. One that is stopped goes on with the blob at which
/// it was. Servers, imports and agents go on meanwhile.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  airlock scrub --rate 100\n  nice airlock scrub --rate 0   # as fast as it goes")]
pub(super) struct ScrubArgs {
    /// MiB a second at most; 0: as fast as it goes [default: as the configuration says]
    #[arg(long, value_name = "MIB")]
    rate: Option<u64>,
    /// Begin anew, also where one was stopped
    #[arg(long)]
    restart: bool,
    /// Hash nothing anew: tell what is missing, and what was met damaged before
    #[arg(long, conflicts_with_all = ["rate", "restart"])]
    known: bool,
    /// Write down what is damaged, by digests alone, for `airlock bundle repair` at the vendor; nothing where all is whole
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    state: StateArgs,
}

pub(super) fn run(args: &ScrubArgs, ui: &mut Ui) -> Result<()> {
    if let Some(report) = &args.report {
        output_place::check(report, Makes::DamageReport, [])?;
        output_place::check_outside(report, &args.state.state)?;
    }
    let config = args.config.read()?;
    let pace = match args.rate {
        Some(rate) => Pace::bytes_per_second(rate.saturating_mul(1 << 20)),
        None => config.scrub,
    };
    let appliance = args.state.open_as(&config, ui)?;
    if !args.known {
        // It adds a row.
        appliance.verify_seals()?;
    }
    let scrubbed = if args.known {
        None
    } else {
        let mut progress = |done, total| ui.progress("scrub", done, total);
        Some(appliance.scrub(pace, args.restart, &mut progress)?)
    };
    let damage = DamageView::read(&appliance)?;
    let wrong = if args.known {
        Vec::new()
    } else {
        appliance.wrong_rows()?
    };
    let mut human = scrubbed
        .as_ref()
        .map_or_else(|| "nothing was hashed anew".to_owned(), describe);
    human += &damage.lines(&ScopeNames::read(&appliance, [])?);
    for wrong in &wrong {
        human += &wrong_lines(&wrong.error());
    }
    let report = match &args.report {
        Some(path) => damage.to_report(&appliance)?.zip(Some(path)),
        None => None,
    };
    match &report {
        Some((report, path)) => {
            write_atomically(path, &canonical::to_vec(report), 0o644)?;
            human += &format!(
                "\n{}: carry it to the vendor, whose `airlock bundle repair BUNDLE --report FILE -o FILE` makes what mends it",
                escape(&path.display().to_string())
            );
        }
        None if damage.is_of_content() && args.report.is_none() => human += &format!("\n  or: {REPAIR}"),
        None if args.report.is_some() => human += "\nnothing is damaged: no report was written",
        None => {}
    }
    let mut value = json!({
        "damage": damage.to_json_with_content(), "report": report.map(|(_, path)| path.display().to_string()),
        "wrong_rows": wrong.iter().map(|wrong| json!({"head": wrong.release.head, "rows": wrong.rows})).collect::<Vec<_>>(),
    });
    if let (Some(members), Some(Scrubbed { walk, before })) = (value.as_object_mut(), scrubbed) {
        members.insert("begun_at".into(), json!(walk.begun_at));
        for (name, count) in [
            ("checked", walk.checked),
            ("bytes", walk.bytes),
            ("damaged", walk.damaged),
            ("missing", walk.missing),
            ("resumed_after", before),
        ] {
            members.insert(name.into(), count.into());
        }
    }
    ui.result(&value, human)?;
    damage.check_whole()?;
    match wrong.into_iter().next() {
        None => Ok(()),
        Some(wrong) => Err(wrong.error()),
    }
}

/// Two lines about a release of which the database says something else: what, and what to do.
fn wrong_lines(error: &Error) -> String {
    format!(
        "\nDAMAGED: {}\n  what to do: {}",
        escape(error.found()),
        escape(error.advice().unwrap_or_default())
    )
}

fn describe(scrubbed: &Scrubbed) -> String {
    let Scrubbed { walk, before } = scrubbed;
    let mut human = format!(
        "{} hashed, {} in all: {} set aside, {} missing",
        counted(walk.checked, "blob"),
        bytes(walk.bytes),
        walk.damaged,
        walk.missing
    );
    if *before > 0 {
        human += &format!(" (went on after {before} of a walk begun at {})", walk.begun_at);
    }
    human
}

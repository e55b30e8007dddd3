//! `airlock scrub`: is what is stored still what was imported?

use clap::Args;
use serde_json::json;

use super::Ui;
use super::damage_view::DamageView;
use super::scope_names::ScopeNames;
use super::site_view::ConfigArgs;
use super::state_folder::StateArgs;
use super::ui::bytes;
use crate::appliance::care::Pace;
use crate::domain::{Class, Error, Result, counted};

/// Hash all stored content anew, no faster than is said, and set aside what is not what was imported
///
/// Damaged content is never served: it goes into evidence/, and what mends it is said, here and in `airlock release list`: the bundle that
/// brought it, imported once more; the command ends with E-STATE (27) then. One that is stopped goes on with the blob at which it was. Servers,
/// imports and agents go on meanwhile.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  airlock scrub --rate 100\n  nice airlock scrub --rate 0   # as fast as it goes")]
pub(super) struct ScrubArgs {
    /// MiB a second at most; 0: as fast as it goes [default: as the configuration says]
    #[arg(long, value_name = "MIB")]
    rate: Option<u64>,
    /// Begin anew, also where one was stopped
    #[arg(long)]
    restart: bool,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    state: StateArgs,
}

pub(super) fn run(args: &ScrubArgs, ui: &mut Ui) -> Result<()> {
    let config = args.config.read()?;
    let pace = match args.rate {
        Some(rate) => Pace::bytes_per_second(rate.saturating_mul(1 << 20)),
        None => config.scrub,
    };
    let appliance = args.state.open_as(&config, ui)?;
    // It adds a row.
    appliance.verify_seals()?;
    let mut progress = |done, total| ui.progress("scrub", done, total);
    let scrubbed = appliance.scrub(pace, args.restart, &mut progress)?;
    let walk = scrubbed.walk;
    let damage = DamageView::read(&appliance)?;
    let mut human = format!(
        "{} hashed, {} in all: {} set aside, {} missing",
        counted(walk.checked, "blob"),
        bytes(walk.bytes),
        walk.damaged,
        walk.missing
    );
    if scrubbed.before > 0 {
        human += &format!(
            " (went on after {} of a walk begun at {})",
            scrubbed.before, walk.begun_at
        );
    }
    human += &damage.lines(&ScopeNames::read(&appliance, [])?);
    ui.result(
        &json!({
            "begun_at": walk.begun_at, "checked": walk.checked, "bytes": walk.bytes, "damaged": walk.damaged, "missing": walk.missing,
            "resumed_after": scrubbed.before, "damage": damage.to_json(),
        }),
        human,
    )?;
    // All of it is told, and a timer notices.
    match damage.first() {
        Some(damage) => Err(Error::new(
            Class::State,
            "content-damaged",
            format!("not everything is whole that releases hold: {damage}"),
        )
        .remedy(damage.remedy.clone())),
        None => Ok(()),
    }
}

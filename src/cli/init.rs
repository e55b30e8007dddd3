//! `airlock init`: make an appliance.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::output_place::{self, Makes};
use super::state_folder::StateArgs;
use super::{Ui, trust_file};
use crate::appliance::{NewAppliance, init};
use crate::domain::{Clock as _, Result, SystemClock, shown};
use crate::stream::write_atomically;

/// Make this machine an appliance: identity, databases, pinned roots, enrolment file
///
/// The root file comes from the vendor; its fingerprint is printed here and must be compared with the vendor's by voice or
/// another second channel. Carry the enrolment file back: with it the vendor can address bundles to this site.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  airlock init --trust root.json --site plant-7 --enrolment plant-7.json")]
pub(super) struct InitArgs {
    /// Vendor's chain file; repeat for several vendors
    #[arg(long, value_name = "ROOT.JSON", required = true)]
    trust: Vec<PathBuf>,
    /// Name of this site; it stays local
    #[arg(long, value_name = "NAME")]
    site: String,
    /// Where to write a copy of the enrolment file
    #[arg(long, value_name = "FILE")]
    enrolment: Option<PathBuf>,
    #[command(flatten)]
    state: StateArgs,
}

pub(super) fn run(args: &InitArgs, ui: &mut Ui) -> Result<()> {
    let may_write = |copy: &Path| output_place::check(copy, Makes::Enrolment, args.trust.iter().map(PathBuf::as_path));
    if let Some(copy) = &args.enrolment {
        may_write(copy)?;
    }
    let pins = args
        .trust
        .iter()
        .map(|path| trust_file::read(path))
        .collect::<Result<Vec<_>>>()?;
    let new = NewAppliance {
        name: &args.site,
        pins: &pins,
        now: SystemClock.now(),
    };
    let made = init(&args.state.state, &new).map_err(|error| args.state.advise(error))?;
    let mut enrolment = made.enrolment_path;
    if let Some(copy) = &args.enrolment {
        // Once more: the copy may have been meant for a place that now is the appliance's own.
        let written = may_write(copy).and_then(|()| write_atomically(copy, &made.enrolment, 0o644));
        written.map_err(|error| {
            error.remedy(format!(
                "the appliance is made; copy its enrolment file from {}",
                enrolment.display()
            ))
        })?;
        enrolment.clone_from(copy);
    }
    let roots: Vec<String> = pins.iter().map(trust_file::describe).collect();
    let human = format!(
        "appliance in {}\nsite id      {}\nstatus key   {}\nauthority    {} (SHA-256 of identity/ca.pem, for HTTPS)\nenrolment    {}\n\npinned roots; compare each fingerprint with the vendor by voice before you import:\n\n{}",
        shown(&args.state.state.display().to_string()),
        made.site,
        made.status_key.spoken(),
        made.authority,
        shown(&enrolment.display().to_string()),
        roots.join("\n\n"),
    );
    ui.result(
        &json!({
            "state": args.state.state, "site": made.site, "status_key": made.status_key, "authority": made.authority, "enrolment": enrolment,
            "roots": pins.iter().map(trust_file::to_json).collect::<Vec<_>>(),
        }),
        human,
    )
}

//! `airlock init`: make an appliance.

use std::path::{Path, PathBuf, absolute};

use clap::Args;
use serde_json::json;

use super::output_place::{self, Makes};
use super::site_view::ConfigArgs;
use super::state_folder::StateArgs;
use super::ui::escape;
use super::{Ui, approval_rule, trust_file};
use crate::appliance::{NewAppliance, init};
use crate::domain::{Class, Clock as _, Error, Result, SystemClock, shown};
use crate::stream::write_atomically;

/// Make this machine an appliance: identity, databases, pinned roots, enrolment file
///
/// The root file comes from the vendor; its fingerprint is printed here and must be compared with the vendor's by voice or
/// another second channel. Carry the enrolment file back: with it the vendor can address bundles to this site. Each vendor gets a file of
/// its own, which names no other.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  airlock init --trust root.json --site plant-7 --enrolment plant-7.json")]
pub(super) struct InitArgs {
    /// Vendor's chain file; repeat for several vendors
    #[arg(long, value_name = "ROOT.JSON", required = true)]
    trust: Vec<PathBuf>,
    /// Name of this site; it stays local
    #[arg(long, value_name = "NAME")]
    site: String,
    /// Where to write a copy of the enrolment file; of several vendors, once for each --trust, in their order. The files of those without one
    /// are in outbox/ of the state folder
    #[arg(long, value_name = "FILE")]
    enrolment: Vec<PathBuf>,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    state: StateArgs,
}

pub(super) fn run(args: &InitArgs, ui: &mut Ui) -> Result<()> {
    let may_write = |copy: &Path| output_place::check(copy, Makes::Enrolment, args.trust.iter().map(PathBuf::as_path));
    if args.enrolment.len() > args.trust.len() {
        return Err(Error::new(
            Class::Usage,
            "enrolments",
            format!(
                "--enrolment was given {} times and --trust {} times",
                args.enrolment.len(),
                args.trust.len()
            ),
        )
        .expected("a file for each vendor at most")
        .remedy(
            "give --enrolment once for each --trust at most, in their order: the files of the others are in outbox/",
        ));
    }
    for (number, copy) in args.enrolment.iter().enumerate() {
        may_write(copy)?;
        let same = |other: &PathBuf| absolute(other).ok() == absolute(copy).ok();
        if args.enrolment.iter().take(number).any(same) {
            return Err(Error::new(
                Class::Usage,
                "enrolments",
                format!("--enrolment names {} for two vendors", copy.display()),
            )
            .expected("a file for each vendor")
            .remedy("name another file for each; nothing was made"));
        }
    }
    let config = args.config.read()?;
    let pins = args
        .trust
        .iter()
        .map(|path| trust_file::read_first(path))
        .collect::<Result<Vec<_>>>()?;
    let new = NewAppliance {
        name: &args.site,
        pins: &pins,
        now: SystemClock.now(),
    };
    let made = init(&args.state.state, &new).map_err(|error| args.state.advise(error))?;
    if config.export.approvals.is_some() {
        let appliance = args.state.open_as(&config, ui)?;
        approval_rule::asked(&appliance, &config.export, ui)?;
    }
    let mut places: Vec<PathBuf> = made.enrolments.iter().map(|file| file.path.clone()).collect();
    for ((copy, file), place) in args.enrolment.iter().zip(&made.enrolments).zip(&mut places) {
        // Once more: the copy may have been meant for a place that now is the appliance's own.
        let written = may_write(copy).and_then(|()| write_atomically(copy, &file.bytes, 0o644));
        written.map_err(|error| {
            error.remedy(format!(
                "the appliance is made; copy its enrolment file from {}",
                place.display()
            ))
        })?;
        place.clone_from(copy);
    }
    let enrolments: Vec<String> = pins
        .iter()
        .zip(&places)
        .map(|(pin, place)| {
            let (place, vendor) = (shown(&place.display().to_string()), escape(&pin.newest().vendor));
            format!("enrolment    {place} (for {vendor} alone)")
        })
        .collect();
    let roots: Vec<String> = pins.iter().map(trust_file::describe).collect();
    let human = format!(
        "appliance in {}\nsite id      {}\nstatus key   {}\nauthority    {} (SHA-256 of identity/ca.pem, for HTTPS)\n{}\n\npinned roots; compare each fingerprint with the vendor by voice before you import:\n\n{}",
        shown(&args.state.state.display().to_string()),
        made.site,
        made.status_key.spoken(),
        made.authority,
        enrolments.join("\n"),
        roots.join("\n\n"),
    );
    ui.result(
        &json!({
            "state": args.state.state, "site": made.site, "status_key": made.status_key, "authority": made.authority,
            "enrolments": made.enrolments.iter().zip(&places).map(|(file, place)| json!({"domain": file.domain, "file": place})).collect::<Vec<_>>(),
            "roots": pins.iter().map(trust_file::to_json).collect::<Vec<_>>(),
        }),
        human,
    )
}

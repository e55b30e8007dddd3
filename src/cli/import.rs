//! `airlock import`: take a bundle in.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::advice::quoted;
use super::bundle_opening::told;
use super::confirm::confirm;
use super::damage_view::damaged_content;
use super::release_plan::{Next, PlanView};
use super::scope_names::ScopeNames;
use super::state_folder::{StateArgs, by_root};
use super::ui::escape;
use super::waiting_view::{commands, missing_json};
use super::{Ui, head_view, heard_view, hidden, signature_file};
use crate::appliance::fleet::FleetNow;
use crate::appliance::secret::lacks;
use crate::appliance::{Event, Imported, Options, Outcome, Restored};
use crate::config::{Activation, Config};
use crate::db::site::release::Activated;
use crate::domain::{DocumentType, Error, Result, SystemClock, Timestamp, counted};
use crate::media;

/// Verify a bundle, store it, and make its release live
///
/// Everything is checked in a fixed order, from signatures to the last byte; a refusal changes nothing and is recorded. An
/// interrupted import goes on where it stopped. Importing a
/// bundle again is harmless: what is missing or damaged of its release, live or not, is restored from it, also when it expired.
///
/// What changes is said before it does: from which release to which, room on the disk, what agents start, update in place and delete, names,
/// secrets; --dry-run says the same. Where agents are taken something away, that is asked on a terminal, before the large content is read.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  airlock import /media/usb\n  airlock import release-7.airlock --dry-run\n  diode-receive | airlock import -"
)]
#[expect(clippy::struct_excessive_bools, reason = "options of the command line")]
pub(super) struct ImportArgs {
    /// Bundle file, folder with exactly one bundle or its volumes in it, named pipe, or - for standard input; or volumes one by one, in any
    /// order: what came of them is kept, and the one that is missing is asked for
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<PathBuf>,
    /// Run every check and keep nothing but an audit row
    #[arg(long)]
    dry_run: bool,
    /// Do not ask where agents are taken something away
    #[arg(long)]
    yes: bool,
    /// Make the release live also where the configuration says `activation = "manual"`
    #[arg(long, conflicts_with = "no_activate")]
    activate: bool,
    /// Leave the release available; make it live later with `airlock release activate`
    #[arg(long)]
    no_activate: bool,
    /// Configuration file [default: /etc/airlock/airlock.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Detached signature file that belongs to the bundle; may repeat
    #[arg(long, value_name = "FILE")]
    signatures: Vec<PathBuf>,
    /// Confirm today's date, where the clock is years ahead or a bundle's date lies ahead of the clock: YYYY-MM-DDTHH:MM:SSZ, or with an
    /// offset, or a day (its start in UTC). What has expired by a clock that may be right stays refused. The audit log has it
    #[arg(long, value_name = "TIME", value_parser = Timestamp::of_person)]
    date: Option<Timestamp>,
    /// Seconds in which a pipe must bring 64 KiB
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    stall_secs: u64,
    #[command(flatten)]
    state: StateArgs,
}

/// What this user may not read, on a medium of somebody else's, root may; and root may not work in the state folder of this user.
fn read_by_root(error: Error) -> Error {
    let cause = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<io::Error>());
    let is_denied = cause.is_some_and(|cause| cause.kind() == io::ErrorKind::PermissionDenied);
    if !is_denied {
        return error;
    }
    let prefix = by_root(rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    error.remedy(format!(
        "mount the medium so that this user may read it (`uid=` of FAT and exFAT), or let root read it: cat FILE | {prefix} airlock import -"
    ))
}

pub(super) fn run(args: &ImportArgs, ui: &mut Ui) -> Result<()> {
    let config = Config::read(args.config.as_deref())?;
    let manual = config.activation == Activation::Manual && !args.activate;
    let appliance = args.state.open_as(&config, ui)?;
    let mut signatures = Vec::new();
    for path in &args.signatures {
        signatures.extend(signature_file::read_signatures(path)?);
    }
    let options = Options {
        dry_run: args.dry_run,
        keep_inactive: args.no_activate || manual,
        accept: config.accept,
        confirmed_date: args.date,
        signatures,
    };
    let open = || media::open_all(&args.sources, Some(Duration::from_secs(args.stall_secs))).map_err(read_by_root);
    // Whatever a bundle may do to this process, it opens no connection and starts no program.
    crate::confine::no_network()?;
    let now = FleetNow::read(&appliance);
    let (mut brings_acknowledgement, mut release) = (false, None);
    let mut root = None;
    let imported = appliance
        .import(open, &options, &SystemClock, &mut |event| match event {
            Event::Head(signed) => {
                let head = signed.head();
                brings_acknowledgement = head.document(DocumentType::Acknowledgement).is_some();
                release = Some((head.scope(), head.counter(), head.version.clone()));
                ui.say(head_view::headline(head));
            }
            Event::Root { from, chain } => {
                let (to, fingerprint) = (chain.newest().version, chain.fingerprint());
                ui.say(format_args!(
                    "trust root of {}: {from} → {to}, signed by the root keys before, {} {}; fingerprint {}",
                    escape(&chain.newest().vendor),
                    if args.dry_run {
                        "would hold until"
                    } else {
                        "holds until"
                    },
                    chain.newest().expires,
                    fingerprint.spoken()
                ));
                root = Some(
                    json!({"from": from, "to": to, "fingerprint": fingerprint, "expires": chain.newest().expires}),
                );
            }
            Event::Plan {
                plan,
                goes_live,
                refuse,
            } => {
                let Some((scope, counter, version)) = &release else {
                    return;
                };
                let told = ScopeNames::read(&appliance, [scope]).map(|names| names.of(scope));
                let called = told.unwrap_or_else(|_| scope.to_string());
                let view = PlanView::new(&now, scope, plan);
                let next = Next {
                    counter: *counter,
                    version,
                    called: &called,
                };
                if !goes_live {
                    ui.say("what changes once it is live:");
                }
                view.say(&next, &plan.secrets.made_anew, ui);
                if goes_live && view.removes() && io::stdin().is_terminal() {
                    *refuse = confirm(ui, args.yes, &again(args)).err();
                }
            }
            Event::Note(note) => ui.say(escape(&note)),
            Event::Checked { done, total } => ui.progress("check", done, total),
            Event::Rebuilding { done, total } => ui.progress("rebuilding", done, total),
            Event::Progress { done, total } => ui.progress("import", done, total),
        })
        .map_err(|error| told(error, &args.sources))?;
    for warning in &imported.warnings {
        ui.warn(warning);
    }
    if let Some(heard) = &imported.acknowledgement {
        heard_view::warn(heard, ui);
        if let Err(error) = &heard.outcome {
            ui.warn(format_args!(
                "the acknowledgement in the bundle was refused and frees nothing; the release is as good as without it: {error}"
            ));
        }
    }
    let view = imported
        .plan
        .as_ref()
        .map(|plan| PlanView::new(&now, &imported.scope, plan));
    if let Some(view) = view.as_ref().filter(|_| args.dry_run) {
        view.warn(ui);
    }
    let scope = ScopeNames::read(&appliance, [&imported.scope])?.of(&imported.scope);
    if args.dry_run && brings_acknowledgement {
        ui.say("it brings an acknowledgement of what this site sent, which an import applies where it is good");
    }
    let inactive = if args.no_activate {
        Some("--no-activate")
    } else {
        manual.then_some("activation = \"manual\" in the configuration")
    };
    report(&imported, &scope, args.dry_run, inactive, (view.as_ref(), root), ui)?;
    match &imported.result {
        Outcome::Already(restored) if restored.lost > 0 => Err(damaged_content(&format!(
            "{} of release {} of {}, which this bundle does not carry, {} still damaged",
            counted(restored.lost, "blob"),
            imported.counter,
            imported.scope,
            if restored.lost == 1 { "is" } else { "are" }
        ))),
        _ => Ok(()),
    }
}

/// The command as it was given, as far as it has no place of its own in an advice.
fn again(args: &ImportArgs) -> String {
    let sources = args
        .sources
        .iter()
        .map(|source| quoted(&escape(&source.to_string_lossy())));
    let activate = if args.activate { " --activate" } else { "" };
    format!("airlock import {}{activate}", sources.collect::<Vec<_>>().join(" "))
}

fn report(
    imported: &Imported,
    scope: &str,
    dry_run: bool,
    inactive: Option<&str>,
    (view, root): (Option<&PlanView<'_>>, Option<serde_json::Value>),
    ui: &mut Ui,
) -> Result<()> {
    let name = format!(
        "release {} ({}) of {}",
        imported.counter,
        escape(&imported.version),
        scope
    );
    let missing = &imported.missing[..];
    let (result, live, held, human) = match &imported.result {
        Outcome::Already(restored) => (
            "already",
            None,
            None,
            format!("{name} was imported before; {}", restored_human(restored, dry_run)),
        ),
        Outcome::DryRun { held } => {
            let human = match held {
                None if !missing.is_empty() => format!(
                    "{name} would be imported and not go live, nothing was kept: it {}",
                    escape(&lacks(missing))
                ),
                None => match inactive {
                    None => format!("{name} would be imported and go live: every check passed, nothing was kept"),
                    Some(why) => {
                        format!(
                            "{name} would be imported and not go live ({why}): every check passed, nothing was kept"
                        )
                    }
                },
                Some(held) => format!("{name} would be imported and not go live, nothing was kept: {held}"),
            };
            ("dry-run", None, held.as_ref(), human)
        }
        Outcome::Published {
            receipt,
            activated,
            held,
            ..
        } => {
            let live = match (activated, held) {
                (Some(Activated::Now { .. }), _) => "and is live".to_owned(),
                (Some(Activated::Already), _) => "and was live already".to_owned(),
                (None, None) if !missing.is_empty() => {
                    format!("and is available: it {}", escape(&lacks(missing)))
                }
                (None, None) => format!(
                    "and is available; make it live with `airlock release activate {}`",
                    imported.head.to_hex().get(..16).unwrap_or_default()
                ),
                (None, Some(held)) => format!("and is available: {held}"),
            };
            (
                "imported",
                Some(activated.is_some()),
                held.as_ref(),
                format!("{name} is imported {live}; receipt {receipt}"),
            )
        }
    };
    let mut value = json!({
        "result": result, "product": imported.scope.product, "channel": imported.scope.channel, "domain": imported.scope.domain,
        "epoch": imported.counter.epoch, "sequence": imported.counter.sequence, "version": imported.version, "head": imported.head,
    });
    if let (Some(members), Some(root)) = (value.as_object_mut(), root) {
        members.insert("root".into(), root);
    }
    if let (
        Some(members),
        Outcome::Published {
            receipt, resumed_bytes, ..
        },
    ) = (value.as_object_mut(), &imported.result)
    {
        members.insert("receipt".into(), (*receipt).into());
        members.insert("resumed_bytes".into(), (*resumed_bytes).into());
        members.insert("active".into(), live.into());
    }
    if let (Some(members), Outcome::Already(restored)) = (value.as_object_mut(), &imported.result) {
        members.insert("dry_run".into(), dry_run.into());
        members.insert("restored_blobs".into(), restored.blobs.into());
        members.insert("restored_rows".into(), restored.rows.into());
        members.insert("restored_head".into(), restored.signed_head.into());
        members.insert("still_damaged".into(), restored.lost.into());
        if let Some(receipt) = restored.receipt {
            members.insert("receipt".into(), receipt.into());
        }
    }
    let needed = &imported.needed;
    if let Some(members) = value.as_object_mut() {
        if let Some(heard) = &imported.acknowledgement {
            members.insert("acknowledgement".into(), heard_view::to_json(heard));
        }
        members.insert("needs".into(), needed.blobs.into());
        members.insert("needed_bytes".into(), needed.bytes.into());
        if let Some(held) = held {
            members.insert("held".into(), held.to_json());
        }
        members.insert("kept_inactive".into(), inactive.into());
        members.insert("hidden".into(), hidden::to_json(&imported.hidden));
        members.insert("waits_for".into(), missing_json(missing));
        members.extend(view.map(PlanView::members).unwrap_or_default());
    }
    let mut human = human + &hidden::lines(&imported.hidden);
    human += &commands(missing);
    if needed.blobs > 0 {
        human += &format!(
            "\nbuilds on {} of earlier bundles ({}): hashed and whole",
            counted(needed.blobs, "blob"),
            super::ui::bytes(needed.bytes)
        );
    }
    // An import has said it before.
    if let (Some(view), Some(plan), true) = (view, &imported.plan, dry_run) {
        let next = Next {
            counter: imported.counter,
            version: &imported.version,
            called: scope,
        };
        human += "\nwhat changes once it is live:";
        for line in view.lines(&next, &plan.secrets.made_anew) {
            human += &format!("\n{line}");
        }
    }
    if let Some(heard) = &imported.acknowledgement {
        human += &format!("\n{}", heard_view::describe(heard));
    }
    ui.result(&value, human)
}

/// Says what of a release that is here was, or would be, restored.
fn restored_human(restored: &Restored, dry_run: bool) -> String {
    let mut what = Vec::new();
    if restored.blobs > 0 {
        what.push(counted(restored.blobs, "blob"));
    }
    if restored.signed_head {
        what.push("its signed head".to_owned());
    }
    if restored.rows > 0 {
        what.push(format!("{} of the database", counted(restored.rows, "row")));
    }
    let what = what.join(" and ");
    let mut text = match (what.is_empty(), dry_run, restored.receipt) {
        (true, ..) if restored.lost > 0 => "it carries nothing of what is damaged".to_owned(),
        (true, ..) => "nothing to do".to_owned(),
        (false, true, _) => format!("would restore {what}, nothing was kept"),
        (false, false, Some(receipt)) => format!("restored {what}; receipt {receipt}"),
        (false, false, None) => format!("restored {what}"),
    };
    if restored.lost > 0 {
        text += &match restored.lost {
            1 => "; 1 blob that this bundle does not carry is still damaged".to_owned(),
            lost => format!("; {lost} blobs that this bundle does not carry are still damaged"),
        };
    }
    text
}

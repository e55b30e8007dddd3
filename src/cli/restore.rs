//! `airlock restore`: puts a backup of an appliance back, as another life of it.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::Ui;
use super::advice::quoted;
use super::backup_passphrase::BackupPassphraseArgs;
use super::confirm::confirm;
use super::site_view::ConfigArgs;
use super::state_folder::StateArgs;
use super::ui::escape;
use crate::appliance::care::{Newer, Restore, SiteFacts};
use crate::backup::{Kind, peek};
use crate::domain::{Clock as _, Name, Result, SystemClock, counted};

/// Put a backup of the appliance back into a new or empty folder, as another life of it
///
/// The backup is read to its end before anything is written, and what is put back is whole or not there. What was imported, pinned, connected
/// or ended since it was made is not in it. Where the folder that was in use is still there, or a newer backup, name it with --against:
/// numbers, times and roots that had come further are taken over, so that no older release comes in again.
///
/// Agents go on with their tokens where the address is the old one. Vendors are told that another life began.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  airlock restore plant-7.backup --state /var/lib/airlock\n  \
                  airlock restore plant-7.backup --state /var/lib/airlock --against /var/lib/airlock.broken"
)]
pub(super) struct RestoreArgs {
    /// The backup
    backup: PathBuf,
    /// The state folder that was in use, or a newer backup with the same passphrase (may repeat)
    #[arg(long, value_name = "PATH")]
    against: Vec<PathBuf>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    passphrase: BackupPassphraseArgs,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    state: StateArgs,
}

pub(super) fn run(args: &RestoreArgs, ui: &mut Ui) -> Result<()> {
    let config = args.config.read()?;
    // What is no backup, or a newer one, is told before anybody is asked.
    peek(&args.backup)?;
    let passphrase = args.passphrase.of(&args.backup)?;
    let mut restore = Restore::read(&args.backup, &passphrase, &args.against, &mut |done, total| {
        ui.progress("check", done, total);
    })?;
    let facts = restore.facts.clone();
    ui.say(format_args!(
        "{}, made {}, {}\n{}",
        Kind::Site,
        restore.made_at,
        counted(restore.files, "file"),
        said(&facts).1
    ));
    let asked = config.export.approvals;
    for lines in [
        turned_back(&facts, &restore.newer),
        unknown(&facts, &config.accept),
        fewer(&facts, &restore.newer, asked),
    ] {
        for line in lines {
            ui.warn(line);
        }
    }
    if args.against.is_empty() {
        ui.warn(format_args!(
            "nothing was compared: releases that were imported since {} count as never seen, and roots, secrets and credentials are as of then; \
             what is left of the folder before, or a newer backup, is compared with --against PATH",
            restore.made_at
        ));
    }
    ui.say(
        "targets, secrets of targets and credentials that were made or ended since are as they were; the appliance begins another life, and what no \
         vendor has acknowledged is told again",
    );
    let words = |path: &PathBuf| quoted(&escape(&path.display().to_string()));
    let mut against = String::new();
    for path in &args.against {
        against += &format!(" --against {}", words(path));
    }
    confirm(
        ui,
        args.yes,
        &format!(
            "airlock restore {} --state {}{against}{}",
            words(&args.backup),
            words(&args.state.state),
            args.passphrase.words()
        ),
    )?;
    let restored = restore
        .put_back(&args.state.state, SystemClock.now(), &mut |done, total| {
            ui.progress("restore", done, total);
        })
        .map_err(|error| args.state.advise(error))?;
    let content = if facts.content {
        ""
    } else {
        "\ncontent      was left out: import the bundles of the live releases again (airlock release list)"
    };
    ui.result(
        &json!({
            "state": restored.folder, "site": facts.site, "instance": restored.instance, "made_at": restore.made_at,
            "files": restore.files, "bytes": restore.bytes, "content": facts.content, "taken_over": taken_over(&restore.newer),
            "rows_lost": restore.newer.rows,
        }),
        format_args!(
            "appliance in {}\nsite         {} ({})\ninstance     {}{content}",
            escape(&restored.folder.display().to_string()),
            escape(&facts.name),
            facts.site,
            restored.instance,
        ),
    )
}

/// What a backup says of a site, for machines and for people.
pub(super) fn said(facts: &SiteFacts) -> (Value, String) {
    let mut lines = format!(
        "site         {} ({})\ninstance     {}\nlog          {}\ncontent      {}",
        escape(&facts.name),
        facts.site,
        facts.instance,
        counted(facts.rows, "row"),
        if facts.content { "yes" } else { "left out" },
    );
    for vendor in &facts.vendors {
        lines += &format!(
            "\nvendor       {}, root {}, trust domain {}",
            escape(&vendor.vendor),
            vendor.version,
            vendor.domain
        );
    }
    for fact in &facts.scopes {
        lines += &format!(
            "\nnewest       {} of {}",
            fact.counter(),
            escape(&fact.scope().to_string())
        );
    }
    (json!({"kind": Kind::Site, "facts": facts}), lines)
}

/// What others know that the backup does not.
fn turned_back(facts: &SiteFacts, newer: &Newer) -> Vec<String> {
    let mut lines = Vec::new();
    for mark in &newer.marks {
        let from = mark.from.map_or("never imported".to_owned(), |from| {
            format!("as of release {}", from.counter)
        });
        lines.push(format!(
            "{}: the backup is {from}, and release {} was imported since; nothing below that comes in again, and its bundle is to be imported again",
            escape(&mark.scope.to_string()),
            mark.to.counter,
        ));
    }
    let name = |domain| {
        let vendor = facts.vendors.iter().find(|vendor| vendor.domain == domain);
        vendor.map_or_else(|| domain.to_string(), |vendor| escape(&vendor.vendor))
    };
    for (domain, floor) in &newer.floors {
        lines.push(format!(
            "{}: its statements have proven that it is {floor} or later; that is taken over",
            name(*domain)
        ));
    }
    for root in &newer.roots {
        let vendor = escape(&root.vendor);
        lines.push(match root.from {
            None => format!(
                "{vendor} was pinned since: pin it again with `airlock trust add ROOT --fingerprint HEX`, after comparing by voice"
            ),
            Some(_) if root.is_taken_over() => format!("{vendor}: its root {} is taken over", root.to),
            Some(from) => format!(
                "{vendor}: trust goes back from root {} to root {from}, and keys that were withdrawn since count until its next bundle, or its \
                 newest root by `airlock trust add ROOT --fingerprint HEX`",
                root.to
            ),
        });
    }
    if let Some(approvals) = newer.approvals {
        lines.push(format!(
            "what leaves needs {}, as there and not as in the backup: that is taken over",
            counted(approvals, "approval")
        ));
    }
    if newer.rows > 0 {
        lines.push(format!(
            "the log of the other one has {} that the backup does not have: keep it",
            counted(newer.rows, "row")
        ));
    }
    lines.extend(newer.unread.iter().map(|what| format!("could not be compared: {what}")));
    lines
}

/// What the configuration accepts and the backup never heard of.
fn unknown(facts: &SiteFacts, accept: &[(Name, Name)]) -> Vec<String> {
    let is_known = |accepted: &(Name, Name)| {
        let mut scopes = facts.scopes.iter();
        scopes.any(|fact| fact.product == accepted.0 && fact.channel == accepted.1)
    };
    accept
        .iter()
        .filter(|accepted| !is_known(accepted))
        .map(|(product, channel)| {
            format!(
                "the configuration accepts {product}/{channel}, of which this backup has never imported: a newer one may know it"
            )
        })
        .collect()
}

/// What of what leaves is approved by fewer people than before.
fn fewer(facts: &SiteFacts, newer: &Newer, asked: Option<u64>) -> Vec<String> {
    let before = newer.approvals.unwrap_or(facts.approvals);
    match asked {
        Some(asked) if asked < before => vec![format!(
            "what leaves this site needed {}, and the configuration here asks for {asked}: put /etc/airlock back before anything is exported",
            counted(before, "approval")
        )],
        None if before > 0 => vec![format!(
            "what leaves this site needs {}, and the configuration here does not say whose: put /etc/airlock back before anything is exported",
            counted(before, "approval")
        )],
        _ => Vec::new(),
    }
}

fn taken_over(newer: &Newer) -> Value {
    let marks = newer.marks.iter().map(|mark| {
        json!({
            "domain": mark.scope.domain, "product": mark.scope.product, "channel": mark.scope.channel,
            "epoch": mark.to.counter.epoch, "sequence": mark.to.counter.sequence, "head": mark.to.head,
        })
    });
    let roots = newer.roots.iter().filter(|root| root.is_taken_over());
    let roots = roots.map(|root| json!({"domain": root.domain, "version": root.to}));
    json!({
        "marks": marks.collect::<Vec<_>>(),
        "floors": newer.floors.iter().map(|(domain, floor)| json!({"domain": domain, "floor": floor})).collect::<Vec<_>>(),
        "roots": roots.collect::<Vec<_>>(),
        "approvals": newer.approvals,
    })
}

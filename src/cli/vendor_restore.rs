//! `airlock vendor restore`: puts a backup of a workspace back.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::advice::quoted;
use super::backup_passphrase::BackupPassphraseArgs;
use super::confirm::confirm;
use super::ui::{Ui, escape};
use crate::backup::{Kind, peek};
use crate::domain::{Clock as _, Result, SystemClock, counted};
use crate::vendor_side::{WorkspaceFacts, WorkspaceRestore};

#[derive(Debug, Args)]
pub(super) struct VendorRestoreArgs {
    /// The backup
    backup: PathBuf,
    /// The workspace that was in use, or a newer backup with the same passphrase (may repeat)
    #[arg(long, value_name = "PATH")]
    against: Vec<PathBuf>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    passphrase: BackupPassphraseArgs,
    /// The workspace to make: a new or empty folder
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub(super) fn restore(args: &VendorRestoreArgs, ui: &mut Ui) -> Result<()> {
    // What is no backup, or a newer one, is told before anybody is asked.
    peek(&args.backup)?;
    let passphrase = args.passphrase.of(&args.backup)?;
    let mut restore = WorkspaceRestore::read(&args.backup, &passphrase, &args.against, &mut |done, total| {
        ui.progress("check", done, total);
    })?;
    ui.say(format_args!(
        "{}, made {}, {}\n{}",
        Kind::Workspace,
        restore.made_at,
        counted(restore.files, "file"),
        said(&restore.facts).1
    ));
    for (scope, from, to) in &restore.numbers {
        let from = from.map_or("knows none".to_owned(), |from| format!("ends with {from}"));
        ui.warn(format_args!(
            "{}: release {to} was signed since, and the backup {from}: take the bundles in with `airlock vendor ledger learn *.airlock -w {}` before \
             anything is signed",
            escape(&scope.to_string()),
            quoted(&escape(&args.folder.display().to_string()))
        ));
    }
    if let Some(version) = restore.root {
        ui.warn(format_args!(
            "trust goes back from root {version} to root {}: put the newer root.json and its keys in place before anything is signed",
            restore.facts.version
        ));
    }
    for what in &restore.unread {
        ui.warn(format_args!("could not be compared: {what}"));
    }
    if !restore.is_all {
        ui.warn(format_args!(
            "what was signed since {} is not known, unless it is said above: the next release of each product and channel is refused until its newest \
             one was taken in with `airlock vendor ledger learn BUNDLE`, or its number is said with --sequence; the workspace that was in use is compared with \
             --against PATH",
            restore.made_at
        ));
    }
    let words = |path: &PathBuf| quoted(&escape(&path.display().to_string()));
    let mut against = String::new();
    for path in &args.against {
        against += &format!(" --against {}", words(path));
    }
    confirm(
        ui,
        args.yes,
        &format!(
            "airlock vendor restore {} {}{against}{}",
            words(&args.backup),
            words(&args.folder),
            args.passphrase.words()
        ),
    )?;
    let workspace = restore.put_back(&args.folder, SystemClock.now(), &mut |done, total| {
        ui.progress("restore", done, total);
    })?;
    let place = workspace.folder().display().to_string();
    let numbers = restore.numbers.iter().map(|(scope, _, to)| {
        json!({
            "domain": scope.domain, "product": scope.product, "channel": scope.channel, "epoch": to.epoch, "sequence": to.sequence,
        })
    });
    ui.result(
        &json!({
            "workspace": place, "domain": restore.facts.domain, "made_at": restore.made_at, "files": restore.files,
            "signed_since": numbers.collect::<Vec<_>>(),
        }),
        format_args!(
            "workspace    {}\ntrust root   {} of {}",
            escape(&place),
            restore.facts.version,
            escape(&restore.facts.vendor)
        ),
    )
}

/// What a backup says of a workspace, for machines and for people.
pub(super) fn said(facts: &WorkspaceFacts) -> (Value, String) {
    let mut lines = format!(
        "vendor       {}, root {}, trust domain {}\nlog          {}",
        escape(&facts.vendor),
        facts.version,
        facts.domain,
        counted(facts.rows, "row")
    );
    for fact in &facts.numbers {
        lines += &format!(
            "\nsigned up to {} of {}",
            fact.counter(),
            escape(&fact.scope().to_string())
        );
    }
    (json!({"kind": Kind::Workspace, "facts": facts}), lines)
}

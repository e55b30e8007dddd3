//! `airlock approve`: somebody at the site agrees that a package may leave.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::passphrase::PassphraseArgs;
use super::site_view::ConfigArgs;
use super::state_folder::StateArgs;
use super::ui::escape;
use super::{Ui, approval_rule, site_keys_file};
use crate::appliance::Appliance;
use crate::crypto::{Key, LOST_PASSPHRASE, open_key};
use crate::db::site::packages;
use crate::domain::{Class, Error, Hash, Result, counted};
use crate::media;
use crate::package::OpenedPackage;

/// Digits of a head digest that say which draft is meant.
const DIGITS: usize = 8;

/// Approve the draft of a status package: exactly these bytes may leave
///
/// Look at it before with `airlock status preview --lines`: what is approved is the head digest that it names. Whose approvals count, and how
/// many are needed, is said under [export] in the configuration (`keys`, `approvals`). The approval stands in the package, so that a guard at
/// the boundary can check it (`airlock status verify --site-keys`), and in the audit log.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  airlock approve 46b73742 --key /media/erika/approver.pem
  airlock approve /mnt/review/46b73742…airlock-status --key approver.pem
A key, and its line for the file of the site's keys, {\"keys\":[KEY...]}, which the refusal says
while it is missing there:
  openssl genpkey -algorithm ed25519 -out approver.pem && chmod 600 approver.pem
  airlock approve 46b73742 --key approver.pem")]
pub(super) struct ApproveArgs {
    /// The head digest of the draft, or 8 or more of its first digits; or a copy of its file
    #[arg(value_name = "DRAFT")]
    draft: PathBuf,
    /// Private key file of the site's role
    #[arg(long, value_name = "PEM")]
    key: PathBuf,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    state: StateArgs,
}

pub(super) fn run(args: &ApproveArgs, ui: &mut Ui) -> Result<()> {
    let config = args.config.read()?;
    let appliance = args.state.open_as_to_change(&config, "approve", ui)?;
    let head = head_of(&args.draft, &appliance)?;
    let mut asker = args.passphrase.asker();
    let key = open_key(&args.key, &mut |path| asker.ask(path)).map_err(|error| match error.advice() {
        // What a vendor does about it is not what a site does.
        Some(LOST_PASSPHRASE) => {
            error.remedy("give the passphrase that it was saved with; where it is lost, make another key, and put that into the file of the site's keys")
        }
        _ => error,
    })?;
    let keys = site_keys_file::read(&config.export.keys).map_err(|error| {
        // Whoever approves for the first time is told what has to stand there.
        error.remedy(format!(
            "let the file {} hold the keys of those who approve; with this one alone: {{\"keys\":[{}]}}",
            config.export.keys.display(),
            Key::of(key.public()).line()
        ))
    })?;
    let asked = approval_rule::asked(&appliance, &config.export, ui)?;
    let approved = appliance.approve(head, &keys, &key)?;
    let (there, needed) = (approved.good.len() as u64, asked.max(approved.row.approvals));
    let mut human = format!(
        "package {} {} with key {}\nhead         {head}\napprovals    {there} of {needed} that are needed",
        approved.row.number,
        if approved.already {
            "was approved already"
        } else {
            "approved"
        },
        key.public().id(),
    );
    if there >= needed {
        human += &format!("\nit may leave: `airlock status export DEST --digest {}`", short(head));
    } else {
        human += &format!("\n{} to go", counted(needed - there, "approval"));
    }
    ui.result(
        &json!({
            "result": if approved.already { "already" } else { "approved" }, "head": head, "number": approved.row.number, "domain": approved.row.domain, "key": key.public().id(),
            "approvals": {"there": approved.good, "needed": needed},
        }),
        human,
    )
}

fn short(head: Hash) -> String {
    head.to_hex().chars().take(DIGITS).collect()
}

/// Finds the draft that is meant: by digits of its head digest, or by what a file says.
fn head_of(draft: &Path, appliance: &Appliance) -> Result<Hash> {
    let word = draft.to_string_lossy();
    if word.len() < DIGITS || !word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return Ok(OpenedPackage::open(media::open(draft, None)?.input)?.head_digest());
    }
    let heads = appliance.db.read(packages::heads)?;
    let meant: Vec<&Hash> = heads.iter().filter(|head| head.to_hex().starts_with(&*word)).collect();
    if let [head] = meant[..] {
        return Ok(*head);
    }
    Err(Error::new(
        Class::Policy,
        "digest-mismatch",
        format!(
            "{} have a head digest that begins with {}",
            counted(meant.len() as u64, "package"),
            escape(&word)
        ),
    )
    .expected("one")
    .remedy("look at what would leave with `airlock status preview`, which names the digest"))
}

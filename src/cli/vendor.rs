//! `airlock vendor`: a vendor's workspace, the sites it knows, its trust.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::advice::quoted;
use super::confirm::confirm;
use super::file_kind::Door;
use super::passphrase::PassphraseArgs;
use super::times::{RootTimes, in_years};
use super::ui::{Ui, escape};
use super::vendor_backup::{self, VendorBackupArgs};
use super::vendor_ledger::{self, LedgerCommand};
use super::vendor_release::{self, ReleaseFileCommand};
use super::vendor_restore::{self, VendorRestoreArgs};
use super::vendor_trust::{self, TrustCommand};
use super::workspace_folder::WorkspaceArgs;
use crate::crypto::{ENROLMENT_BYTES, Enrolment};
use crate::db::ledger::{self, Recorded, Replacement, findings};
use crate::domain::{Class, Clock as _, Error, Name, Result, SystemClock, counted};
use crate::stream::{open_named, read_bounded};
use crate::vendor_side::{Init, Replaced, Workspace, enrol, look, replace, withdraw};

/// Years that root 1 holds unless said otherwise.
const ROOT_YEARS: u16 = 5;

/// What a vendor does before and besides making bundles.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum VendorCommand {
    /// Make a workspace: keys, trust root 1, ledger
    ///
    /// DIR must be new or empty. It gets keys/ (readable by you alone), root.json (the trust root that sites pin) and ledger.db.
    /// On a terminal a passphrase for the keys is asked for; nothing means none, and one can be added later with `vendor trust
    /// passphrase`. Keep copies of keys/root-*.pem in different safe places, and take them off this machine once it is set up.
    #[command(
        after_help = "Examples:\n  airlock vendor init --product acme-erp --vendor 'Acme Ltd' acme\n  \
                            airlock vendor init --product erp --product web --vendor Acme --root-keys 5 --threshold 3 \\\n    \
                            --passphrase-file pass.txt acme"
    )]
    Init(InitArgs),
    /// Record a site's public keys from its enrolment file
    ///
    /// The file comes from `airlock init` or `airlock trust add` on the appliance, and is meant for you alone. Its signature is checked, and
    /// the status key that it names is shown: compare it with what the site reads out (`airlock trust show` there) before you say yes. Where
    /// nobody is there to be asked, --fingerprint compares it. The same file again changes nothing. A known site with other keys is refused: keys that the site replaced itself (`airlock
    /// status rotate-key`) are taken with --replace, after you have compared the fingerprint with the site by voice.
    #[command(
        after_help = "Examples:\n  airlock vendor enroll plant-7.enrolment.json -w acme --dry-run\n  \
                            airlock vendor enroll plant-7.enrolment.json -w acme --name plant-7\n  \
                            airlock vendor enroll plant-7.new.json -w acme --replace plant-7"
    )]
    Enroll(EnrollArgs),
    /// Withdraw a site: nothing of it counts any more, and no bundle is made for it
    ///
    /// `vendor enroll FILE --replace SITE` takes it back.
    #[command(after_help = "Example:\n  airlock vendor withdraw-site plant-7 -w acme")]
    WithdrawSite(WithdrawSiteArgs),
    /// List the sites that are enrolled
    #[command(after_help = "Example:\n  airlock vendor sites -w acme")]
    Sites(SitesArgs),
    /// Begin a release file
    #[command(subcommand)]
    Release(Box<ReleaseFileCommand>),
    /// Show and change who may sign: root documents
    #[command(subcommand)]
    Trust(Box<TrustCommand>),
    /// What was signed, for whom, and what became of it at sites
    #[command(subcommand)]
    Ledger(Box<LedgerCommand>),
    /// Make a backup of the workspace: keys, roots, ledger, packages; encrypted with a passphrase
    ///
    /// Other commands go on meanwhile. The file has its name once it was read back whole. Whoever has it and its passphrase is this vendor,
    /// but for keys that have a passphrase of their own: keep the two apart.
    #[command(
        after_help = "Examples:\n  airlock vendor backup -w acme -o /media/safe/acme.backup\n  airlock vendor backup --check acme.backup"
    )]
    Backup(VendorBackupArgs),
    /// Put a backup of a workspace back into a new or empty folder
    ///
    /// The backup is read to its end before anything is written, and what is put back is whole or not there. What was signed since it was made
    /// is not in it: take the bundles in (`airlock vendor ledger learn`) before anything else is signed. Where the workspace that was in use
    /// is still there, or a newer backup, --against says what that is.
    #[command(after_help = "Example:\n  airlock vendor restore acme.backup acme --against acme.broken")]
    Restore(VendorRestoreArgs),
}

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// Product that you may sign releases for (may repeat)
    #[arg(long = "product", value_name = "NAME", required = true)]
    products: Vec<Name>,
    /// Your name, for people: it stands in the trust root
    #[arg(long, value_name = "NAME")]
    vendor: String,
    /// How many root keys to make
    #[arg(long, value_name = "N", default_value_t = 3)]
    root_keys: usize,
    /// How many of them must sign a new root (2, or 1 with a single key)
    #[arg(long, value_name = "M")]
    threshold: Option<usize>,
    #[command(flatten)]
    times: RootTimes,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    /// The workspace to make: a new or empty folder
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct EnrollArgs {
    /// The enrolment file
    enrolment: PathBuf,
    #[command(flatten)]
    workspace: WorkspaceArgs,
    /// A name for the site, used only here; without it the site goes by its id
    #[arg(long, conflicts_with = "replace")]
    name: Option<String>,
    /// The site, by name or id, whose keys those of the file replace; also takes back a site that was withdrawn
    #[arg(long, value_name = "SITE")]
    replace: Option<String>,
    /// The status key as the site told it, with or without spaces: another one is refused, and nobody is asked
    #[arg(long, value_name = "HEX")]
    fingerprint: Option<String>,
    /// Do not ask: the status key was compared. Where nobody is there to be asked, this or --fingerprint says so
    #[arg(long)]
    yes: bool,
    /// Show whose file it is and its status key, and record nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
pub(super) struct WithdrawSiteArgs {
    /// Name or id of the site
    site: String,
    #[command(flatten)]
    workspace: WorkspaceArgs,
}

#[derive(Debug, Args)]
pub(super) struct SitesArgs {
    #[command(flatten)]
    workspace: WorkspaceArgs,
}

/// Runs a vendor command.
pub(super) fn run(command: VendorCommand, ui: &mut Ui) -> Result<()> {
    match command {
        VendorCommand::Init(args) => init(&args, ui),
        VendorCommand::Enroll(args) => enroll(&args, ui),
        VendorCommand::WithdrawSite(args) => withdraw_site(&args, ui),
        VendorCommand::Sites(args) => sites(&args, ui),
        VendorCommand::Release(command) => vendor_release::run(&command, ui),
        VendorCommand::Trust(command) => vendor_trust::run(*command, ui),
        VendorCommand::Ledger(command) => vendor_ledger::run(&command, ui),
        VendorCommand::Backup(args) => vendor_backup::backup(&args, ui),
        VendorCommand::Restore(args) => vendor_restore::restore(&args, ui),
    }
}

fn init(args: &InitArgs, ui: &mut Ui) -> Result<()> {
    let issued_at = args.times.issued_at()?;
    let passphrase = args.passphrase.for_new_keys()?;
    let init = Init {
        products: args.products.clone(),
        vendor: args.vendor.clone(),
        root_keys: args.root_keys,
        threshold: args.threshold.unwrap_or(2.min(args.root_keys)),
        time: args.times.signing.signing_time(),
        issued_at,
        expires: args
            .times
            .expires(issued_at)
            .unwrap_or_else(|| in_years(issued_at, ROOT_YEARS)),
    };
    let workspace = Workspace::init(&args.folder, &init, passphrase.as_ref().map(|text| text.as_str()))?;
    let chain = workspace.chain();
    let folder = workspace.folder().display().to_string();
    ui.result(
        &json!({
            "workspace": folder, "vendor": init.vendor, "root_version": 1, "domain": chain.domain(),
            "fingerprint": chain.fingerprint(), "expires": init.expires, "root_keys": init.root_keys,
            "threshold": init.threshold,
        }),
        format_args!(
            "workspace    {}\ntrust root   1 of {}, until {}\nroot keys    {}, of which {} must sign a new root\n\
             fingerprint  {}",
            escape(&folder),
            escape(&init.vendor),
            init.expires,
            init.root_keys,
            init.threshold,
            chain.fingerprint().spoken(),
        ),
    )?;
    ui.say("sites pin root.json; read the fingerprint to them over a second channel");
    if passphrase.is_none() {
        ui.say(format_args!(
            "the key files have no passphrase: keep keys/ where nobody else reads it, or give them one with \
             `airlock vendor trust passphrase {}/*.pem`",
            quoted(&escape(&workspace.folder().join("keys").display().to_string()))
        ));
    }
    Ok(())
}

fn enroll(args: &EnrollArgs, ui: &mut Ui) -> Result<()> {
    let workspace = args.workspace.open_to_write(ui)?;
    let path = &args.enrolment;
    let file = open_named(path, "open the enrolment file")?;
    let told = |error| Door::ENROLMENT.told(error, path);
    let bytes = read_bounded(file, ENROLMENT_BYTES, "an enrolment file").map_err(told)?;
    let enrolment = look(&workspace, &bytes).map_err(told)?;
    if args.dry_run {
        return ui.result(
            &json!({"result": "dry-run", "site": enrolment.site, "status_key": enrolment.status.id, "created_at": enrolment.created_at}),
            format_args!(
                "site         {}\nstatus key   {} (compare it with the site by voice)\nnothing was recorded",
                enrolment.site,
                enrolment.status.id.spoken()
            ),
        );
    }
    check_key(args, &workspace, &enrolment, ui)?;
    if let Some(site) = &args.replace {
        let replaced = replace(&workspace, &bytes, site, SystemClock.now()).map_err(told)?;
        return replace_keys(&replaced, ui);
    }
    let enrolled = enrol(&workspace, &bytes, args.name.as_deref(), SystemClock.now()).map_err(told)?;
    let site = &enrolled.enrolment;
    let result = match enrolled.recorded {
        Recorded::New => "enrolled",
        Recorded::Already => "already",
    };
    ui.result(
        &json!({
            "result": result, "site": site.site, "name": enrolled.name, "status_key": site.status.id,
            "created_at": site.created_at,
        }),
        format_args!(
            "{} {} (site {})\nstatus key   {}",
            match enrolled.recorded {
                Recorded::New => "enrolled",
                Recorded::Already => "already enrolled:",
            },
            escape(&enrolled.name),
            site.site,
            site.status.id.spoken(),
        ),
    )?;
    if enrolled.name == site.site.as_str() {
        ui.say(format_args!(
            "no name was given, so this site goes by its id; name it, once, with `airlock vendor enroll {} --name NAME`",
            quoted(&path.display().to_string())
        ));
    }
    Ok(())
}

/// Compares the status key with what the site told, or has a person compare it, before it counts.
fn check_key(args: &EnrollArgs, workspace: &Workspace, enrolment: &Enrolment, ui: &mut Ui) -> Result<()> {
    let key = enrolment.status.id;
    if let Some(told) = &args.fingerprint {
        let told: String = told.chars().filter(|c| !c.is_whitespace()).collect();
        return if told.eq_ignore_ascii_case(&key.to_string()) {
            Ok(())
        } else {
            Err(Error::new(
                Class::Trust,
                "fingerprint",
                format!("the file's status key is {}", key.spoken()),
            )
            .expected(format!("{told}, as it was given"))
            .remedy("do not enrol the file; ask the site for the right one, and compare again"))
        };
    }
    let known = workspace
        .ledger()?
        .read(|connection| ledger::site(connection, &enrolment.site))?;
    let is_new = match known {
        Some(site) => site.status_key_id()? != key,
        None => true,
    };
    if !is_new {
        return Ok(());
    }
    ui.say(format_args!("site         {}", enrolment.site));
    ui.say(format_args!("status key   {}", key.spoken()));
    ui.say("does the site read out this very key (`airlock trust show` there)?");
    let file = quoted(&escape(&args.enrolment.display().to_string()));
    let of_site = match (&args.name, &args.replace) {
        (Some(name), _) => format!(" --name {}", quoted(&escape(name))),
        (None, Some(site)) => format!(" --replace {}", quoted(&escape(site))),
        (None, None) => String::new(),
    };
    confirm(ui, args.yes, &format!("airlock vendor enroll {file}{of_site}"))
}

fn replace_keys(replaced: &Replaced, ui: &mut Ui) -> Result<()> {
    let site = &replaced.enrolment;
    let (word, human) = match replaced.replacement {
        Replacement::Keys => ("replaced", "keys replaced:"),
        Replacement::TakenBack => ("taken-back", "taken back:"),
        Replacement::Already => ("already", "has these keys already:"),
    };
    // Where nothing changed, or only that the site counts again, there is no key before this one.
    let before = Some(replaced.before).filter(|before| *before != site.status.id);
    ui.result(
        &json!({
            "result": word, "site": site.site, "name": replaced.name, "status_key": site.status.id, "before": before,
        }),
        format_args!(
            "{human} {} (site {})\nstatus key   {}{}",
            escape(&replaced.name),
            site.site,
            site.status.id.spoken(),
            before.map_or_else(String::new, |before| format!("\nbefore       {}", before.spoken())),
        ),
    )?;
    if replaced.replacement == Replacement::Keys {
        ui.say(format_args!(
            "compare the new status key with the site by voice; if it is not theirs: `airlock vendor withdraw-site {}`",
            quoted(&replaced.name)
        ));
    }
    Ok(())
}

fn withdraw_site(args: &WithdrawSiteArgs, ui: &mut Ui) -> Result<()> {
    let (site, withdrawn) = withdraw(&args.workspace.open_to_write(ui)?, &args.site, SystemClock.now())?;
    let (word, human) = if withdrawn {
        ("withdrawn", "withdrawn:")
    } else {
        ("already", "was withdrawn already:")
    };
    ui.result(
        &json!({"result": word, "site": site.site, "name": site.name}),
        format_args!("{human} {} (site {})", escape(&site.name), site.site),
    )
}

fn sites(args: &SitesArgs, ui: &mut Ui) -> Result<()> {
    let db = args.workspace.open()?.ledger()?;
    let (sites, found) = db.read(|connection| Ok((ledger::sites(connection)?, findings::open(connection, None)?)))?;
    let mut text = String::new();
    let mut list = Vec::new();
    for site in &sites {
        text += &format!("{}  {}  since {}", site.site, escape(&site.name), site.enrolled_at);
        if let Some(at) = site.withdrawn_at {
            text += &format!(", withdrawn {at}");
        }
        text += &format!("\n  status key  {}", site.status_key_id()?.spoken());
        let findings = found.iter().filter(|finding| finding.site == site.site).count() as u64;
        if findings > 0 {
            text += &format!(
                "\n  {}, which `airlock vendor ledger findings` lists",
                counted(findings, "open finding")
            );
        }
        text.push('\n');
        list.push(json!({
            "site": site.site, "name": site.name, "status_key": site.status_key_id()?, "public_key": site.status,
            "recipient_key": site.recipient, "findings": findings,
            "enrolled_at": site.enrolled_at, "withdrawn_at": site.withdrawn_at,
        }));
    }
    if sites.is_empty() {
        "no site is enrolled".clone_into(&mut text);
    }
    ui.result(&list, text.trim_end())
}

//! `airlock secret …`: values that applications need and that this site keeps.

use std::io::{self, IsTerminal as _};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::Ui;
use super::advice::quoted;
use super::confirm::{confirm, confirm_by};
use super::passphrase::type_in;
use super::secret_list;
use super::secret_release::Succession;
use super::site_view::ConfigArgs;
use super::state_folder::StateArgs;
use super::ui::escape;
use crate::appliance::Appliance;
use crate::appliance::secret::{AskedSecret, Replaces, SecretAct, SecretView};
use crate::db::site::release::{ReleaseRow, State};
use crate::domain::{Class, Clock as _, Error, Result, SecretName, SecretValue, SystemClock, limits};
use crate::stream::read_bounded;

/// How often a value is asked for that was typed differently the second time.
const TRIES: usize = 3;

/// Enter and look after secrets that applications need: passwords, keys, licences
///
/// A release says which secrets it has: some come sealed from the vendor, some are made here by themselves, and some are entered here.
/// Until each of these has a value, the release is imported and not live. Values are kept encrypted in the state folder and leave it only
/// to the agents that need them. A value that was set or made here is never replaced by a release; whoever changes one changes it for every
/// deployment that uses it, at once.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum SecretCommand {
    /// List secrets: who uses them, where their values come from, and which are missing
    #[command(after_help = "Examples:\n  airlock secret list\n  airlock secret list --format json")]
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Enter the value of a secret
    ///
    /// On a terminal it is asked for and not shown; else it is read from standard input, without one newline at its end. It is never an
    /// argument: other users of the machine can read those. A release that waited for this value alone goes live: what changes with it is said
    /// before, and where agents are taken something away, that is asked on a terminal. The value is kept whatever the answer is.
    ///
    /// A value that is there already cannot be had again once another one takes its place: that is asked first on a terminal, and refused
    /// elsewhere without --replace. A value with which a target's agent would get more than it may is refused too, and nothing is changed.
    #[command(
        after_help = "Examples:\n  airlock secret set SMTP_PASSWORD\n  airlock secret set SMTP_PASSWORD --target press-1 < password.txt\n  airlock secret set SMTP_PASSWORD --replace < password.txt\n  airlock secret set API_KEY --product shop --vendor acme"
    )]
    Set {
        #[command(flatten)]
        which: Which,
        /// Let it take the place of a value that is there already, and do not ask
        #[arg(long)]
        replace: bool,
        /// Do not ask whether a release that waited for this value alone goes live
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Let a random value of a secret be made
    ///
    /// As long and of such characters as the release says, else 32 letters and digits. Where there is a value already, everything that uses
    /// it gets another one: a database, for one, keeps the password that it was made with. So that is asked first on a terminal. A release
    /// that waited for this value alone goes live, as with `airlock secret set`.
    #[command(
        after_help = "Examples:\n  airlock secret generate SESSION_KEY\n  airlock secret generate SESSION_KEY --yes"
    )]
    Generate {
        #[command(flatten)]
        which: Which,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Let the value of a secret go that no live release needs
    ///
    /// It cannot be had again. What happens is said first, and asked on a terminal. Texts that agents reported before may hold it: it stays
    /// encrypted in the state folder, as the values before another one do, and is taken out of what leaves, until it is forgotten once more.
    #[command(after_help = "Example:\n  airlock secret forget OLD_KEY")]
    Forget {
        #[command(flatten)]
        which: Which,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        place: Place,
    },
}

// Which secret.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// Name, as in `airlock secret list`
    name: SecretName,
    /// Target that the value is for, where each has its own: name or UUID
    #[arg(long)]
    target: Option<String>,
    /// Product or PRODUCT/CHANNEL, where several have a secret of this name
    #[arg(long)]
    product: Option<String>,
    /// Channel, where several have it
    #[arg(long)]
    channel: Option<String>,
    /// Vendor, where several have it: its name, or the first 8 digits or more of its trust domain
    #[arg(long)]
    vendor: Option<String>,
}

// Which appliance.
#[derive(Debug, Args)]
pub(super) struct Place {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    state: StateArgs,
}

impl Which {
    /// Returns the command that does something about the same secret: named as it was found.
    fn command(&self, act: &str) -> String {
        let mut command = format!("airlock secret {act} {}", self.name);
        let said = [
            ("target", &self.target),
            ("product", &self.product),
            ("channel", &self.channel),
            ("vendor", &self.vendor),
        ];
        for (option, value) in said {
            if let Some(value) = value {
                command += &format!(" --{option} {}", quoted(&escape(value)));
            }
        }
        command
    }

    fn find(&self, appliance: &Appliance) -> Result<SecretView> {
        appliance.find_secret(&AskedSecret {
            name: &self.name,
            target: self.target.as_deref(),
            product: self.product.as_deref(),
            channel: self.channel.as_deref(),
            vendor: self.vendor.as_deref(),
        })
    }
}

pub(super) fn run(command: &SecretCommand, ui: &mut Ui) -> Result<()> {
    let (SecretCommand::List { place }
    | SecretCommand::Set { place, .. }
    | SecretCommand::Generate { place, .. }
    | SecretCommand::Forget { place, .. }) = command;
    let config = place.config.read()?;
    let mut changing = |name| place.state.open_as_to_change(&config, name, ui);
    let appliance = match command {
        SecretCommand::List { .. } => place.state.open_as(&config, ui)?,
        SecretCommand::Set { .. } => changing("secret set")?,
        SecretCommand::Generate { .. } => changing("secret generate")?,
        SecretCommand::Forget { .. } => changing("secret forget")?,
    };
    match command {
        SecretCommand::List { .. } => secret_list::print(&appliance, ui),
        SecretCommand::Set {
            which, replace, yes, ..
        } => {
            let view = which.find(&appliance)?;
            appliance.check_settable(&view)?;
            tell_use(&view, ui);
            // A person types it after the question; through a pipe it is there, and judged before it is said what it takes the place of.
            let is_piped = *replace && !io::stdin().is_terminal();
            let piped = is_piped.then(|| entered(&view, ui)).transpose()?;
            if let Some((origin, at)) = view.kept {
                ui.say(format_args!(
                    "it takes the place of one that was {origin} at {at}, which cannot be had again"
                ));
                confirm_by(ui, *replace, "--replace", &which.command("set"))?;
            }
            let value = match piped {
                Some(value) => value,
                None => entered(&view, ui)?,
            };
            let is_short = value.as_str().len() < limits::SECRET_SOUGHT_BYTES;
            let mut succession = Succession::new(&appliance, *yes);
            let may_go_live = &mut |release: &ReleaseRow| succession.ask(release, ui);
            let act = appliance.set_secret(&view, value, replaces(*replace), SystemClock.now(), may_go_live)?;
            if is_short {
                ui.warn(format_args!(
                    "{} has fewer than {} bytes: it cannot be looked for in what agents report, and leaves with texts that hold it",
                    escape(&view.label()),
                    limits::SECRET_SOUGHT_BYTES
                ));
            }
            report(&succession, &view, &act, "set", ui)
        }
        SecretCommand::Generate { which, yes, .. } => {
            let view = which.find(&appliance)?;
            appliance.check_settable(&view)?;
            if let Some((origin, at)) = view.kept {
                ui.say(format_args!(
                    "{} has a value that was {origin} at {at}; whatever uses it gets another one, and a database, for one, keeps the password that it was \
                     made with: {}",
                    escape(&view.label()),
                    escape(&view.used_by.join(", "))
                ));
                confirm(ui, *yes, &which.command("generate"))?;
            }
            let mut succession = Succession::new(&appliance, *yes);
            let may_go_live = &mut |release: &ReleaseRow| succession.ask(release, ui);
            let act = appliance.generate_secret(&view, replaces(*yes), SystemClock.now(), may_go_live)?;
            report(&succession, &view, &act, "generated", ui)
        }
        SecretCommand::Forget { which, yes, .. } => {
            let view = which.find(&appliance)?;
            appliance.check_forgettable(&view)?;
            let what = if view.forgotten.is_some() {
                "is removed for good; texts from before that hold it leave with it"
            } else {
                "cannot be had again, and a release that needs it cannot be activated again before it is entered once more"
            };
            ui.say(format_args!("the value of {} {what}", escape(&view.label())));
            confirm(ui, *yes, &which.command("forget"))?;
            let gone = appliance.forget_secret(&view, replaces(*yes), SystemClock.now())?;
            let mut value = to_json(&view, "forgotten");
            if let Some(members) = value.as_object_mut() {
                members.insert("for_good".into(), gone.into());
            }
            let word = if gone { " for good" } else { "" };
            ui.result(&value, format!("{} is forgotten{word}", escape(&view.label())))
        }
    }
}

/// Who said so before may take the place of anything; else of what was told and asked about.
fn replaces(is_said: bool) -> Replaces {
    if is_said { Replaces::Any } else { Replaces::Seen }
}

/// Says who gets the value, so that none goes to another vendor.
fn tell_use(view: &SecretView, ui: &mut Ui) {
    let vendor = view.vendor.as_deref().unwrap_or("a vendor whose root cannot be read");
    let used = if view.used_by.is_empty() {
        "nothing here".to_owned()
    } else {
        view.used_by.join(", ")
    };
    ui.say(format_args!(
        "the value goes to {} of {}, for {}: used by {}",
        escape(&view.scope.to_string()),
        escape(vendor),
        escape(&view.label()),
        escape(&used),
    ));
}

/// Takes the value from the person at the terminal, or from standard input.
fn entered(view: &SecretView, ui: &mut Ui) -> Result<SecretValue> {
    let bytes = if io::stdin().is_terminal() {
        typed(&view.label())?
    } else {
        // One more byte than fits is enough to know that it does not; one newline at the end is none of the value.
        let most = limits::SECRET_BYTES as u64 + 1;
        let bytes = read_bounded(io::stdin().lock(), most, "the value of a secret");
        let mut bytes = Zeroizing::new(bytes.map_err(|error| {
            match error.class() {
                Class::Limit => Error::new(
                    Class::Limit,
                    "size",
                    "the value of the secret has more than 65,536 bytes",
                )
                .expected("1 to 65,536 bytes of UTF-8 without NUL"),
                _ => error,
            }
        })?);
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            ui.say("the newline at the end is not part of the value");
            if bytes.last() == Some(&b'\r') {
                ui.warn("the carriage return before it is: give the value again without, where it is none of it");
            }
        }
        bytes
    };
    SecretValue::new(bytes).map_err(|what| {
        Error::new(
            Class::Usage,
            "secret-value",
            format!("the value of {} {what}", view.name),
        )
        .expected("1 to 65,536 bytes of UTF-8 without NUL")
        .remedy("give the value again; nothing was changed")
    })
}

/// Asks until both answers are the same.
fn typed(label: &str) -> Result<Zeroizing<Vec<u8>>> {
    let mut before = "";
    for _ in 0..TRIES {
        let first = type_in("a value", &format!("{before}value of {} (not shown): ", escape(label)))?;
        if first.is_empty() || first == type_in("a value", "the same again: ")? {
            return Ok(Zeroizing::new(first.as_bytes().to_vec()));
        }
        before = "the two differ; ";
    }
    Err(Error::new(Class::Usage, "secret-value", "the two values differ")
        .expected("the same value twice")
        .remedy("give the value again; nothing was changed"))
}

fn report(succession: &Succession<'_>, view: &SecretView, act: &SecretAct, result: &str, ui: &mut Ui) -> Result<()> {
    let mut value = to_json(view, result);
    let word = if act.replaced {
        "has another value now"
    } else {
        "has a value now"
    };
    let mut human = format!("{} {word}", escape(&view.label()));
    if act.lost {
        ui.warn(format_args!(
            "the value of before could not be read, and is given up: texts that hold it are not known from others any more"
        ));
    }
    if let Some(members) = value.as_object_mut() {
        members.insert("replaced".into(), act.replaced.into());
    }
    if act.waited.is_none()
        && let Some(ready) = complete(succession.appliance(), view)?
    {
        human += &format!(
            "\nrelease {} ({}) has every secret now: make it live with `airlock release activate {}`",
            ready.counter,
            escape(&ready.version),
            ready.head.to_hex().get(..16).unwrap_or_default()
        );
        if let Some(members) = value.as_object_mut() {
            members.insert("complete".into(), json!({"head": ready.head, "version": ready.version}));
        }
    }
    if let Some(waited) = &act.waited {
        let (json, line) = succession.told(waited)?;
        human += &line;
        if let Some(members) = value.as_object_mut() {
            members.insert("release".into(), json);
        }
        if let Err(error) = &waited.result {
            ui.warn(format_args!(
                "the value counts; the release that waited for it did not go live: {error}"
            ));
        }
    }
    ui.result(&value, human)
}

/// The newest release of a secret's scope, where it is not live, does not go live by itself, and lacks nothing any more.
fn complete(appliance: &Appliance, view: &SecretView) -> Result<Option<ReleaseRow>> {
    let newest = appliance
        .releases()?
        .into_iter()
        .find(|release| release.scope == view.scope);
    let Some(newest) = newest.filter(|release| release.state == State::Available && !release.waits) else {
        return Ok(None);
    };
    Ok(appliance.missing_secrets(&newest)?.is_empty().then_some(newest))
}

fn to_json(view: &SecretView, result: &str) -> Value {
    let target = view.target.as_ref().map(|(id, name)| json!({"id": id, "name": name}));
    json!({
        "result": result, "name": view.name, "target": target, "product": view.scope.product,
        "channel": view.scope.channel, "domain": view.scope.domain,
    })
}

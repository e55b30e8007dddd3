//! `airlock target …`: agents of this site, their secrets, and what they shall run.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;
use zeroize::Zeroizing;

use super::confirm::confirm;
use super::site_view::{ConfigArgs, warn_of_reach};
use super::snippet::EngineName;
use super::state_folder::StateArgs;
use super::target_find::{chosen, find, report_target};
use super::ui::escape;
use super::{Ui, snippet, target_away, target_free, target_list, target_watch};
use crate::appliance::fleet::{Check, Hub, Removal, SecretView, TargetChoice, TargetView};
use crate::appliance::live::Live;
use crate::appliance::secret::Needed;
use crate::domain::{Class, Error, Result};
use crate::stream::read_bounded;

/// Bytes of standard input that may hold a secret.
const SECRET_BYTES: u64 = 256;

/// Enrol agents and decide what they run
///
/// A target is a docker host or a kubernetes cluster with one agent on it. Releases say which targets there are and what they
/// run. Whatever is changed here is recorded in the audit log; secrets never are.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum TargetCommand {
    /// List targets, their deployments, and whether their agents can log in
    ///
    /// AGENT SECRET says what the agent of a target logs in with: none yet, issued here, or the hub's. Secrets that applications need are
    /// in `airlock secret list`.
    #[command(after_help = "Example:\n  airlock target list")]
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Show targets live: what their agents report, and what really runs
    ///
    /// Reads the state folder, and changes nothing. On a terminal the picture is drawn over itself; elsewhere every change is a line.
    #[command(
        after_help = "Examples:\n  airlock target watch\n  airlock target watch press-1\n  airlock target watch --once --format json"
    )]
    Watch {
        /// Only this target: name or UUID
        target: Option<String>,
        /// Look once and end
        #[arg(long)]
        once: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Make a target of this site's own, which follows one of a release
    ///
    /// It runs what that one runs, in every later release too, under UUIDs of its own.
    #[command(after_help = "Example:\n  airlock target add press-9 --like press-1")]
    Add {
        /// Name of the new target
        name: String,
        /// Target of a release that it follows: name or UUID
        #[arg(long, value_name = "TARGET")]
        like: String,
        #[command(flatten)]
        place: Place,
    },
    /// Issue a new secret with which a target's agent logs in; it is shown once, on stdout
    ///
    /// A target has one such secret: the one before stops working at once. That is said and asked first; where nobody is there to be
    /// asked, --yes is the answer. An agent that is logged in stays logged in, until its token is revoked too. What the applications of
    /// the target need is something else: `airlock secret list`.
    #[command(
        after_help = "Examples:\n  airlock target secret press-1\n  airlock target secret press-1 --yes            # in scripts: nobody is asked\n  airlock target secret press-1 --revoke --yes   # the host was stolen: its token dies too"
    )]
    Secret {
        /// Name or UUID
        target: String,
        /// End the tokens that are out: the agent must be installed again
        #[arg(long)]
        revoke: bool,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Print the command that installs a target's agent, or what its engine must know before
    ///
    /// A target without a secret gets one. A secret that was issued before cannot be shown again: give it with --secret-stdin, or let a
    /// new one take its place with --new-secret.
    #[command(
        after_help = "Examples:\n  airlock target connect press-1 --mirrors docker | ssh press-1 sudo sh\n  airlock target connect press-1 | ssh press-1 sh\n  airlock target connect press-1 --secret-stdin < secret"
    )]
    Connect(ConnectArgs),
    /// Take an application away from a target, whatever releases say
    ///
    /// Its agent removes the application at its next look: containers and images, and with compose its volumes and all data in them.
    /// What goes is said first, and asked on a terminal. This lasts until `airlock target deploy`.
    ///
    /// Agents report no removal. `airlock target list` says "undeploying" until the agent has been told and asks again: then it is done
    /// with it. Whether something went wrong stands in the agent's own log.
    #[command(
        after_help = "Examples:\n  airlock target undeploy press-1 reports\n  airlock target undeploy press-1 reports --yes   # in scripts: nobody is asked"
    )]
    Undeploy {
        /// Name or UUID
        target: String,
        /// The application
        application: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Give an application back that was taken away with `undeploy`
    #[command(after_help = "Example:\n  airlock target deploy press-1 shop")]
    Deploy {
        /// Name or UUID
        target: String,
        /// The application
        application: String,
        #[command(flatten)]
        place: Place,
    },
    /// Take a target away: its agent is refused from now on
    ///
    /// Its tokens are dead for good; its secret counts again when it is back. What the agent deployed goes on running with its volumes, and
    /// nobody looks after it: `airlock target undeploy` first lets the agent remove it. A target that was made here is gone for good; one
    /// of a release comes back with `airlock target restore`. What happens is said first, and asked on a terminal.
    #[command(
        after_help = "Examples:\n  airlock target remove press-1\n  airlock target remove press-1 --yes   # in scripts: nobody is asked"
    )]
    Remove {
        /// Name or UUID
        target: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Bring a target of a release back that was taken away with `remove`
    ///
    /// Its agent logs in again with the secret that it has. One that was let go with `free` comes back only while no release of another
    /// product has stated it.
    #[command(after_help = "Example:\n  airlock target restore press-1")]
    Restore {
        /// Name or UUID
        target: String,
        #[command(flatten)]
        place: Place,
    },
    /// Let the UUID of a target or deployment go that the wrong product has claimed
    ///
    /// A UUID belongs to the first product that stated it, for good: releases of others that state it are refused. This is the way out.
    /// Secret and tokens of the target end, it counts as removed here for the product that had it, whatever that states, and the next
    /// one whose release states it has it.
    #[command(after_help = "Example:\n  airlock target free 4b2c81de-3c54-4f0e-9f0d-2a6a4a5b7f11")]
    Free {
        /// The UUID, as the refusal names it
        uuid: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Args)]
pub(super) struct ConnectArgs {
    /// Name or UUID
    target: String,
    /// Read the target's secret from standard input
    #[arg(long)]
    secret_stdin: bool,
    /// Issue a secret also where there is one, which stops working then
    #[arg(long, conflicts_with = "secret_stdin")]
    new_secret: bool,
    /// Print a script that puts the files on a host by which its engine trusts this appliance, and finds in it what is called
    /// by other names; touches no secret. `airlock snippet` prints the same for everything that is live
    #[arg(long, value_enum, value_name = "ENGINE", conflicts_with_all = ["secret_stdin", "new_secret"])]
    mirrors: Option<EngineName>,
    /// Print the manifest itself in place of the command, to be carried to a host by hand
    #[arg(long, conflicts_with = "mirrors")]
    manifest: bool,
    #[command(flatten)]
    place: Place,
}

/// What became of a target that shall come back.
const RESTORED: [&str; 2] = ["is back", "is here: it was not taken away"];

// Which appliance.
#[derive(Debug, Args)]
pub(super) struct Place {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    state: StateArgs,
}

impl Place {
    fn hub(&self, ui: &mut Ui) -> Result<Hub> {
        let appliance = self.state.open(ui)?;
        let view = self.config.site_view(&appliance)?;
        Hub::new(&Live::load(&appliance, Duration::ZERO)?, view)
    }

    /// As [`Self::hub`], for a command that changes something.
    fn hub_to_change(&self, command: &'static str, ui: &mut Ui) -> Result<Hub> {
        let appliance = self.state.open_to_change(command, ui)?;
        let view = self.config.site_view(&appliance)?;
        Hub::new(&Live::load(&appliance, Duration::ZERO)?, view)
    }

    /// As [`Self::hub_to_change`], for what is printed for agents that shall find a server.
    fn hub_as_served(&self, command: &'static str, ui: &mut Ui) -> Result<Hub> {
        let appliance = self.state.open_to_change(command, ui)?;
        let view = self.config.site_view_as_served(&appliance, ui)?;
        Hub::new(&Live::load(&appliance, Duration::ZERO)?, view)
    }
}

pub(super) fn run(command: &TargetCommand, ui: &mut Ui) -> Result<()> {
    match command {
        TargetCommand::List { place } => {
            let hub = place.hub(ui)?;
            for (id, name) in hub.orphans() {
                ui.warn(format_args!(
                    "target {} ({id}), made here, follows one that no live release has: its agent is refused",
                    escape(&name)
                ));
            }
            warn_of_closed_way(&hub, ui);
            target_list::print(&hub, ui)
        }
        TargetCommand::Watch { target, once, place } => {
            let hub = place.hub(ui)?;
            let only = target.as_ref().map(|name| find(&hub, name)).transpose()?;
            target_watch::run(&hub, only.as_ref(), *once, ui.format())
        }
        TargetCommand::Add { name, like, place } => {
            let hub = place.hub_to_change("target add", ui)?;
            let template = find(&hub, like)?;
            let id = hub.add_target(name, &template.id)?;
            for secret in hub.live().appliance().secrets()? {
                let is_own = secret.target.as_ref().is_some_and(|(target, _)| *target == id);
                if is_own && secret.needed == Needed::Live && !secret.is_here {
                    let command =
                        hub.live()
                            .appliance()
                            .secret_command("set", &secret.scope, (&secret.name, Some(id)))?;
                    ui.say(format_args!("it waits for {}: `{command}`", escape(&secret.label())));
                }
            }
            ui.say(format_args!(
                "next: `airlock target connect {id}` prints how to install its agent"
            ));
            ui.result(
                &json!({"result": "added", "target": id, "name": name, "like": template.id}),
                format!("target {name} ({id}) follows {}", escape(&template.name)),
            )
        }
        TargetCommand::Secret {
            target,
            revoke,
            yes,
            place,
        } => {
            let hub = place.hub_to_change("target secret", ui)?;
            let target = find(&hub, target)?;
            if target.secret != SecretView::None {
                tell_replaced(&target, ui);
                let revoke = if *revoke { " --revoke" } else { "" };
                confirm(ui, *yes, &format!("airlock target secret {}{revoke}", target.id))?;
            }
            let secret = hub.issue_secret(&target.id, *revoke)?;
            ui.say(format_args!(
                "the secret of target {}: it is shown this once",
                escape(&target.name)
            ));
            ui.say(if *revoke {
                "every token of its agent is dead: install the agent again"
            } else {
                "an agent that is logged in stays so"
            });
            ui.result(
                &json!({"result": "issued", "target": target.id, "name": target.name, "secret": secret.as_str(), "revoked": revoke}),
                secret.as_str(),
            )
        }
        TargetCommand::Connect(args) => connect(args, ui),
        TargetCommand::Undeploy {
            target,
            application,
            yes,
            place,
        } => target_away::undeploy(
            &place.hub_to_change("target undeploy", ui)?,
            target,
            application,
            *yes,
            ui,
        ),
        TargetCommand::Deploy {
            target,
            application,
            place,
        } => target_away::deploy(&place.hub_to_change("target deploy", ui)?, target, application, ui),
        TargetCommand::Remove { target, yes, place } => {
            target_away::remove(&place.hub_to_change("target remove", ui)?, target, *yes, ui)
        }
        TargetCommand::Restore { target, place } => {
            let hub = place.hub_to_change("target restore", ui)?;
            let removed = hub.find_removed(target);
            if let (TargetChoice::None(_), TargetChoice::One(here)) = (&removed, hub.find(target)) {
                return report_target(&here.id, &here.name, false, "restored", RESTORED, ui);
            }
            let target = chosen(&hub, removed, target)?;
            let changed = hub.remove_target(&target.id, Removal::Restore)?;
            report_target(&target.id, &target.name, changed, "restored", RESTORED, ui)
        }
        TargetCommand::Free { uuid, yes, place } => {
            target_free::run(&place.hub_to_change("target free", ui)?, uuid, *yes, ui)
        }
    }
}

fn connect(args: &ConnectArgs, ui: &mut Ui) -> Result<()> {
    let hub = args.place.hub_as_served("target connect", ui)?;
    let target = find(&hub, &args.target)?;
    warn_of_reach(hub.site_view(), ui);
    if let Some(engine) = args.mirrors {
        let snippet = hub.snippet(&target.id, engine.into())?;
        return snippet::print(&snippet, json!({"target": target.id}), ui);
    }
    // Before anything is issued: a target that cannot be installed keeps its secret.
    hub.check_installable(&target.id)?;
    warn_of_closed_way(&hub, ui);
    if target.kind == "kubernetes" && hub.is_for_this_machine() {
        ui.warn(format_args!(
            "the agent is told {}, which in a pod means the pod itself; say [agents] address in the configuration, where clusters reach this appliance",
            escape(hub.site_view().address())
        ));
    }
    let (secret, issued) = if args.secret_stdin {
        (given(&hub, &target)?, false)
    } else if args.new_secret || target.secret == SecretView::None {
        if target.secret != SecretView::None {
            tell_replaced(&target, ui);
        }
        let secret = hub.issue_secret(&target.id, false)?;
        (Zeroizing::new(secret.as_str().to_owned()), true)
    } else {
        return Err(Error::new(
            Class::Usage,
            "secret",
            format!("target {:?} has a secret, which cannot be shown again", target.name),
        )
        .expected("that secret, with --secret-stdin")
        .remedy("or let a new one take its place with --new-secret"));
    };
    if issued {
        ui.say("a new secret was issued; it stands in this text and is shown this once");
    }
    if args.manifest {
        let manifest = Zeroizing::new(hub.connect_manifest(&target.id, &secret)?);
        return ui.result(
            &json!({"target": target.id, "name": target.name, "manifest": manifest.as_str(), "issued": issued}),
            manifest.trim_end(),
        );
    }
    let command = Zeroizing::new(hub.install_command(&target.id, &secret)?);
    ui.say("run it where the agent shall live; the engine there must trust this appliance (--mirrors)");
    if target.kind == "docker" && hub.site_view().authority().is_some() {
        ui.say(
            "the certificate of this appliance's authority travels within: that takes docker compose 2.23.1 or newer",
        );
    }
    ui.result(
        &json!({"target": target.id, "name": target.name, "command": command.as_str(), "issued": issued}),
        command.as_str(),
    )
}

/// Warns where agents are sent a way that secrets do not go.
fn warn_of_closed_way(hub: &Hub, ui: &mut Ui) {
    if let Some(problem) = hub.closed_way() {
        ui.warn(format_args!("{}; {}", escape(&problem.what), problem.remedy));
    }
}

/// Says what a new secret does to the one that a target has.
fn tell_replaced(target: &TargetView, ui: &mut Ui) {
    let whose = match target.secret {
        SecretView::Hub | SecretView::Adopted(_) => "the hub's",
        SecretView::None | SecretView::Issued(_) => "issued here",
    };
    ui.say(format_args!(
        "target {} has a secret, {whose}: it stops working at once, and an agent that is installed with it cannot log in again",
        escape(&target.name)
    ));
}

fn given(hub: &Hub, target: &TargetView) -> Result<Zeroizing<String>> {
    let bytes = Zeroizing::new(read_bounded(std::io::stdin().lock(), SECRET_BYTES, "a secret")?);
    let text = Zeroizing::new(String::from_utf8_lossy(&bytes).trim().to_owned());
    match hub.check_secret(&target.id, &text)? {
        Check::Good => Ok(text),
        Check::Wrong => Err(Error::new(
            Class::Usage,
            "secret",
            format!("what was given is not the secret of target {:?}", target.name),
        )
        .remedy(format!(
            "issue a new one with `airlock target secret {} --yes`",
            target.id
        ))),
        // Nobody else checks one in this process.
        Check::Busy => Err(Error::new(
            Class::Internal,
            "secret",
            "too many secrets are being checked",
        )),
    }
}

//! `airlock release activate`: one release that is here goes live because a person says so.

use std::io::{self, IsTerminal as _};

use clap::Args;
use serde_json::json;

use super::advice::quoted;
use super::confirm::confirm;
use super::release_plan::{Next, PlanView};
use super::scope_names::ScopeNames;
use super::site_view::ConfigArgs;
use super::state_folder::StateArgs;
use super::ui::escape;
use super::{Ui, hidden};
use crate::appliance::fleet::FleetNow;
use crate::db::site::release::Activated;
use crate::db::site::targets::Undeploy;
use crate::domain::{Clock as _, Result, SystemClock};

#[derive(Debug, Args)]
pub(super) struct ActivateArgs {
    /// Head digest (or its first 8 digits or more), number, or version label
    release: String,
    /// Product or PRODUCT/CHANNEL, where several match
    #[arg(long)]
    product: Option<String>,
    /// Say what would change, make every check, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Go on where this release lacks what the live one has: a deployment is deleted by its agent, a target is refused and keeps what runs
    #[arg(long)]
    undeploy: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    state: StateArgs,
}

pub(super) fn run(args: &ActivateArgs, ui: &mut Ui) -> Result<()> {
    let config = args.config.read()?;
    let appliance = if args.dry_run {
        args.state.open_as(&config, ui)?
    } else {
        args.state.open_as_to_change(&config, "release activate", ui)?
    };
    let release = appliance.find_release(&args.release, args.product.as_deref())?;
    let plan = appliance.while_here(&release, || appliance.release_plan(&release))?;
    let is_live = plan.from.as_ref().is_some_and(|live| live.head == release.head);
    let now = FleetNow::read(&appliance);
    let view = if is_live {
        PlanView::of_nothing(&plan)
    } else {
        PlanView::new(&now, &release.scope, &plan)
    };
    let called = ScopeNames::read(&appliance, [])?.of(&release.scope);
    let next = Next {
        counter: release.counter,
        version: &release.version,
        called: &called,
    };
    let undeploy = if args.undeploy {
        Undeploy::Everything
    } else {
        Undeploy::AsSigned
    };
    let hidden = appliance.hidden(&release)?;
    let mut value = json!({"head": release.head, "hidden": hidden::to_json(&hidden)});
    let mut put = |word: &str| {
        if let Some(members) = value.as_object_mut() {
            members.insert("result".into(), word.into());
            members.extend(view.members());
        }
    };
    let name = format!("release {} ({}) of {called}", release.counter, escape(&release.version));
    if args.dry_run {
        view.warn(ui);
        let mut human = view.lines(&next, &plan.secrets.made).join("\n");
        let mut checked = Ok(());
        if !is_live {
            checked = appliance.while_here(&release, || appliance.rehearse_activation(&release, undeploy));
            human += &match &checked {
                Ok(()) => format!("\n{name} would go live: every check passed, nothing was changed"),
                Err(_) => format!("\n{name} would be refused, and not go live"),
            };
        }
        // What is planned is said also where it would be refused: the refusal, and the way out of it, are about that.
        put(if checked.is_ok() { "planned" } else { "refused" });
        ui.result(&value, human + &hidden::lines(&hidden))?;
        return checked;
    }
    if !is_live {
        view.say(&next, &plan.secrets.made, ui);
    }
    let is_back = plan.from.as_ref().is_some_and(|live| live.counter > release.counter);
    let is_asked = is_back || view.removes() || view.changes_secrets(&plan.secrets.made);
    if (is_asked && io::stdin().is_terminal()) || (args.undeploy && view.removes()) {
        let product = args.product.as_ref().map_or(String::new(), |product| {
            format!(" --product {}", quoted(&escape(product)))
        });
        let undeploy = if args.undeploy { " --undeploy" } else { "" };
        let again = format!(
            "airlock release activate {}{product}{undeploy}",
            quoted(&escape(&args.release))
        );
        confirm(ui, args.yes, &again)?;
    }
    let activated = appliance.activate(release.head, undeploy, SystemClock.now())?;
    let human = match activated {
        Activated::Already => {
            put("already");
            format!("{name} is live already")
        }
        Activated::Now { .. } => {
            put("activated");
            format!("{name} is live now{}", made(&plan.secrets.made))
        }
    };
    // Whose names are is decided by what is live.
    let hidden = appliance.hidden(&release)?;
    if let Some(members) = value.as_object_mut() {
        members.insert("hidden".into(), hidden::to_json(&hidden));
    }
    ui.result(&value, human + &hidden::lines(&hidden))
}

/// Says which secrets were made.
fn made(names: &[String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    format!("; made anew, for nothing was here: {}", escape(&names.join(", ")))
}

//! `airlock release remove`: one release is let go because a person says so.

use clap::Args;
use serde_json::json;

use super::Ui;
use super::advice::quoted;
use super::confirm::confirm;
use super::gc::{KNOWN, said, standing_json, visible_lines};
use super::scope_names::ScopeNames;
use super::site_view::ConfigArgs;
use super::state_folder::StateArgs;
use super::ui::{bytes, escape};
use crate::domain::{Clock as _, Result, SystemClock, counted};

#[derive(Debug, Args)]
pub(super) struct RemoveArgs {
    /// Head digest (or its first 8 digits or more), number, or version label
    release: String,
    /// Product or PRODUCT/CHANNEL, where several match
    #[arg(long)]
    product: Option<String>,
    /// Say what would go, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not wait until its vendor knows: a bundle that builds on it will be refused
    #[arg(long)]
    at_once: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    state: StateArgs,
}

pub(super) fn run(args: &RemoveArgs, ui: &mut Ui) -> Result<()> {
    let config = args.config.read()?;
    let appliance = if args.dry_run {
        args.state.open_as(&config, ui)?
    } else {
        args.state.open_as_to_change(&config, "release remove", ui)?
    };
    let release = appliance.find_release(&args.release, args.product.as_deref())?;
    let plan = appliance.removal_plan(release.head, config.retention, SystemClock.now())?;
    let names = ScopeNames::read(&appliance, [])?;
    let name = format!(
        "release {} ({}) of {}",
        release.counter,
        escape(&release.version),
        names.of(&release.scope)
    );
    let mut lines = vec![format!(
        "{name} goes, with {} in {}",
        bytes(plan.bytes),
        counted(plan.blobs, "blob")
    )];
    let reasons = plan.standing.reasons.iter();
    lines.extend(reasons.map(|reason| format!("but {}", escape(&reason.to_string()))));
    lines.extend(visible_lines(&plan.visible));
    lines.push(
        "it cannot be made live again, and its bundle is refused unless it is the newest that was imported".to_owned(),
    );
    if plan.standing.listed {
        lines.push(if args.at_once {
            "its vendor does not know: a bundle on its way that builds on it will be refused (E-DEPENDENCY), and has to be made again".to_owned()
        } else {
            format!("its vendor may build on it: it is told to go, and goes {KNOWN}; --at-once does not wait")
        });
    }
    let mut value = json!({
        "release": standing_json(&plan.standing), "blobs": plan.blobs, "bytes": plan.bytes, "visible": plan.visible,
    });
    let mut put = |word: &str| {
        if let Some(members) = value.as_object_mut() {
            members.insert("result".into(), word.into());
        }
    };
    if args.dry_run {
        put("planned");
        return ui.result(&value, lines.join("\n"));
    }
    for line in &lines {
        ui.say(line);
    }
    let product = args.product.as_ref().map_or_else(String::new, |product| {
        format!(" --product {}", quoted(&escape(product)))
    });
    let at_once = if args.at_once { " --at-once" } else { "" };
    let again = format!(
        "airlock release remove {}{product}{at_once}",
        quoted(&escape(&args.release))
    );
    confirm(ui, args.yes, &again)?;
    let removed = appliance.remove_release(release.head, config.retention, args.at_once, SystemClock.now())?;
    let human = if removed.releases > 0 {
        put("removed");
        said(&removed)
    } else {
        put("told");
        format!("{name} is told to go: `airlock gc` takes it {KNOWN}")
    };
    ui.result(&value, human)
}

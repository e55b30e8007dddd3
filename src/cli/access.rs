//! `airlock access …`: credentials for people and machines beside agents.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Ui;
use super::scope_names::ScopeNames;
use super::site_view::{ConfigArgs, warn_of_reach};
use super::state_folder::StateArgs;
use super::table::table;
use crate::appliance::Appliance;
use crate::appliance::access::{AccessView, NewAccess};
use crate::domain::{Name, Result, Scope, nearest};

/// Give people and machines beside agents credentials to pull with
///
/// A credential reads the repositories of one product and channel of one vendor that it names, and nothing else that is here: where several
/// vendors share this appliance, nobody reads across them by accident. Tags under it are those of that product and channel. It is shown with
/// `docker login` and by every other client with Basic; any user name will do. What an address may read without credentials
/// ([registry] read) stays as it is.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum AccessCommand {
    /// Make a credential; it is shown once, on stdout
    ///
    /// PATTERN is [VENDOR/]PRODUCT/CHANNEL:REPOSITORIES. REPOSITORIES is one by its whole name (registry.acme.example/erp/web), all below a host
    /// or path (registry.acme.example/erp/*), or * for all that the releases of that product and channel have. VENDOR is its name, or the
    /// first 8 digits or more of its trust domain; it may be left out where one pinned vendor alone has the product. Where two patterns
    /// lead to a tag of one name, the first one answers.
    #[command(after_help = "Examples:
  airlock access add ops --read 'acme-erp/stable:*'
  airlock access add ci --read 'acme-erp/stable:registry.acme.example/erp/*' \\
    --read 'tools/stable:docker.io/library/alpine'
  airlock access add ops --read 'acme-erp/stable:*' |
    docker login airlock.plant.example:5443 -u ops --password-stdin")]
    Add {
        /// Name of the credential, for people
        name: Name,
        /// What it may read; may repeat
        #[arg(long, value_name = "PATTERN", required = true)]
        read: Vec<String>,
        #[command(flatten)]
        place: Place,
    },
    /// List credentials and what they may read
    #[command(after_help = "Example:\n  airlock access list")]
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Remove a credential: whoever shows it is refused at once, also where it was stored by `docker login`
    #[command(after_help = "Example:\n  airlock access remove ops")]
    Remove {
        /// Name, as in `airlock access list`
        name: Name,
        #[command(flatten)]
        place: Place,
    },
}

// Which appliance.
#[derive(Debug, Args)]
pub(super) struct Place {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    state: StateArgs,
}

pub(super) fn run(command: &AccessCommand, ui: &mut Ui) -> Result<()> {
    match command {
        AccessCommand::Add { name, read, place } => {
            let appliance = place.state.open_to_change("access add", ui)?;
            let view = place.config.site_view_as_served(&appliance, ui)?;
            warn_of_reach(&view, ui);
            let (secret, access) = appliance.add_access(NewAccess { name, patterns: read })?;
            ui.say(format_args!("the credential {name}: it is shown this once"));
            warn_unknown(&appliance, &access, ui)?;
            ui.say(format_args!("next: docker login {} -u {name}", view.address()));
            let mut value = to_json(&access);
            if let Some(members) = value.as_object_mut() {
                members.insert("result".into(), json!("added"));
                members.insert("secret".into(), json!(secret.as_str()));
            }
            ui.result(&value, secret.as_str())
        }
        AccessCommand::List { place } => {
            let appliance = place.state.open(ui)?;
            let all = appliance.accesses()?;
            let scopes = ScopeNames::read(&appliance, [])?;
            let mut rows = Vec::new();
            for access in &all {
                let made = access.created_at.to_string();
                for (number, grant) in access.grants.iter().enumerate() {
                    let first = |text: &str| if number == 0 { text.to_owned() } else { String::new() };
                    let (name, made) = (first(access.name.as_str()), first(&made));
                    rows.push([name, made, scopes.of(&grant.scope), grant.repositories.to_string()]);
                }
            }
            let listed: Vec<Value> = all.iter().map(to_json).collect();
            let human = if all.is_empty() {
                "no credentials; `airlock access add NAME --read PATTERN` makes one".to_owned()
            } else {
                table(["NAME", "MADE", "READS", "REPOSITORIES"], rows)
            };
            ui.result(&json!({"access": listed}), human)
        }
        AccessCommand::Remove { name, place } => {
            place.state.open_to_change("access remove", ui)?.remove_access(name)?;
            ui.result(
                &json!({"result": "removed", "name": name}),
                format!("{name} is removed: whoever shows it is refused"),
            )
        }
    }
}

/// Says what no release is of that is here: a credential may be made before the first one comes, and as well for a slip of the pen.
fn warn_unknown(appliance: &Appliance, access: &AccessView, ui: &mut Ui) -> Result<()> {
    let mut known: Vec<Scope> = appliance.releases()?.into_iter().map(|release| release.scope).collect();
    known.sort();
    known.dedup();
    for grant in access.grants.iter().filter(|grant| !known.contains(&grant.scope)) {
        let asked = grant.scope.to_string();
        let here: Vec<String> = known.iter().map(ToString::to_string).collect();
        let meant = nearest(&asked, here.iter().map(String::as_str));
        let meant = meant.map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
        ui.warn(format_args!(
            "no release of {asked} is here: {} reads nothing of it until one is live{meant}",
            access.name
        ));
    }
    Ok(())
}

fn to_json(access: &AccessView) -> Value {
    let read: Vec<Value> = access
        .grants
        .iter()
        .map(|grant| {
            json!({"domain": grant.scope.domain, "product": grant.scope.product, "channel": grant.scope.channel,
                   "repositories": grant.repositories})
        })
        .collect();
    json!({"name": access.name, "created_at": access.created_at, "read": read})
}

//! `airlock target free`: lets a UUID go that the wrong product claimed.

use serde_json::json;

use super::Ui;
use super::confirm::confirm;
use super::removal_plan::{headline, left_behind, what_goes};
use super::ui::escape;
use crate::appliance::fleet::{ClaimView, Hub};
use crate::domain::{Class, Error, Result, Uuid};

/// Says what will end, asks, and lets it go.
pub(super) fn run(hub: &Hub, text: &str, yes: bool, ui: &mut Ui) -> Result<()> {
    let id = Uuid::parse_lenient(text).map_err(|_| {
        Error::new(Class::Usage, "uuid", format!("{text:?} is no UUID"))
            .expected("the UUID that a refusal or `airlock release show` names")
    })?;
    let claim = hub.claim(&id)?;
    let Some(owner) = &claim.owner else {
        return ui.result(
            &json!({"result": "already", "id": id}),
            format!("{id} is nobody's already: the next release that states it has it"),
        );
    };
    let plan = consequences(&id, &claim);
    for line in &plan {
        ui.say(line);
    }
    confirm(ui, yes, &format!("airlock target free {id}"))?;
    hub.free(&id)?;
    let back = way_back(&id, &claim);
    let hint = match &back {
        Some(command) => format!("; until then `{command}` takes that back"),
        None => String::new(),
    };
    ui.result(
        &json!({
            "result": "freed", "id": id, "domain": owner.domain, "product": owner.product, "plan": plan, "back": back,
        }),
        format!("{id} is nobody's now: import the release that shall have it{hint}"),
    )
}

/// The command that takes it back for as long as nobody else stated it.
fn way_back(id: &Uuid, claim: &ClaimView) -> Option<String> {
    match (&claim.target, &claim.deployment) {
        (Some(_), _) => Some(format!("airlock target restore {id}")),
        (None, Some((target, _))) => Some(format!("airlock target deploy {} {id}", target.id)),
        (None, None) => None,
    }
}

fn consequences(id: &Uuid, claim: &ClaimView) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(owner) = &claim.owner {
        lines.push(format!(
            "{id} belongs to {owner}, and will be nobody's: the next that states it has it"
        ));
    }
    if let Some(channel) = &claim.channel {
        lines.push(format!(
            "the live release of its channel {channel} has it: it will count as removed here"
        ));
    }
    if let Some(target) = &claim.target {
        lines.push(format!(
            "target {} is refused from then on: its secret is deleted, its tokens are dead",
            escape(&target.name)
        ));
        lines.extend(left_behind(target, Some(&id.to_string())));
    }
    if let Some((target, deployment)) = &claim.deployment {
        lines.push(headline(target, deployment));
        lines.extend(what_goes(target, deployment));
    }
    if let Some(command) = way_back(id, claim) {
        let lost = if claim.target.is_some() {
            "its secret"
        } else {
            "its data"
        };
        lines.push(format!(
            "`{command}` brings it back, without {lost}, for as long as nobody else states it"
        ));
    }
    lines.push("earlier releases that state it cannot be made live again".to_owned());
    lines
}

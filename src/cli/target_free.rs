//! `airlock target free`: lets a UUID go that the wrong product claimed.

use serde_json::json;

use super::Ui;
use super::confirm::confirm;
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
    for line in consequences(&id, &claim) {
        ui.say(line);
    }
    confirm(ui, yes, &format!("airlock target free {id}"))?;
    hub.free(&id)?;
    let back = match claim.target {
        Some(_) => format!("; until then `airlock target restore {id}` takes that back"),
        None => String::new(),
    };
    ui.result(
        &json!({"result": "freed", "id": id, "domain": owner.domain, "product": owner.product}),
        format!("{id} is nobody's now: import the release that shall have it{back}"),
    )
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
    if let Some(name) = &claim.target {
        lines.push(format!(
            "target {} is refused from then on: its secret is deleted, its tokens are dead; what its agent deployed goes on running",
            escape(name)
        ));
    }
    lines.push("earlier releases that state it cannot be made live again".to_owned());
    lines
}

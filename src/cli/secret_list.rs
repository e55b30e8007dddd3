//! The list of secrets, as a table or as JSON. No value is ever in it.

use serde_json::{Value, json};

use super::Ui;
use super::scope_names::ScopeNames;
use super::table::table;
use super::ui::escape;
use super::waiting_view::WaitingView;
use crate::appliance::Appliance;
use crate::appliance::secret::{Needed, SecretView};
use crate::bundle::desired::SecretSource;
use crate::domain::Result;

/// Columns of the table.
const COLUMNS: [&str; 7] = ["NAME", "FOR", "VENDOR", "PRODUCT", "SOURCE", "VALUE", "USED BY"];

pub(super) fn print(appliance: &Appliance, ui: &mut Ui) -> Result<()> {
    let views = appliance.secrets()?;
    let names = ScopeNames::read(appliance, [])?;
    let waiting = WaitingView::read(appliance)?;
    let human = if views.is_empty() {
        "no release here has secrets".to_owned()
    } else {
        table(COLUMNS, views.iter().map(|view| row(view, &names)).collect())
    };
    ui.result(
        &json!({"secrets": views.iter().map(to_json).collect::<Vec<_>>(), "waiting": waiting.to_json()}),
        human + &waiting.lines(&names),
    )
}

fn row(view: &SecretView, names: &ScopeNames) -> [String; 7] {
    let used = match (view.needed, view.used_by.is_empty()) {
        (Needed::Nobody, _) | (_, true) => "not used".to_owned(),
        (Needed::Earlier, _) => format!("not used now; by an earlier release: {}", view.used_by.join(", ")),
        (Needed::Next, _) => format!("{} (not live yet)", view.used_by.join(", ")),
        (Needed::Live, _) => view.used_by.join(", "),
    };
    [
        view.name.to_string(),
        view.target
            .as_ref()
            .map_or_else(|| "the site".to_owned(), |(_, name)| escape(name)),
        view.vendor.as_deref().map_or_else(|| "-".to_owned(), escape),
        names.of(&view.scope),
        source(view).unwrap_or("-").to_owned(),
        value(view),
        escape(&used),
    ]
}

fn source(view: &SecretView) -> Option<&'static str> {
    view.declared.as_ref().map(|declared| declared.source.as_str())
}

/// What is known of the value, for people.
fn value(view: &SecretView) -> String {
    let kept = view.kept.map(|(origin, at)| format!("{origin} {at}"));
    match (state(view), kept) {
        ("sealed", Some(kept)) => format!("sealed; one {kept} rests"),
        ("missing", Some(kept)) => format!("MISSING; one {kept} rests"),
        ("missing", None) => "MISSING".to_owned(),
        ("forgotten", _) => {
            let at = view.forgotten.map(|at| format!(" {at}")).unwrap_or_default();
            format!("forgotten{at}; taken out of texts still")
        }
        ("to-make", _) => "made when the release goes live".to_owned(),
        (_, Some(kept)) => kept,
        (state, None) => state.to_owned(),
    }
}

/// One stable word for where the value is.
fn state(view: &SecretView) -> &'static str {
    let source = view.declared.as_ref().map(|declared| declared.source);
    match (source, view.is_here, view.kept) {
        (Some(SecretSource::Sealed), true, _) => "sealed",
        (Some(SecretSource::Generate), false, _) => "to-make",
        (_, false, _) => "missing",
        (_, true, Some((origin, _))) => origin.as_str(),
        (_, true, None) if view.forgotten.is_some() => "forgotten",
        (_, true, None) => "none",
    }
}

fn to_json(view: &SecretView) -> Value {
    let needed = match view.needed {
        Needed::Live => "live",
        Needed::Next => "next",
        Needed::Earlier => "earlier",
        Needed::Nobody => "nobody",
    };
    json!({
        "name": view.name, "target": view.target.as_ref().map(|(id, name)| json!({"id": id, "name": name})),
        "vendor": view.vendor, "domain": view.scope.domain, "product": view.scope.product, "channel": view.scope.channel,
        "source": source(view), "state": state(view), "used_by": view.used_by, "needed_by": needed,
        "forgotten": view.forgotten, "kept": view.kept.map(|(origin, at)| json!({"origin": origin.as_str(), "at": at})),
    })
}

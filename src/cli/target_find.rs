//! Targets by the word of an operator, and what became of them.

use serde_json::json;

use super::Ui;
use super::scope_names::ScopeNames;
use super::ui::escape;
use crate::appliance::fleet::{Hub, TargetChoice, TargetView};
use crate::domain::{Class, Error, Result, Uuid, nearest};

/// Finds a target by name or UUID.
///
/// # Errors
///
/// As [`chosen`].
pub(super) fn find(hub: &Hub, text: &str) -> Result<TargetView> {
    chosen(hub, hub.find(text), text)
}

/// Returns the one target that was found under a word.
///
/// # Errors
///
/// `E-USAGE target` when it is none, or not the only one.
pub(super) fn chosen(hub: &Hub, choice: TargetChoice, text: &str) -> Result<TargetView> {
    match choice {
        TargetChoice::One(target) => Ok(*target),
        TargetChoice::Several(targets) => {
            let names = ScopeNames::read(hub.live().appliance(), [])?;
            let ids: Vec<String> = targets
                .iter()
                .map(|target| format!("{} ({})", target.id, names.of(&target.scope)))
                .collect();
            Err(Error::new(
                Class::Usage,
                "target",
                format!("{} targets are called {text:?}", targets.len()),
            )
            .expected("one of them")
            .remedy(format!("name it by its UUID: {}", ids.join(", "))))
        }
        TargetChoice::None(names) => {
            let error = Error::new(Class::Usage, "target", format!("there is no target {text:?}"));
            Err(match nearest(text, names.iter().map(String::as_str)) {
                Some(meant) => error.remedy(format!("did you mean {meant:?}?")),
                None => error.remedy("look at `airlock target list`"),
            })
        }
    }
}

/// Says what became of a target; the second word where nothing changed.
///
/// # Errors
///
/// Those of writing to stdout.
pub(super) fn report_target(
    id: &Uuid,
    name: &str,
    changed: bool,
    word: &str,
    human: [&str; 2],
    ui: &mut Ui,
) -> Result<()> {
    let (word, human) = if changed {
        (word, human[0])
    } else {
        ("already", human[1])
    };
    ui.result(
        &json!({"result": word, "target": id, "name": name}),
        format!("target {} {human}", escape(name)),
    )
}

//! What became of an acknowledgement, for people and scripts.

use serde_json::{Value, json};

use super::ui::{Ui, bytes, escape};
use crate::appliance::acknowledgement::{Found, Heard, Outcome, explained, explained_over};
use crate::domain::counted;

/// Shows what the vendor found, whatever became of the rest, and what went wrong.
pub(super) fn warn(heard: &Heard, ui: &mut Ui) {
    for alarm in &heard.alarms {
        ui.warn(escape(&format!("ALARM {}: {}", alarm.code.as_str(), explained(alarm))));
    }
    for alarm in &heard.over {
        ui.warn(escape(&format!(
            "{}, found by the vendor before this life began: {}",
            alarm.code.as_str(),
            explained_over(alarm)
        )));
    }
    if let Some(found) = heard.found {
        ui.warn(format_args!("ALARM {}: {}", found.as_str(), found.explained()));
    }
    for warning in &heard.warnings {
        ui.warn(format_args!("it is applied, and what goes follows later: {warning}"));
    }
    if let Some(freed) = heard.freed {
        ui.say(format_args!(
            "the acknowledgement freed {} (what is kept of them goes when room is needed, or after status.keep_days) and {}",
            counted(freed.records, "record"),
            match freed.packages {
                0 => "no file of a package".to_owned(),
                files => format!("{} ({})", counted(files, "package file"), bytes(freed.bytes)),
            },
        ));
    }
}

/// One line of what it did.
pub(super) fn describe(heard: &Heard) -> String {
    let Some(says) = &heard.says else {
        return "its acknowledgement was refused".to_owned();
    };
    let numbers = format!(
        "records {}, receipts {}, audit rows {}",
        says.records, says.receipts, says.audit.number
    );
    match &heard.outcome {
        Ok(Outcome::Applied) => format!("acknowledgement {} is applied: the vendor has {numbers}", says.number),
        Ok(Outcome::Already) => format!("acknowledgement {} was applied before", says.number),
        Err(_) => format!("acknowledgement {} was refused", says.number),
    }
}

/// The same for scripts.
pub(super) fn to_json(heard: &Heard) -> Value {
    let mut value = match &heard.outcome {
        Ok(Outcome::Applied) => json!({"result": "applied"}),
        Ok(Outcome::Already) => json!({"result": "already"}),
        Err(error) => json!({"result": "refused", "class": error.class().name(), "code": error.code()}),
    };
    if let Some(members) = value.as_object_mut() {
        members.insert("alarms".into(), json!(heard.alarms));
        members.insert("over".into(), json!(heard.over));
        if let Some(freed) = heard.freed {
            members.insert(
                "freed".into(),
                json!({"records": freed.records, "packages": freed.packages, "bytes": freed.bytes}),
            );
        }
        members.insert("found".into(), json!(heard.found.map(Found::as_str)));
        if let Some(says) = &heard.says {
            members.insert("domain".into(), json!(says.domain));
            members.insert("number".into(), says.number.into());
            members.insert("records".into(), says.records.into());
            members.insert("receipts".into(), says.receipts.into());
            members.insert("audit".into(), says.audit.number.into());
        }
    }
    value
}

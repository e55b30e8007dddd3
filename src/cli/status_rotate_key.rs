//! `airlock status rotate-key`: another status key and another recipient key.

use clap::Args;
use serde_json::json;

use super::Ui;
use super::confirm::confirm;
use super::state_folder::StateArgs;
use super::ui::escape;
use crate::db::site::kept_secrets::KeptSecret;
use crate::domain::{Clock as _, Result, SystemClock};

#[derive(Debug, Args)]
pub(super) struct RotateKeyArgs {
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    state: StateArgs,
}

pub(super) fn run(args: &RotateKeyArgs, ui: &mut Ui) -> Result<()> {
    let appliance = args.state.open_to_change("status rotate-key", ui)?;
    ui.say("every vendor must enrol this site again with its new file; the keys of now are given up");
    ui.say("a bundle under way whose secrets were sealed to the key of now cannot be imported any more: import it first, or have it made again");
    confirm(ui, args.yes, "airlock status rotate-key")?;
    let rotated = appliance.rotate_status_key(SystemClock.now())?;
    let mut human = format!(
        "status key   {}\ninstance     {}",
        rotated.status_key.spoken(),
        rotated.instance
    );
    for (domain, path) in &rotated.enrolments {
        human += &format!(
            "\nenrolment    {} (for the trust domain {domain} alone)",
            escape(&path.display().to_string())
        );
    }
    let enrolments: Vec<_> = rotated
        .enrolments
        .iter()
        .map(|(domain, path)| json!({"domain": domain, "file": path}))
        .collect();
    let command = |act, kept: &KeptSecret| appliance.secret_command(act, &kept.scope, (&kept.name, kept.target));
    for kept in &rotated.unreadable {
        if !kept.counts() {
            ui.warn(format_args!(
                "the forgotten value of {} of {} could not be read with the key of before: `{}` removes it",
                kept.name,
                kept.scope,
                command("forget", kept)?
            ));
            continue;
        }
        ui.warn(format_args!(
            "the value of {} of {} could not be read with the key of before: enter it again with `{}`",
            kept.name,
            kept.scope,
            command("set --replace", kept)?
        ));
    }
    ui.result(
        &json!({"status_key": rotated.status_key, "instance": rotated.instance, "enrolments": enrolments}),
        human,
    )?;
    ui.say(
        "carry each file to its vendor: `airlock vendor enroll FILE --replace SITE`; compare the fingerprint by voice",
    );
    Ok(())
}

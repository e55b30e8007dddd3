//! `airlock trust show|add`: the pinned roots of an appliance.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use super::state_folder::StateArgs;
use super::ui::escape;
use super::{Ui, trust_file};
use crate::appliance::Pinned;
use crate::domain::{Class, Clock as _, Error, Hash, Result, SystemClock};

/// Show or pin trust roots
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum TrustCommand {
    /// Show this site's status key and the pinned roots, with fingerprints to compare by voice
    #[command(after_help = "Example:\n  airlock trust show")]
    Show {
        #[command(flatten)]
        state: StateArgs,
    },
    /// Pin a further vendor's root, or take newer links of a pinned one
    ///
    /// There is no trust on first use: give the fingerprint that the vendor told you over a second channel. A new vendor gets an enrolment
    /// file of its own, in outbox/.
    #[command(after_help = "Example:\n  airlock trust add root.json --fingerprint \"1a2b 3c4d …\"")]
    Add {
        /// Vendor's chain file
        root: PathBuf,
        /// Fingerprint as the vendor told it, with or without spaces
        #[arg(long, value_name = "HEX")]
        fingerprint: String,
        #[command(flatten)]
        state: StateArgs,
    },
}

pub(super) fn run(command: &TrustCommand, ui: &mut Ui) -> Result<()> {
    match command {
        TrustCommand::Show { state } => {
            let appliance = state.open(ui)?;
            let key = appliance.status_key_in_force()?;
            let own = format!(
                "site id      {}\nstatus key   {} (what each vendor compares by voice when it enrols this site)",
                appliance.site(),
                key.map_or_else(|| "none".to_owned(), Hash::spoken)
            );
            let (mut roots, mut damaged, mut human) = (Vec::new(), Vec::new(), vec![own]);
            let mut first = None;
            for (name, chain) in appliance.chains_one_by_one()? {
                let chain = match chain {
                    Ok(chain) => chain,
                    Err(error) => {
                        let (found, remedy) = (error.found(), error.advice());
                        damaged.push(json!({
                            "domain": name, "class": error.class().name(), "code": error.code(), "found": found, "remedy": remedy,
                        }));
                        human.push(format!(
                            "domain       {}\nDAMAGED      {}",
                            escape(&name),
                            escape(found)
                        ));
                        first.get_or_insert(error);
                        continue;
                    }
                };
                let floor = appliance.floor(chain.domain())?;
                let mut root = trust_file::to_json(&chain);
                if let Some(members) = root.as_object_mut() {
                    members.insert("time_floor".into(), json!(floor));
                }
                roots.push(root);
                human.push(format!(
                    "{}\ntime floor   {floor} (newest signed statement of this vendor, or when this airlock was built)",
                    trust_file::describe(&chain)
                ));
            }
            ui.result(
                &json!({"site": appliance.site(), "status_key": key, "roots": roots, "damaged": damaged}),
                human.join("\n\n"),
            )?;
            // What is whole is shown, and what is not is a problem all the same.
            first.map_or(Ok(()), Err)
        }
        TrustCommand::Add {
            root,
            fingerprint,
            state,
        } => {
            let chain = trust_file::read(root)?;
            let told: String = fingerprint.chars().filter(|c| !c.is_whitespace()).collect();
            let told: Hash = told
                .to_lowercase()
                .parse()
                .map_err(|error: crate::domain::ParseDigestError| {
                    Error::new(Class::Usage, "fingerprint", error.to_string()).with_source(error)
                })?;
            if told != chain.fingerprint() {
                return Err(Error::new(
                    Class::Trust,
                    "fingerprint",
                    format!("the file's fingerprint is {}", chain.fingerprint().spoken()),
                )
                .expected(told.spoken())
                .remedy("do not trust the file; ask the vendor for the right one"));
            }
            let appliance = state.open_to_change("trust add", ui)?;
            let pinned = appliance.pin(&chain, SystemClock.now())?;
            let enrolment = appliance.enrolment_path(chain.domain())?;
            let (word, human) = match pinned {
                Pinned::Added => ("added", "pinned"),
                Pinned::Extended { .. } => ("extended", "newer links taken"),
                Pinned::Restored => ("restored", "its damaged pin is whole again"),
                Pinned::Already => ("already", "already pinned"),
            };
            ui.result(
                &json!({"result": word, "root": trust_file::to_json(&chain), "enrolment": enrolment}),
                format!(
                    "{human}\n\n{}\nenrolment    {} (carry it to this vendor, for `airlock vendor enroll FILE`)",
                    trust_file::describe(&chain),
                    escape(&enrolment.display().to_string())
                ),
            )
        }
    }
}

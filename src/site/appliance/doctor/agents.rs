//! Which agents are silent, of those that the live releases have here and nobody took away.

use std::collections::BTreeMap;

use super::Finding;
use crate::appliance::status::{SILENT_SECONDS, last_contacts};
use crate::db::site::local_removals::LocalRemovals;
use crate::db::site::{Owner, local_targets, release, targets};
use crate::db::{Connection, Reader};
use crate::domain::{Class, Error, Result, Timestamp, Uuid, counted};

/// Looks when each agent was heard last.
///
/// # Errors
///
/// Those of the databases.
pub(super) fn look(site: &Reader, reports: Option<&Reader>, now: Timestamp) -> Result<Finding> {
    let wanted = site.read(wanted)?;
    let heard = match reports {
        Some(reports) => reports.read(last_contacts)?,
        None => BTreeMap::new(),
    };
    if wanted.is_empty() {
        return Ok(Finding::good("agents", "no live release has targets for this site"));
    }
    let (mut silent, mut never) = (Vec::new(), Vec::new());
    for (id, name) in &wanted {
        match heard.get(id) {
            None => never.push(name.clone()),
            Some((_, last)) if now.unix().saturating_sub(last.unix()) > SILENT_SECONDS => {
                silent.push(format!("{name} (since {last})"));
            }
            Some(_) => {}
        }
    }
    let count = wanted.len() as u64;
    if silent.is_empty() && never.is_empty() {
        return Ok(Finding::good(
            "agents",
            format!("the agents of {} report", counted(count, "target")),
        ));
    }
    let part = |names: &[String]| {
        let shown: Vec<&str> = names.iter().take(NAMED).map(String::as_str).collect();
        let more = names.len().saturating_sub(NAMED);
        let rest = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        format!("{}{rest}", shown.join(", "))
    };
    let mut parts = Vec::new();
    if !silent.is_empty() {
        parts.push(format!("silent: {}", part(&silent)));
    }
    if !never.is_empty() {
        parts.push(format!("never heard: {}", part(&never)));
    }
    let error = Error::new(
        Class::Other,
        "silent",
        format!("of {}: {}", counted(count, "target"), parts.join("; ")),
    )
    .remedy("see that `airlock serve` runs and its log names no refused login, then look at the agent's own log on that machine; a new agent is installed by what `airlock target connect TARGET` prints");
    Ok(Finding::look("agents", &error))
}

/// Names that are written out.
const NAMED: usize = 10;

/// Targets that shall have an agent, by their UUID.
fn wanted(connection: &Connection) -> Result<BTreeMap<Uuid, String>> {
    let removed = LocalRemovals::read(connection)?;
    let (mut wanted, mut stated) = (BTreeMap::new(), BTreeMap::new());
    for release in release::active(connection)? {
        let owner = Owner::of(&release.scope);
        for target in targets::of_release(connection, release.id)?.targets {
            stated.insert(target.id, owner.clone());
            if !removed.contains(&owner, &target.id) {
                wanted.insert(target.id, target.name);
            }
        }
    }
    for local in local_targets::list(connection)? {
        // One whose template is nobody's any more is told nothing.
        let is_wanted = stated
            .get(&local.template)
            .is_some_and(|owner| !removed.contains(owner, &local.id));
        if is_wanted {
            wanted.insert(local.id, local.name);
        }
    }
    Ok(wanted)
}

//! Targets of the vendor's live releases that stand at this site, and those made here, each with its deployments: what they shall run,
//! what was reported of them, and what runs.
//!
//! What was taken away here stays listed while its release names it. Of what was let go besides nothing is told: it may be another
//! product's by now, and what that one's agents do is none of this vendor's business.

use std::collections::{BTreeMap, HashMap};

use super::metrics;
use super::sink::{Sink, cut};
use crate::appliance::fleet::{local_deployment, local_revision};
use crate::appliance::status::{DeploymentStatus, Doubt, Owner as Reporter, Running, StreamView, TargetStatus};
use crate::db::Connection;
use crate::db::site::owners::Owners;
use crate::db::site::targets::of_release;
use crate::db::site::{Owner, local_removals, local_targets, release};
use crate::domain::{Hash, Result, Scope, Timestamp, Uuid};
use crate::package::{Deployment, DeploymentWord, Line, Shows, Switch, Target, TargetWord};

/// A target as releases and the site state it.
struct Standing {
    scope: Scope,
    /// Of one made here: its template and its name.
    local: Option<(Uuid, String)>,
    removed: Option<Timestamp>,
    /// Let go: nothing that is reported is told.
    freed: bool,
    /// By UUID: the revision that the release states, and since when the deployment is taken away.
    deployments: BTreeMap<Uuid, (Uuid, Option<Timestamp>)>,
}

type All = BTreeMap<Uuid, Standing>;

/// Writes them, by UUID, each with its deployments, by UUID.
///
/// # Errors
///
/// Those of the databases and of the package.
pub(in super::super) fn targets(
    sink: &mut Sink<'_, '_>,
    connection: &Connection,
    view: &StreamView<'_>,
    domain: Hash,
    shows: &Shows,
) -> Result<()> {
    let all = standing(connection, domain)?;
    let wanted = all.values().flat_map(Standing::wanted);
    let desired: HashMap<Uuid, Uuid> = wanted
        .map(|(deployment, stated)| (deployment, sink.revisions.told(&deployment, &stated)))
        .collect();
    let statuses = view.targets(&|deployment| desired.get(deployment).copied())?;
    let mut statuses: BTreeMap<Uuid, TargetStatus> =
        statuses.into_iter().map(|status| (status.target, status)).collect();
    let mut samples = BTreeMap::new();
    if shows.has(Switch::Metrics) {
        let newest = view.newest_metrics()?.into_iter();
        samples.extend(newest.map(|(target, _, sample)| (target, sample)));
    }
    for (id, standing) in &all {
        let status = statuses.remove(id).filter(|status| {
            // What a former owner's agent said is not this one's.
            status.owner == Reporter::of(&standing.scope) && !standing.freed
        });
        let sample = samples.remove(id).filter(|_| status.is_some());
        let name = standing.local.as_ref().map(|(_, name)| name.as_str());
        let target = Target {
            agent: status
                .as_ref()
                .and_then(|status| status.agent.as_deref())
                .filter(|_| shows.has(Switch::Agents))
                .map(|agent| sink.name(agent)),
            follows: standing.local.as_ref().map(|(template, _)| *template),
            kind: TargetWord::Word,
            metrics: sample.as_deref().and_then(metrics::newest),
            name: name
                .filter(|_| shows.has(Switch::LocalNames))
                .map(|name| sink.name(name)),
            removed: standing.removed,
            seen: status.as_ref().map(|status| status.last_contact),
            since: status.as_ref().map(|status| status.since),
            target: *id,
        };
        sink.push(&Line::Target(Box::new(target)))?;
        let known: HashMap<Uuid, DeploymentStatus> = status
            .into_iter()
            .flat_map(|status| status.deployments)
            .map(|status| (status.deployment, status.in_stated_revisions(sink.revisions)))
            .collect();
        for (deployment, (revision, removed)) in &standing.deployments {
            // Of a target that was let go everything was.
            let removed = removed.or(standing.removed.filter(|_| standing.freed));
            let wanted = (removed.is_none() && standing.removed.is_none()).then_some(*revision);
            let line = self::deployment(*id, *deployment, wanted, removed, known.get(deployment), standing.freed);
            sink.push(&Line::Deployment(Box::new(line)))?;
        }
    }
    Ok(())
}

fn deployment(
    target: Uuid,
    deployment: Uuid,
    wanted: Option<Uuid>,
    removed: Option<Timestamp>,
    known: Option<&DeploymentStatus>,
    freed: bool,
) -> Deployment {
    let (runs, doubt) = match known.map(|known| known.runs) {
        None if freed => (None, None),
        None => (None, Some(Doubt::NoStatus)),
        Some(Running::Revision(revision)) => (Some(revision), None),
        Some(Running::Unknown(doubt)) => (None, Some(doubt)),
        Some(Running::Nothing) if removed.is_some() => (None, None),
        // Its agent is done with a removal that was taken back, and has not asked since.
        Some(Running::Nothing) => (None, Some(Doubt::Waiting)),
    };
    let latest = known.and_then(|known| known.latest.as_ref());
    Deployment {
        count: latest.map(|latest| cut(latest.count)),
        deployment,
        doubt,
        entered: latest.map(|latest| cut(latest.entered)),
        first: latest.map(|latest| latest.first),
        kind: DeploymentWord::Word,
        last: latest.map(|latest| latest.last),
        number: latest.map(|latest| latest.number),
        removed,
        revision: latest.map(|latest| latest.revision),
        runs,
        signal: latest.map(|latest| latest.signal),
        state: latest.map(|latest| latest.kind),
        target,
        wanted,
    }
}

impl Standing {
    /// Deployments that shall run, with their revisions.
    fn wanted(&self) -> impl Iterator<Item = (Uuid, Uuid)> {
        let here = self.deployments.iter().filter(|_| self.removed.is_none());
        here.filter(|(_, (_, removed))| removed.is_none())
            .map(|(deployment, (revision, _))| (*deployment, *revision))
    }
}

/// Reads what stands here of the live releases of a trust domain.
fn standing(connection: &Connection, domain: Hash) -> Result<All> {
    let owners = Owners::read(connection)?;
    let locals = local_targets::list(connection)?;
    let mut all = All::new();
    for live in release::active(connection)? {
        let scope = live.scope;
        if scope.domain != domain {
            continue;
        }
        let removals = local_removals::times(connection, &Owner::of(&scope))?;
        let set = of_release(connection, live.id)?;
        // What was taken away is this product's still, whoever has the UUID by now.
        let is_listed = |id: &Uuid| owners.admits(&scope, id) || removals.contains_key(id);
        let mut deployments: HashMap<Uuid, Vec<(Uuid, Uuid)>> = HashMap::new();
        for row in &set.deployments {
            deployments.entry(row.target).or_default().push((row.id, row.revision));
        }
        for target in &set.targets {
            let stated = deployments.remove(&target.id).unwrap_or_default();
            for local in locals.iter().filter(|local| local.template == target.id) {
                if owners.admits(&scope, &target.id) && owners.admits(&scope, &local.id) {
                    let derived = stated.iter().map(|(id, revision)| {
                        let id = local_deployment(&local.id, id);
                        let removed = removals.get(&id).copied();
                        (id, (local_revision(&local.id, revision), removed))
                    });
                    let made = Standing {
                        scope: scope.clone(),
                        local: Some((local.template, local.name.clone())),
                        removed: removals.get(&local.id).copied(),
                        freed: false,
                        deployments: derived.collect(),
                    };
                    all.insert(local.id, made);
                }
            }
            if !is_listed(&target.id) {
                continue;
            }
            let own = stated.into_iter().filter(|(id, _)| is_listed(id));
            let stands = Standing {
                scope: scope.clone(),
                local: None,
                removed: removals.get(&target.id).copied(),
                freed: !owners.owns(&scope, &target.id),
                deployments: own
                    .map(|(id, revision)| (id, (revision, removals.get(&id).copied())))
                    .collect(),
            };
            if owners.admits(&scope, &target.id) {
                all.insert(target.id, stands);
            } else {
                // Another channel may have it live.
                all.entry(target.id).or_insert(stands);
            }
        }
    }
    Ok(all)
}

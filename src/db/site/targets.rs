//! Whose agents are answered: what each release says of targets, what was live ever, and what was decided here.
//!
//! These rows say who exists, and which revisions were known; what an agent shall run comes from the signed document alone. Rows of a
//! release are written when it is published and stand for this site only: targets of other sites are not among them.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::release::ReleaseId;
use crate::db::SqlResult as _;
use crate::domain::{Class, Counter, Error, Result, Scope, Timestamp, Uuid};

/// How many ids an error or an audit row names.
const NAMED: usize = 100;

/// A target of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetRow {
    /// Its UUID.
    pub id: Uuid,
    /// For people.
    pub name: String,
    /// `docker` or `kubernetes`.
    pub kind: String,
}

/// A deployment of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentRow {
    /// Its UUID.
    pub id: Uuid,
    /// The target that runs it.
    pub target: Uuid,
    /// Name of the application.
    pub application: String,
    /// Version label of the application.
    pub version: String,
    /// What must be applied.
    pub revision: Uuid,
}

/// What a release says of the targets of this site.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TargetSet {
    /// Targets.
    pub targets: Vec<TargetRow>,
    /// What they run.
    pub deployments: Vec<DeploymentRow>,
    /// Targets and deployments that shall go.
    pub removed: Vec<Uuid>,
}

/// Whether an activation may take away what agents run without the release saying so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undeploy {
    /// Only what the release names as removed.
    AsSigned,
    /// Whatever it no longer has: the local instruction.
    Everything,
}

/// A revision that was live once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownRevision {
    /// The deployment.
    pub deployment: Uuid,
    /// The revision.
    pub revision: Uuid,
    /// Name of the application.
    pub application: String,
    /// Version label of the application.
    pub version: String,
    /// Number of the last release that had it live.
    pub counter: Counter,
    /// Label of that release.
    pub release_version: String,
    /// When it was first live.
    pub first_at: Timestamp,
}

/// A target made here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalTarget {
    /// Its random UUID.
    pub id: Uuid,
    /// For people.
    pub name: String,
    /// The target of a release that it follows.
    pub template: Uuid,
}

/// What an activation changed for agents; lists are cut at 100.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Changes {
    pub(super) members: Vec<(&'static str, Vec<Uuid>, usize)>,
}

impl TargetSet {
    /// Returns, in words, what is here and neither in the next release nor among what that says shall go. What was taken away
    /// locally is not missed.
    pub fn lost_in(&self, next: &Self, removed_here: &BTreeSet<Uuid>) -> Vec<String> {
        let named: BTreeSet<Uuid> = next.removed.iter().copied().collect();
        // An agent of another kind than before would remove everything too.
        let kinds: BTreeMap<Uuid, &str> = next.targets.iter().map(|target| (target.id, &*target.kind)).collect();
        let targets: BTreeSet<Uuid> = self
            .targets
            .iter()
            .filter(|target| kinds.get(&target.id) == Some(&&*target.kind))
            .map(|target| target.id)
            .collect();
        // On another target it is lost here all the same: this one's agent would remove it.
        let deployments: BTreeSet<(Uuid, Uuid)> = next
            .deployments
            .iter()
            .map(|deployment| (deployment.target, deployment.id))
            .collect();
        let gone = |id: &Uuid| named.contains(id) || removed_here.contains(id);
        let names: BTreeMap<Uuid, &str> = self.targets.iter().map(|target| (target.id, &*target.name)).collect();
        let mut lost = Vec::new();
        for target in &self.targets {
            if !targets.contains(&target.id) && !gone(&target.id) {
                lost.push(format!("target {:?} ({})", target.name, target.id));
            }
        }
        for deployment in &self.deployments {
            let with_target = !targets.contains(&deployment.target) || gone(&deployment.target);
            let there = deployments.contains(&(deployment.target, deployment.id));
            if !there && !gone(&deployment.id) && !with_target {
                let name = names.get(&deployment.target).copied().unwrap_or_default();
                lost.push(format!(
                    "{} on target {name:?} ({})",
                    deployment.application, deployment.id
                ));
            }
        }
        lost
    }

    /// Returns the ids of targets and deployments.
    fn ids(&self) -> (BTreeSet<Uuid>, BTreeSet<Uuid>) {
        (
            self.targets.iter().map(|target| target.id).collect(),
            self.deployments.iter().map(|deployment| deployment.id).collect(),
        )
    }
}

/// Keeps what a release says; called once, when it is published.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub(super) fn insert(transaction: &Transaction<'_>, release: ReleaseId, set: &TargetSet) -> Result<()> {
    for target in &set.targets {
        transaction
            .prepare_cached("INSERT INTO release_target (release, target, name, kind) VALUES (?, ?, ?, ?)")
            .and_then(|mut insert| insert.execute(params![release.0, target.id, target.name, target.kind]))
            .sql("record a target")?;
    }
    for deployment in &set.deployments {
        transaction
            .prepare_cached(
                "INSERT INTO release_deployment (release, deployment, target, application, version, revision)
                 VALUES (?, ?, ?, ?, ?, ?)",
            )
            .and_then(|mut insert| {
                insert.execute(params![
                    release.0,
                    deployment.id,
                    deployment.target,
                    deployment.application,
                    deployment.version,
                    deployment.revision
                ])
            })
            .sql("record a deployment")?;
    }
    for id in &set.removed {
        transaction
            .prepare_cached("INSERT INTO release_removal (release, id) VALUES (?, ?)")
            .and_then(|mut insert| insert.execute(params![release.0, id]))
            .sql("record a removal")?;
    }
    Ok(())
}

/// Returns what a release says.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn of_release(connection: &Connection, release: ReleaseId) -> Result<TargetSet> {
    let targets = rows(
        connection,
        "SELECT target, name, kind FROM release_target WHERE release = ? ORDER BY target",
        release,
        |row| {
            Ok(TargetRow {
                id: row.get(0)?,
                name: row.get(1)?,
                kind: row.get(2)?,
            })
        },
    )?;
    let deployments = rows(
        connection,
        "SELECT deployment, target, application, version, revision FROM release_deployment WHERE release = ? ORDER BY deployment",
        release,
        |row| {
            Ok(DeploymentRow {
                id: row.get(0)?,
                target: row.get(1)?,
                application: row.get(2)?,
                version: row.get(3)?,
                revision: row.get(4)?,
            })
        },
    )?;
    let removed = rows(
        connection,
        "SELECT id FROM release_removal WHERE release = ? ORDER BY id",
        release,
        |row| row.get(0),
    )?;
    Ok(TargetSet {
        targets,
        deployments,
        removed,
    })
}

fn rows<T>(
    connection: &Connection,
    query: &str,
    release: ReleaseId,
    map: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>> {
    let mut select = connection
        .prepare_cached(query)
        .sql("read the targets of the release")?;
    let rows = select
        .query_map([release.0], map)
        .sql("read the targets of the release")?;
    rows.collect::<rusqlite::Result<_>>()
        .sql("read the targets of the release")
}

/// Checks that a release may become the live one of its scope: no other product has a target or deployment of it, and nothing that
/// runs is lost without being named.
///
/// # Errors
///
/// `E-POLICY foreign-target`, `E-POLICY undeploy` with what would be lost; those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn check_activation(connection: &Connection, scope: &Scope, next: &TargetSet, undeploy: Undeploy) -> Result<()> {
    let mut live = None;
    let mut foreign: BTreeMap<Uuid, String> = BTreeMap::new();
    for release in super::release::active(connection)? {
        if release.scope == *scope {
            live = Some(of_release(connection, release.id)?);
        } else {
            let (targets, deployments) = of_release(connection, release.id)?.ids();
            let ids = targets.into_iter().chain(deployments);
            foreign.extend(ids.map(|id| (id, release.scope.to_string())));
        }
    }
    for local in local_targets(connection)? {
        foreign.insert(local.id, "this appliance itself".to_owned());
    }
    let (targets, deployments) = next.ids();
    if let Some((id, owner)) = targets
        .iter()
        .chain(&deployments)
        .find_map(|id| Some((id, foreign.get(id)?)))
    {
        return Err(Error::new(
            Class::Policy,
            "foreign-target",
            format!("the release of {scope} states {id}, which belongs to {owner}"),
        )
        .expected("targets and deployments of one product only")
        .remedy("ask the vendor for other UUIDs"));
    }
    let Some(live) = live.filter(|_| undeploy == Undeploy::AsSigned) else {
        return Ok(());
    };
    let mut lost = live.lost_in(next, &local_removals(connection)?);
    if lost.is_empty() {
        return Ok(());
    }
    let count = lost.len();
    lost.truncate(NAMED);
    if count > NAMED {
        lost.push("…".to_owned());
    }
    Err(Error::new(
        Class::Policy,
        "undeploy",
        format!(
            "the release would take away {count} that the live one of {scope} has, without saying that they shall go: {}",
            lost.join(", ")
        ),
    )
    .expected("every target and deployment of the live release, or its removal named in the release")
    .remedy("ask the vendor for a release that names what is removed; or import it with --no-activate and decide here, with `airlock release activate … --undeploy`"))
}

/// Makes the revisions of a release that goes live known, and says what that changes for agents.
pub(super) fn go_live(
    transaction: &Transaction<'_>,
    release: ReleaseId,
    previous: Option<ReleaseId>,
    at: Timestamp,
) -> Result<Changes> {
    transaction
        .execute(
            "INSERT INTO known_revision (deployment, revision, target, scope, application, version, epoch, sequence, release_version, first_at, last_at)
             SELECT d.deployment, d.revision, d.target, r.scope, d.application, d.version, r.epoch, r.sequence, r.version, ?2, ?2
             FROM release_deployment d JOIN release r ON r.id = d.release WHERE d.release = ?1
             ON CONFLICT DO UPDATE SET target = excluded.target, scope = excluded.scope, application = excluded.application,
               version = excluded.version, epoch = excluded.epoch, sequence = excluded.sequence,
               release_version = excluded.release_version, last_at = excluded.last_at",
            params![release.0, at],
        )
        .sql("record the revisions")?;
    let (targets, deployments) = of_release(transaction, release)?.ids();
    let (before_targets, before_deployments) = match previous {
        Some(previous) => of_release(transaction, previous)?.ids(),
        None => Default::default(),
    };
    let mut changes = Changes::default();
    for (member, now, before) in [
        ("targets_added", &targets, &before_targets),
        ("targets_gone", &before_targets, &targets),
        ("deployments_added", &deployments, &before_deployments),
        ("deployments_gone", &before_deployments, &deployments),
    ] {
        let mut list: Vec<Uuid> = now.difference(before).copied().collect();
        let count = list.len();
        list.truncate(NAMED);
        if count > 0 {
            changes.members.push((member, list, count));
        }
    }
    Ok(changes)
}

impl Changes {
    /// Adds members to an audit row; a list that was cut says how long it was.
    pub(super) fn write_to(self, detail: &mut serde_json::Value) {
        let Some(members) = detail.as_object_mut() else { return };
        for (member, list, count) in self.members {
            if count > list.len() {
                members.insert(format!("{member}_count"), count.into());
            }
            let list: Vec<String> = list.iter().map(ToString::to_string).collect();
            members.insert(member.to_owned(), list.into());
        }
    }
}

/// Returns a revision of a target that was live once.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn known_revision(connection: &Connection, target: &Uuid, revision: &Uuid) -> Result<Option<KnownRevision>> {
    connection
        .prepare_cached(
            "SELECT deployment, revision, application, version, epoch, sequence, release_version, first_at
             FROM known_revision WHERE target = ? AND revision = ? LIMIT 1",
        )
        .and_then(|mut select| select.query_row([target, revision], known).optional())
        .sql("look for a revision")
}

/// Returns every revision of a target that was live once, the newest first.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn known_revisions(connection: &Connection, target: &Uuid) -> Result<Vec<KnownRevision>> {
    let mut select = connection
        .prepare_cached(
            "SELECT deployment, revision, application, version, epoch, sequence, release_version, first_at
             FROM known_revision WHERE target = ? ORDER BY last_at DESC, epoch DESC, sequence DESC, revision",
        )
        .sql("read the revisions")?;
    let rows = select.query_map([target], known).sql("read the revisions")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the revisions")
}

fn known(row: &rusqlite::Row<'_>) -> rusqlite::Result<KnownRevision> {
    Ok(KnownRevision {
        deployment: row.get(0)?,
        revision: row.get(1)?,
        application: row.get(2)?,
        version: row.get(3)?,
        counter: Counter {
            epoch: row.get(4)?,
            sequence: row.get(5)?,
        },
        release_version: row.get(6)?,
        first_at: row.get(7)?,
    })
}

/// Returns the targets that were made here.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn local_targets(connection: &Connection) -> Result<Vec<LocalTarget>> {
    let mut select = connection
        .prepare_cached("SELECT target, name, template FROM local_target ORDER BY name")
        .sql("read the local targets")?;
    let rows = select
        .query_map([], |row| {
            Ok(LocalTarget {
                id: row.get(0)?,
                name: row.get(1)?,
                template: row.get(2)?,
            })
        })
        .sql("read the local targets")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the local targets")
}

/// Keeps a new local target.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn add_local(transaction: &Transaction<'_>, target: &LocalTarget, at: Timestamp) -> Result<()> {
    transaction
        .execute(
            "INSERT INTO local_target (target, name, template, created_at) VALUES (?, ?, ?, ?)",
            params![target.id, target.name, target.template, at],
        )
        .sql("record the local target")?;
    Ok(())
}

/// Forgets a local target, with its secret.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn forget_local(transaction: &Transaction<'_>, target: &Uuid) -> Result<()> {
    for statement in [
        "DELETE FROM local_target WHERE target = ?",
        "DELETE FROM target_secret WHERE target = ?",
    ] {
        transaction
            .execute(statement, [target])
            .sql("forget the local target")?;
    }
    Ok(())
}

/// Returns the targets and deployments that were taken away here.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn local_removals(connection: &Connection) -> Result<BTreeSet<Uuid>> {
    let mut select = connection
        .prepare_cached("SELECT id FROM local_removal")
        .sql("read the local removals")?;
    let rows = select.query_map([], |row| row.get(0)).sql("read the local removals")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the local removals")
}

/// Takes a target or deployment away, or takes that back; says whether anything changed.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn set_removed(transaction: &Transaction<'_>, id: &Uuid, removed: bool, at: Timestamp) -> Result<bool> {
    let changed = if removed {
        transaction.execute(
            "INSERT INTO local_removal (id, at) VALUES (?, ?) ON CONFLICT DO NOTHING",
            params![id, at],
        )
    } else {
        transaction.execute("DELETE FROM local_removal WHERE id = ?", [id])
    };
    Ok(changed.sql("record the local removal")? > 0)
}

/// Returns the number that grows with every change of targets and credentials.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn edition(connection: &Connection) -> Result<u64> {
    connection
        .query_row("SELECT agents FROM appliance", [], |row| row.get(0))
        .sql("read the edition of the targets")
}

/// Tells running servers that targets or credentials changed.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn raise_edition(transaction: &Transaction<'_>) -> Result<()> {
    transaction
        .execute("UPDATE appliance SET agents = agents + 1", [])
        .sql("raise the edition of the targets")?;
    Ok(())
}

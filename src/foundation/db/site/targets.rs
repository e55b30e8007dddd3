//! Whose agents are answered: what each release says of targets, what was live ever, and what was decided here.
//!
//! These rows say who exists, and which revisions were known; what an agent shall run comes from the signed document alone. Rows of a
//! release are written when it is published and stand for this site only: targets of other sites are not among them.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::local_removals::LocalRemovals;
use super::owner::Owner;
use super::release::ReleaseId;
use crate::db::SqlResult as _;
use crate::domain::{Class, Code, Counter, Error, Result, Scope, Timestamp, Uuid};

/// Sub-code of a release that would take away what it does not name.
pub const UNDEPLOY: Code = Code::new("undeploy");

/// How many ids an error or an audit row names.
pub(super) const NAMED: usize = 100;

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

    /// Returns every UUID that it claims: those of targets and deployments, not of what shall go.
    pub(super) fn stated(&self) -> impl Iterator<Item = Uuid> {
        let targets = self.targets.iter().map(|target| target.id);
        targets.chain(self.deployments.iter().map(|deployment| deployment.id))
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
    for (place, deployment) in set.deployments.iter().enumerate() {
        transaction
            .prepare_cached(
                "INSERT INTO release_deployment (release, deployment, target, application, version, revision, place)
                 VALUES (?, ?, ?, ?, ?, ?, ?)",
            )
            .and_then(|mut insert| {
                insert.execute(params![
                    release.0,
                    deployment.id,
                    deployment.target,
                    deployment.application,
                    deployment.version,
                    deployment.revision,
                    place
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
        "SELECT deployment, target, application, version, revision FROM release_deployment WHERE release = ? ORDER BY place, deployment",
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

/// Returns, in words, what a UUID stood for in the newest release here that stated it; nothing when none did.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn described(connection: &Connection, id: &Uuid) -> Result<Option<String>> {
    let target: Option<String> = connection
        .prepare_cached("SELECT name FROM release_target WHERE target = ? ORDER BY release DESC LIMIT 1")
        .and_then(|mut select| select.query_row([id], |row| row.get(0)).optional())
        .sql("look for the name of a target")?;
    if let Some(name) = target {
        return Ok(Some(format!("target {name:?} ({id})")));
    }
    connection
        .prepare_cached(
            "SELECT d.application, t.name FROM release_deployment d
             JOIN release_target t ON t.release = d.release AND t.target = d.target
             WHERE d.deployment = ? ORDER BY d.release DESC LIMIT 1",
        )
        .and_then(|mut select| {
            let described = |row: &rusqlite::Row<'_>| {
                let (application, target): (String, String) = (row.get(0)?, row.get(1)?);
                Ok(format!("{application} on target {target:?} ({id})"))
            };
            select.query_row([id], described).optional()
        })
        .sql("look for the name of a deployment")
}

/// Checks that a release may become the live one of its scope: that nothing that runs is lost without being named.
///
/// # Errors
///
/// `E-POLICY undeploy` with what would be lost; those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn check_undeploy(connection: &Connection, scope: &Scope, next: &TargetSet, undeploy: Undeploy) -> Result<()> {
    let releases = super::release::active(connection)?;
    let live = releases
        .iter()
        .find(|release| release.scope == *scope && undeploy == Undeploy::AsSigned);
    let Some(live) = live else {
        return Ok(());
    };
    let removed_here = LocalRemovals::read(connection)?.of(&Owner::of(scope));
    let mut lost = of_release(connection, live.id)?.lost_in(next, &removed_here);
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
        UNDEPLOY,
        format!(
            "the release would take away {count} that the live one of {scope} has, without saying that they shall go: {}",
            lost.join(", ")
        ),
    )
    .expected("every target and deployment of the live release, or its removal named in the release")
    .remedy("ask the vendor for a release that names what is removed; or import it with --no-activate and decide here, with `airlock release activate RELEASE --undeploy`"))
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

/// Returns a revision of a target that was live once; those of a former owner of its UUID are not its own.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn known_revision(connection: &Connection, target: &Uuid, revision: &Uuid) -> Result<Option<KnownRevision>> {
    connection
        .prepare_cached(
            "SELECT deployment, revision, application, version, epoch, sequence, release_version, first_at
             FROM known_revision k WHERE target = ? AND revision = ? AND EXISTS (
               SELECT 1 FROM owner o JOIN scope s ON s.domain = o.domain AND s.product = o.product
               WHERE o.id = k.target AND s.id = k.scope) LIMIT 1",
        )
        .and_then(|mut select| select.query_row([target, revision], known).optional())
        .sql("look for a revision")
}

/// Returns every revision of a target that was live once, the newest first; as for [`known_revision`], only its owner's.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn known_revisions(connection: &Connection, target: &Uuid) -> Result<Vec<KnownRevision>> {
    let mut select = connection
        .prepare_cached(
            "SELECT deployment, revision, application, version, epoch, sequence, release_version, first_at
             FROM known_revision k WHERE target = ? AND EXISTS (
               SELECT 1 FROM owner o JOIN scope s ON s.domain = o.domain AND s.product = o.product
               WHERE o.id = k.target AND s.id = k.scope) ORDER BY last_at DESC, epoch DESC, sequence DESC, revision",
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

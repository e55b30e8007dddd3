//! Whose a UUID is: the wall between vendors, products and channels (D18 b).
//!
//! The UUID of a target or deployment belongs to the first product of a trust domain that stated it in an imported release, live or
//! not, for good. It changes hands in two ways only: between products of one domain, once a live release of the former owner names it
//! as removed; and, once it was let go here, to the next that states it. Neither tokens nor secrets change hands with it.

use std::collections::HashMap;
use std::fmt;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use serde_json::Value;

use super::foreign::{self, FOREIGN};
use super::local_removals::{self, LocalRemovals};
use super::owner::Owner;
use super::release::ReleaseId;
use super::targets::{NAMED, TargetSet, raise_edition};
use crate::db::SqlResult as _;
use crate::domain::{Class, Error, Hash, Name, Result, Scope, Timestamp, Uuid};

/// Whose a UUID is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerRow {
    /// Nobody, when it was let go here and nobody stated it since.
    pub owner: Option<Owner>,
    /// The channel whose live release has it.
    pub channel: Option<Name>,
    /// Tokens of an earlier generation are dead.
    pub generation: u64,
}

/// Every UUID that was ever stated, and what was taken away here.
#[derive(Debug, Default)]
pub struct Owners {
    rows: HashMap<Uuid, OwnerRow>,
    removals: LocalRemovals,
}

/// What a release states and may state.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claims {
    new: Vec<Uuid>,
    taken_over: Vec<Uuid>,
    /// Why it cannot go live now.
    pub held: Option<Held>,
}

/// What keeps a release from going live: the live release of another channel of its product has the same target or deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The UUID; the first of them.
    pub id: Uuid,
    /// Whose live release has it.
    pub by: Scope,
}

/// What a release states with one UUID.
enum Standing {
    New,
    Own,
    /// It was let go here, and what was taken away from the product that states it stays so.
    RemovedHere,
    GoesOver,
    Held(Name),
    MadeHere,
    Foreign(Owner),
}

impl Owners {
    /// Reads all of it.
    ///
    /// # Errors
    ///
    /// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
    pub fn read(connection: &Connection) -> Result<Self> {
        let mut select = connection
            .prepare_cached(
                "SELECT o.domain, o.product, s.channel, o.generation, o.id FROM owner o LEFT JOIN scope s ON s.id = o.live_in",
            )
            .sql("read the owners")?;
        let rows = select
            .query_map([], |row| Ok((row.get(4)?, owner_row(row)?)))
            .sql("read the owners")?;
        Ok(Self {
            rows: rows.collect::<rusqlite::Result<_>>().sql("read the owners")?,
            removals: LocalRemovals::read(connection)?,
        })
    }

    /// Whether a target that a release of a scope states is answered from that release: it is its product's, and no other channel has
    /// it live. One that was let go here and is nobody's yet counts as well, as removed here.
    pub fn admits(&self, scope: &Scope, id: &Uuid) -> bool {
        let Some(row) = self.rows.get(id) else { return false };
        let channel = row.channel.as_ref().is_none_or(|channel| *channel == scope.channel);
        match &row.owner {
            Some(owner) => channel && owner.is_of(scope),
            None => self.removed_here(scope, id),
        }
    }

    /// Whether a target or deployment is a product's, whichever channel has it live; one that was let go is not.
    pub fn owns(&self, scope: &Scope, id: &Uuid) -> bool {
        let owner = self.rows.get(id).and_then(|row| row.owner.as_ref());
        owner.is_some_and(|owner| owner.is_of(scope))
    }

    /// Whether a target or deployment of a product was taken away here.
    pub fn removed_here(&self, scope: &Scope, id: &Uuid) -> bool {
        self.removals.contains(&Owner::of(scope), id)
    }

    /// Returns the generation of a target's tokens.
    pub fn generation(&self, id: &Uuid) -> u64 {
        self.rows.get(id).map_or(0, |row| row.generation)
    }
}

fn owner_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<OwnerRow> {
    let (domain, product): (Option<Hash>, Option<Name>) = (row.get(0)?, row.get(1)?);
    Ok(OwnerRow {
        owner: domain.zip(product).map(|(domain, product)| Owner { domain, product }),
        channel: row.get(2)?,
        generation: row.get(3)?,
    })
}

/// Returns whose a UUID is; nothing when no release ever stated it.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn find(connection: &Connection, id: &Uuid) -> Result<Option<OwnerRow>> {
    connection
        .prepare_cached(
            "SELECT o.domain, o.product, s.channel, o.generation FROM owner o LEFT JOIN scope s ON s.id = o.live_in WHERE o.id = ?",
        )
        .and_then(|mut select| select.query_row([id], owner_row).optional())
        .sql("look for the owner")
}

/// Judges what a release states, whether or not it is to go live.
///
/// # Errors
///
/// `E-POLICY foreign-target` when something belongs to another product or trust domain, or is a target made here; those of
/// [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn judge(connection: &Connection, scope: &Scope, set: &TargetSet) -> Result<Claims> {
    let mut claims = Claims::default();
    let mut foreign: Vec<(Uuid, Option<Owner>)> = Vec::new();
    for id in set.stated() {
        match standing(connection, scope, &id)? {
            Standing::New => claims.new.push(id),
            Standing::Own | Standing::RemovedHere => {}
            Standing::GoesOver => claims.taken_over.push(id),
            Standing::Held(channel) => {
                claims.held.get_or_insert_with(|| Held {
                    id,
                    by: Scope {
                        channel,
                        ..scope.clone()
                    },
                });
            }
            Standing::MadeHere => foreign.push((id, None)),
            Standing::Foreign(owner) => foreign.push((id, Some(owner))),
        }
    }
    match foreign.as_slice() {
        [] => Ok(claims),
        foreign => Err(foreign::not_its_own(scope, foreign)),
    }
}

fn standing(connection: &Connection, scope: &Scope, id: &Uuid) -> Result<Standing> {
    let Some(row) = find(connection, id)? else {
        return Ok(Standing::New);
    };
    let Some(owner) = row.owner else {
        let removed = local_removals::contains(connection, &Owner::of(scope), id)?;
        return Ok(if removed { Standing::RemovedHere } else { Standing::New });
    };
    if !owner.is_of(scope) {
        let between_products = owner.domain == scope.domain && row.channel.is_none();
        return Ok(if between_products && is_let_go(connection, &owner, id)? {
            Standing::GoesOver
        } else {
            Standing::Foreign(owner)
        });
    }
    if is_made_here(connection, id)? {
        return Ok(Standing::MadeHere);
    }
    Ok(match row.channel {
        Some(channel) if channel != scope.channel => Standing::Held(channel),
        _ => Standing::Own,
    })
}

/// Whether a live release of a product lets a UUID go: of a channel that stated it, which names it as removed, or for a deployment the
/// target on which that product had it (a removed target covers its deployments); and no other channel has it in the release that
/// speaks for it.
fn is_let_go(connection: &Connection, owner: &Owner, id: &Uuid) -> Result<bool> {
    connection
        .prepare_cached(
            "WITH own AS (
                 SELECT s.id AS scope, r.id AS release, r.state FROM scope s JOIN release r ON r.scope = s.id
                 WHERE s.domain = ?2 AND s.product = ?3),
             stating AS (
                 SELECT o.scope, o.release, o.state FROM own o WHERE EXISTS (
                     SELECT 1 FROM release_target t WHERE t.release = o.release AND t.target = ?1)
                 OR EXISTS (SELECT 1 FROM release_deployment d WHERE d.release = o.release AND d.deployment = ?1)),
             letting AS (
                 SELECT o.scope FROM own o JOIN release_removal m ON m.release = o.release
                 WHERE o.state = 'active' AND o.scope IN (SELECT scope FROM stating) AND m.id IN (
                     SELECT ?1 UNION ALL SELECT d.target FROM own a JOIN release_deployment d
                     ON d.release = a.release AND d.deployment = ?1))
             SELECT EXISTS (SELECT 1 FROM letting) AND NOT EXISTS (
                 SELECT 1 FROM stating t WHERE t.scope NOT IN (SELECT scope FROM letting) AND (t.state = 'active'
                   OR t.state = 'available' AND NOT EXISTS (SELECT 1 FROM own a WHERE a.scope = t.scope AND a.state = 'active')))",
        )
        .and_then(|mut select| select.query_row(params![id, owner.domain, owner.product], |row| row.get(0)))
        .sql("look for a removal")
}

/// Whether a UUID is that of a target made here.
fn is_made_here(connection: &Connection, id: &Uuid) -> Result<bool> {
    connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM local_target WHERE target = ?)")
        .and_then(|mut select| select.query_row([id], |row| row.get(0)))
        .sql("look for a local target")
}

/// Keeps whose the UUIDs of a release are; called once, when it is published. What goes over takes neither secret nor token along.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub(super) fn record(transaction: &Transaction<'_>, scope: &Scope, claims: &Claims) -> Result<()> {
    for id in &claims.taken_over {
        lose(transaction, id, "gone-over")?;
    }
    for id in claims.new.iter().chain(&claims.taken_over) {
        transaction
            .prepare_cached(
                "INSERT INTO owner (id, domain, product, generation) VALUES (?1, ?2, ?3, 0)
                 ON CONFLICT DO UPDATE SET domain = excluded.domain, product = excluded.product",
            )
            .and_then(|mut insert| insert.execute(params![id, scope.domain, scope.product]))
            .sql("record the owner")?;
    }
    if claims.new.is_empty() && claims.taken_over.is_empty() {
        return Ok(());
    }
    raise_edition(transaction)
}

/// Ends what the present owner of a UUID has by it: secret, tokens, and the way back to releases that state it.
fn lose(transaction: &Transaction<'_>, id: &Uuid, why: &'static str) -> Result<()> {
    transaction
        .execute(
            "INSERT INTO lost_claim (release, id, why)
             SELECT r.id, o.id, ?2 FROM owner o JOIN scope s ON s.domain = o.domain AND s.product = o.product
             JOIN release r ON r.scope = s.id WHERE o.id = ?1
             AND (EXISTS (SELECT 1 FROM release_target t WHERE t.release = r.id AND t.target = o.id)
               OR EXISTS (SELECT 1 FROM release_deployment d WHERE d.release = r.id AND d.deployment = o.id))
             ON CONFLICT DO UPDATE SET why = excluded.why",
            params![id, why],
        )
        .sql("record what was lost")?;
    transaction
        .execute("DELETE FROM target_secret WHERE target = ?", [id])
        .sql("delete the secret")?;
    transaction
        .execute(
            "UPDATE owner SET domain = NULL, product = NULL, live_in = NULL, generation = generation + 1 WHERE id = ?",
            [id],
        )
        .sql("record the owner")?;
    Ok(())
}

/// Checks that a release may become the live one of its scope: that everything it states is its product's still, and that no other
/// channel has it live.
///
/// # Errors
///
/// `E-POLICY foreign-target` with the reason; those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub(super) fn check_activation(
    connection: &Connection,
    release: ReleaseId,
    scope: &Scope,
    set: &TargetSet,
) -> Result<()> {
    let mut foreign = Vec::new();
    for id in set.stated() {
        if let Some(why) = lost_since(connection, release, &id)? {
            let now = find(connection, &id)?
                .and_then(|row| row.owner)
                .filter(|owner| !owner.is_of(scope));
            let now = now.map_or_else(String::new, |owner| format!(", and belongs to {owner} now"));
            return Err(
                foreign::refusal(format!("the release of {scope} states {id}, which {why} since{now}"))
                    .expected("a release that states what is its product's")
                    .remedy("make another release live, or ask the vendor for one without it"),
            );
        }
        match standing(connection, scope, &id)? {
            Standing::Own | Standing::RemovedHere => {}
            Standing::Held(channel) => {
                let by = Scope {
                    channel,
                    ..scope.clone()
                };
                return Err(Held { id, by }.error(scope));
            }
            Standing::MadeHere => foreign.push((id, None)),
            Standing::Foreign(owner) => foreign.push((id, Some(owner))),
            // A release that was published has claimed what it states.
            Standing::New | Standing::GoesOver => {
                return Err(Error::new(
                    Class::State,
                    "owner-missing",
                    format!("the database does not say whose {id} is, which the release of {scope} states"),
                )
                .remedy("end airlock serve, then put a whole copy of the state folder in its place"));
            }
        }
    }
    if foreign.is_empty() {
        Ok(())
    } else {
        Err(foreign::not_its_own(scope, &foreign))
    }
}

fn lost_since(connection: &Connection, release: ReleaseId, id: &Uuid) -> Result<Option<&'static str>> {
    let why: Option<String> = connection
        .prepare_cached("SELECT why FROM lost_claim WHERE release = ? AND id = ?")
        .and_then(|mut select| select.query_row(params![release.0, id], |row| row.get(0)).optional())
        .sql("look for what was lost")?;
    Ok(why.map(|why| match why.as_str() {
        "freed" => "was let go here with `airlock target free`",
        _ => "went over to another product",
    }))
}

/// Keeps which channel has what live, and ends the tokens of targets that the release names as removed. Of another scope's it ends
/// none: `removed` touches its own scope only.
pub(super) fn go_live(transaction: &Transaction<'_>, release: ReleaseId, scope: &Scope) -> Result<()> {
    let scope_id: i64 = transaction
        .query_row("SELECT scope FROM release WHERE id = ?", [release.0], |row| row.get(0))
        .sql("read the scope")?;
    transaction
        .execute(
            "WITH gone (id) AS (
               SELECT o.id FROM release_removal m JOIN owner o ON o.id = m.id
               WHERE m.release = ?1 AND o.domain = ?2 AND o.product = ?3 AND (o.live_in = ?4 OR o.live_in IS NULL AND o.id IN (
                 SELECT t.target FROM release l JOIN release_target t ON t.release = l.id WHERE l.scope = ?4
                 UNION ALL SELECT d.deployment FROM release l JOIN release_deployment d ON d.release = l.id WHERE l.scope = ?4)))
             UPDATE owner SET generation = generation + 1
             WHERE id IN (SELECT id FROM gone UNION SELECT target FROM local_target WHERE template IN (SELECT id FROM gone))",
            params![release.0, scope.domain, scope.product, scope_id],
        )
        .sql("end the tokens of removed targets")?;
    transaction
        .execute("UPDATE owner SET live_in = NULL WHERE live_in = ?", [scope_id])
        .sql("record what is live")?;
    transaction
        .execute(
            "UPDATE owner SET live_in = ?4 WHERE domain = ?2 AND product = ?3 AND id IN (
               SELECT target FROM release_target WHERE release = ?1
               UNION SELECT deployment FROM release_deployment WHERE release = ?1)",
            params![release.0, scope.domain, scope.product, scope_id],
        )
        .sql("record what is live")?;
    Ok(())
}

/// Lets a target made here count as that product's which has its template; says whether there was one.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub(super) fn add_local(transaction: &Transaction<'_>, target: &Uuid, template: &Uuid) -> Result<bool> {
    let added = transaction
        .execute(
            "INSERT INTO owner (id, domain, product, generation)
             SELECT ?1, domain, product, 0 FROM owner WHERE id = ?2 AND domain IS NOT NULL",
            [target, template],
        )
        .sql("record the owner")?;
    Ok(added > 0)
}

/// Ends the tokens of a target.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn end_tokens(transaction: &Transaction<'_>, target: &Uuid) -> Result<()> {
    transaction
        .execute("UPDATE owner SET generation = generation + 1 WHERE id = ?", [target])
        .sql("end the tokens of the target")?;
    Ok(())
}

/// Lets a UUID go: its secret is deleted, its tokens are dead, it counts as removed here for its former owner, and the next that states
/// it has it. Returns the former owner; nothing when it was nobody's already.
///
/// # Errors
///
/// `E-USAGE uuid` when no release ever stated it, or for a target made here; `E-USAGE template` when targets made here follow it; those
/// of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn free(transaction: &Transaction<'_>, id: &Uuid, at: Timestamp) -> Result<Option<Owner>> {
    let row = check_free(transaction, id)?;
    let Some(owner) = row.owner else { return Ok(None) };
    local_removals::set(transaction, &owner, id, true, at)?;
    lose(transaction, id, "freed")?;
    raise_edition(transaction)?;
    Ok(Some(owner))
}

/// Checks that a UUID can be let go, and returns whose it is.
///
/// # Errors
///
/// As [`free`].
pub fn check_free(connection: &Connection, id: &Uuid) -> Result<OwnerRow> {
    let Some(row) = find(connection, id)? else {
        return Err(Error::new(
            Class::Usage,
            "uuid",
            format!("no release that was imported here ever stated {id}"),
        )
        .expected("the UUID of a target or deployment, as a refusal or `airlock release show` names it"));
    };
    if is_made_here(connection, id)? {
        return Err(Error::new(Class::Usage, "uuid", format!("{id} is a target made here"))
            .remedy(format!("take it away with `airlock target remove {id}`")));
    }
    check_unfollowed(connection, id)?;
    Ok(row)
}

/// Checks that no target made here follows a target.
///
/// # Errors
///
/// `E-USAGE template` with the names of all that do; those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn check_unfollowed(connection: &Connection, id: &Uuid) -> Result<()> {
    const SQL: &str = "look for targets that follow it";
    let mut select = connection
        .prepare_cached("SELECT name FROM local_target WHERE template = ? ORDER BY name")
        .sql(SQL)?;
    let names = select.query_map([id], |row| row.get::<_, String>(0)).sql(SQL)?;
    let names: rusqlite::Result<Vec<String>> = names.map(|name| Ok(format!("{:?}", name?))).collect();
    let names = names.sql(SQL)?;
    if names.is_empty() {
        return Ok(());
    }
    let noun = if names.len() == 1 { "target" } else { "targets" };
    Err(Error::new(
        Class::Usage,
        "template",
        format!("{id} is followed by the {noun} {}, made here", names.join(", ")),
    )
    .remedy("remove what follows it first: `airlock target remove NAME`"))
}

/// Gives a UUID that was let go, and that nobody stated since, back to the product from which it was taken. One that is that product's
/// stays so.
///
/// # Errors
///
/// `E-POLICY foreign-target` when it is another's by now; those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn take_back(transaction: &Transaction<'_>, owner: &Owner, id: &Uuid) -> Result<()> {
    let now = find(transaction, id)?.and_then(|row| row.owner);
    if let Some(now) = now.filter(|now| now != owner) {
        return Err(
            foreign::refusal(format!("{id} was let go here, and belongs to {now} now"))
                .expected("a UUID that nobody stated since"),
        );
    }
    let taken = transaction
        .execute(
            "UPDATE owner SET domain = ?2, product = ?3, live_in = (
               SELECT r.scope FROM scope s JOIN release r ON r.scope = s.id AND r.state = 'active'
               WHERE s.domain = ?2 AND s.product = ?3
               AND (EXISTS (SELECT 1 FROM release_target t WHERE t.release = r.id AND t.target = ?1)
                 OR EXISTS (SELECT 1 FROM release_deployment d WHERE d.release = r.id AND d.deployment = ?1))
               ORDER BY r.activated_at, r.id LIMIT 1)
             WHERE id = ?1 AND domain IS NULL",
            params![id, owner.domain, owner.product],
        )
        .sql("record the owner")?;
    if taken > 0 {
        transaction
            .execute(
                "DELETE FROM lost_claim WHERE id = ?1 AND release IN (
                   SELECT r.id FROM release r JOIN scope s ON s.id = r.scope WHERE s.domain = ?2 AND s.product = ?3)",
                params![id, owner.domain, owner.product],
            )
            .sql("record the owner")?;
    }
    Ok(())
}

impl Claims {
    /// Adds what goes over, and why the release cannot go live, to an audit row; lists are cut.
    pub(super) fn write_to(&self, detail: &mut Value) {
        let Some(members) = detail.as_object_mut() else { return };
        if !self.taken_over.is_empty() {
            let ids: Vec<String> = self.taken_over.iter().take(NAMED).map(ToString::to_string).collect();
            if self.taken_over.len() > ids.len() {
                members.insert("taken_over_count".into(), self.taken_over.len().into());
            }
            members.insert("taken_over".into(), ids.into());
        }
        if let Some(held) = &self.held {
            members.insert("held".into(), held.to_json());
        }
    }
}

impl Held {
    /// Returns it as the refusal of an activation.
    fn error(&self, scope: &Scope) -> Error {
        foreign::refusal(format!(
            "the release of {scope} states {}, which the live release of {} has",
            self.id, self.by
        ))
        .expected("one channel of a product for each target and deployment")
        .remedy(format!(
            "make a release of {} live that has it no more, then this one",
            self.by
        ))
    }

    /// Returns it for machines.
    pub fn to_json(&self) -> Value {
        serde_json::json!({"channel": self.by.channel, "code": FOREIGN, "id": self.id, "product": self.by.product})
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "it cannot go live ({FOREIGN}): it states {}, which the live release of {} has",
            self.id, self.by
        )
    }
}

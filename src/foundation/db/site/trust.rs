//! Root links of every trust domain, kept as they were accepted. Reading them proves nothing: they are walked again from
//! the pinned root.

use rusqlite::{Connection, Transaction, params};

use crate::crypto::{Chain, Envelope, canonical};
use crate::db::SqlResult as _;
use crate::domain::{Class, Error, Hash, Result, Timestamp};

/// Keeps every link of a chain that is not kept yet.
///
/// # Errors
///
/// `E-STATE other-root` when a kept link of the same version has another payload; those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn store_chain(transaction: &Transaction<'_>, chain: &Chain, at: Timestamp) -> Result<()> {
    let domain = chain.domain();
    let kept = envelopes(transaction, domain)?;
    for version in 1..=chain.newest().version {
        let envelope = chain
            .envelope(version)
            .expect("a chain has every version up to its newest");
        let place = usize::try_from(version - 1).unwrap_or(usize::MAX);
        match kept.get(place) {
            Some(kept) if kept.payload == envelope.payload => {}
            Some(_) => {
                return Err(Error::new(
                    Class::State,
                    "other-root",
                    format!("the kept root {version} of domain {domain} is another document"),
                )
                .remedy("end airlock serve, then put a whole copy of the state folder in its place"));
            }
            None => {
                transaction
                    .execute(
                        "INSERT INTO trust_root (domain, version, envelope, accepted_at) VALUES (?, ?, ?, ?)",
                        params![domain, version, canonical::to_vec(envelope), at],
                    )
                    .sql("keep the root link")?;
            }
        }
    }
    Ok(())
}

/// Walks the kept links from the pinned chain: the newest state of trust that this appliance has accepted.
///
/// # Errors
///
/// `E-STATE trust-damaged` when a kept link does not hold; those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn load_chain(connection: &Connection, pinned: &Chain) -> Result<Chain> {
    let kept = envelopes(connection, pinned.domain())?;
    let step = pinned.extend(kept.get(1..).unwrap_or_default());
    match step.refusal {
        None => Ok(step.chain),
        Some(refusal) => Err(Error::new(
            Class::State,
            "trust-damaged",
            format!(
                "the kept root links of domain {} do not hold: {refusal}",
                pinned.domain()
            ),
        )
        .expected("the links that were accepted")
        .remedy("end airlock serve, then put a whole copy of the state folder in its place")
        .with_source(refusal)),
    }
}

/// Returns the trust domains with kept links.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn domains(connection: &Connection) -> Result<Vec<Hash>> {
    let mut select = connection
        .prepare_cached("SELECT DISTINCT domain FROM trust_root ORDER BY domain")
        .sql("read the trust domains")?;
    let rows = select.query_map([], |row| row.get(0)).sql("read the trust domains")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the trust domains")
}

fn envelopes(connection: &Connection, domain: Hash) -> Result<Vec<Envelope>> {
    let mut select = connection
        .prepare_cached("SELECT version, envelope FROM trust_root WHERE domain = ? ORDER BY version")
        .sql("read the root links")?;
    let rows = select
        .query_map([domain], |row| Ok((row.get::<_, u64>(0)?, row.get::<_, Vec<u8>>(1)?)))
        .sql("read the root links")?;
    let mut envelopes = Vec::new();
    for row in rows {
        let (version, bytes) = row.sql("read the root links")?;
        if version != envelopes.len() as u64 + 1 {
            return Err(Error::new(
                Class::State,
                "trust-damaged",
                format!("kept root {} of domain {domain} is missing", envelopes.len() + 1),
            )
            .remedy("end airlock serve, then put a whole copy of the state folder in its place"));
        }
        envelopes.push(
            canonical::envelopes_from_slice(&bytes, "a kept root link").map_err(|error| {
                error
                    .reclassified(Class::State, "trust-damaged")
                    .remedy("end airlock serve, then put a whole copy of the state folder in its place")
            })?,
        );
    }
    Ok(envelopes)
}

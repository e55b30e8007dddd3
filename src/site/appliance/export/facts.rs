//! What a head says before any line is written: whose package it is, its number, and where its ranges begin (M-83, M-86, M-87, M-91).

use crate::appliance::state::Appliance;
use crate::appliance::status::Stream;
use crate::bundle;
use crate::container::Builder;
use crate::crypto::{Chain, canonical};
use crate::db::Connection;
use crate::db::site::acknowledgements::{self, Reached};
use crate::db::site::{instances, packages, receipts, release, stream_log};
use crate::domain::{Class, Error, Hash, InstanceId, Result, Timestamp};
use crate::package::{Acknowledged, Head, LineageEntry, Numbers, Shows, Statement};

/// What is known of a package before its lines are.
pub(super) struct Facts {
    pub(super) statement: Statement,
    /// The last number of each kind that the stream has.
    pub(super) lasts: Numbers,
}

/// For whom, by whom, and what.
pub(super) struct Asked<'a> {
    pub(super) appliance: &'a Appliance,
    pub(super) chain: &'a Chain,
    pub(super) instance: &'a InstanceId,
    pub(super) shows: &'a Shows,
}

impl Facts {
    /// Reads them for a stream that was frozen.
    ///
    /// # Errors
    ///
    /// `E-STATE audit-broken` when the log lacks what was acknowledged; those of the database.
    pub(super) fn read(connection: &Connection, stream: &Stream, asked: &Asked<'_>) -> Result<Self> {
        let domain = stream.domain;
        let made_at = stream.frozen_at.ok_or_else(|| {
            Error::new(
                Class::Internal,
                "status-writer",
                "a stream that is to be told was not frozen",
            )
        })?;
        let before = packages::newest_signed(connection, domain, asked.instance)?;
        let reached = acknowledgements::reached(connection, domain)?;
        let firsts = firsts(&reached, before.as_ref())?;
        let seal = stream_log::seal(connection, domain, firsts.audit.saturating_sub(1))?;
        let lasts = Numbers {
            audit: stream_log::newest(connection, domain)?.0,
            receipts: receipts::next_number(connection, domain)?.saturating_sub(1),
            records: stream.frozen,
        };
        Ok(Self {
            statement: Statement {
                acknowledged: acknowledged(&reached),
                before: seal.ok_or_else(|| too_short(domain, firsts.audit))?,
                builder: Builder::current(),
                domain,
                firsts,
                instance: asked.instance.clone(),
                lineage: lineage(connection, domain)?,
                made_at,
                number: before.as_ref().map_or(1, |before| before.number.saturating_add(1)),
                previous: before.map(|before| before.head),
                shows: asked.shows.clone(),
                site: asked.appliance.site().clone(),
                statement: newest_statement(connection, asked.chain)?,
            },
            lasts: Numbers {
                audit: lasts.audit.max(firsts.audit.saturating_sub(1)),
                receipts: lasts.receipts.max(firsts.receipts.saturating_sub(1)),
                records: lasts.records.max(firsts.records.saturating_sub(1)),
            },
        })
    }
}

/// Returns up to which numbers a stream is acknowledged.
pub(super) fn numbers(reached: &Reached) -> Numbers {
    Numbers {
        audit: reached.audit,
        receipts: reached.receipts,
        records: reached.records,
    }
}

/// Right after what was acknowledged, so that the package covers every one that was lost; within a run behind the package before.
fn firsts(reached: &Reached, before: Option<&packages::PackageRow>) -> Result<Numbers> {
    let mut firsts = Numbers {
        audit: reached.audit.saturating_add(1),
        receipts: reached.receipts.saturating_add(1),
        records: reached.records.saturating_add(1),
    };
    if let Some(before) = before.filter(|before| before.cut) {
        let lasts = own_head(&before.bytes)?.lasts();
        firsts.audit = firsts.audit.max(lasts.audit.saturating_add(1));
        firsts.receipts = firsts.receipts.max(lasts.receipts.saturating_add(1));
        firsts.records = firsts.records.max(lasts.records.saturating_add(1));
    }
    Ok(firsts)
}

/// Reads a head that this appliance wrote.
///
/// # Errors
///
/// `E-FORMAT` for what is none.
pub(in crate::appliance) fn own_head(bytes: &[u8]) -> Result<Head> {
    canonical::from_slice(bytes, "the head of an earlier package")
}

fn acknowledged(reached: &Reached) -> Option<Acknowledged> {
    (reached.number > 0).then_some(Acknowledged {
        audit: reached.audit,
        number: reached.number,
        receipts: reached.receipts,
        records: reached.records,
    })
}

fn lineage(connection: &Connection, domain: Hash) -> Result<Vec<LineageEntry>> {
    let starts = instances::lineage(connection, domain)?.into_iter();
    let entries = starts.map(|start| LineageEntry {
        audit: start.audit,
        instance: start.instance,
        receipts: start.receipts,
        records: start.records,
    });
    Ok(entries.collect())
}

/// The newest time at which the vendor signed something that was verified here: its roots, and the releases that are retained. What of a
/// kept head cannot be read is damage of its own, and says no time.
fn newest_statement(connection: &Connection, chain: &Chain) -> Result<Timestamp> {
    let newest = chain.newest();
    let roots = (1..=newest.version).filter_map(|version| chain.document(version));
    let mut at = roots.fold(newest.issued_at, |at, root| at.max(root.issued_at));
    for release in release::list(connection)? {
        if release.scope.domain != chain.domain() {
            continue;
        }
        if let Ok(head) = bundle::Head::parse(&release::signed(connection, release.id)?.head) {
            at = at.max(head.issued_at);
        }
    }
    Ok(at)
}

fn too_short(domain: Hash, first: u64) -> Error {
    Error::new(
        Class::State,
        "audit-broken",
        format!(
            "row {} of the stream log of the trust domain {domain}, which its vendor acknowledged, is missing",
            first.saturating_sub(1)
        ),
    )
    .expected("a log that only grows")
    .remedy("end airlock serve, keep a copy of the state folder as evidence, then put a whole copy of it from before in its place")
}

//! What the start leaves out, checked in the background: whether every blob of every release is there, index pages and documents of the
//! live releases, the seals of the audit log, and the structure of the database.
//!
//! Nothing here holds what requests wait for: files are read without a lock, and the database through a connection of its own.

use super::generation::Generation;
use super::health::{Check, Health};
use super::live_state::Live;
use crate::appliance::Appliance;
use crate::bundle::Head;
use crate::db::site::{damage, release};
use crate::domain::{Class, Digest, Result};
use crate::panics::{self, caught};

/// Checks everything once; ends early when `stop` says so. What is damaged is written down by the store, and told from there. Says whether
/// the audit log holds.
pub(super) fn check(live: &Live, stop: impl Fn() -> bool) -> bool {
    let documents = caught("index", || {
        panics::point("index");
        check_documents(live.appliance(), &live.generation(), &stop)
    });
    note(live, "index", |health| &mut health.index, &documents.flatten());
    let content = caught("content", || {
        panics::point("content");
        check_content(live.appliance(), &stop)
    });
    note(live, "content", |health| &mut health.content, &content.flatten());
    if stop() || live.appliance().unreadable().is_some() {
        // What is wrong with the database was told with the first answer.
        return true;
    }
    let audit = caught("audit", || {
        panics::point("audit");
        live.appliance().verify_seals().map(|_| ())
    });
    let audit = audit.flatten();
    note(live, "audit", |health| &mut health.audit, &audit);
    if stop() {
        return audit.is_ok();
    }
    let database = caught("database", || {
        panics::point("database");
        live.appliance().db.quick_check()
    });
    let database = database.flatten();
    let database = database.map_err(|error| live.appliance().suspect_database(error));
    note(live, "database", |health| &mut health.database, &database);
    audit.is_ok()
}

/// Says what a check came to. One that ended by a panic has found nothing, and is not taken for passed.
fn note(live: &Live, part: &'static str, check: impl FnOnce(&mut Health) -> &mut Check, result: &Result<()>) {
    if let Err(error) = result {
        tracing::error!(part, %error, "a check of what is served failed");
    }
    live.note(check, Check::of(part, result.as_ref().err()));
}

/// Hashes index pages and documents of the live releases.
fn check_documents(appliance: &Appliance, generation: &Generation, stop: &impl Fn() -> bool) -> Result<()> {
    for live in generation.live() {
        let pages = appliance.db.read(|connection| release::pages(connection, live.id))?;
        let head = appliance
            .db
            .read(|connection| release::signed(connection, live.id))?
            .head;
        // What is wrong with the head itself is told by who loads the generation.
        let documents = Head::parse(&head).map(|head| head.documents).unwrap_or_default();
        let pages = pages.iter().map(|page| (Digest(page.sha256), page.size));
        let documents = documents.iter().map(|document| (document.digest, document.size));
        for (digest, size) in pages.chain(documents) {
            if stop() {
                return Ok(());
            }
            appliance.store.check(&digest, size)?;
        }
    }
    Ok(())
}

/// Looks whether every blob is there and has its size.
fn check_content(appliance: &Appliance, stop: &impl Fn() -> bool) -> Result<()> {
    for content in appliance.db.read(damage::contents)? {
        if stop() {
            return Ok(());
        }
        match appliance.store.check_size(&content.digest, content.size) {
            // The blob cannot even be set aside; the others can be looked at all the same.
            Err(error) if error.class() == Class::State => {
                tracing::error!(%error, digest = %content.digest, "damaged content could not be set aside");
            }
            other => {
                other?;
            }
        }
    }
    Ok(())
}

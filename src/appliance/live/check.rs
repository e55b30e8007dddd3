//! What the start leaves out, checked in the background: index pages of the live releases, and the structure of the database.

use super::generation::Generation;
use super::health::Check;
use super::live_state::Live;
use crate::appliance::Appliance;
use crate::db::site::{Page, release};
use crate::domain::{Class, Digest, Error, Result, limits};

/// Checks everything once; ends early when `stop` says so.
pub(super) fn check(live: &Live, stop: impl Fn() -> bool) {
    let pages = check_pages(live.appliance(), &live.generation(), &stop);
    if let Err(error) = &pages {
        tracing::error!(%error, "an index page is damaged");
    }
    live.note(|health| &mut health.index, Check::from(pages));
    if stop() {
        return;
    }
    let database = live.appliance().db.quick_check();
    if let Err(error) = &database {
        tracing::error!(%error, "the database is damaged");
    }
    live.note(|health| &mut health.database, Check::from(database));
}

fn check_pages(appliance: &Appliance, generation: &Generation, stop: &impl Fn() -> bool) -> Result<()> {
    for live in generation.live() {
        for Page { sha256, size } in appliance.db.read(|c| release::pages(c, live.id))? {
            if stop() {
                return Ok(());
            }
            let damaged = |found: &str| {
                Error::new(
                    Class::State,
                    "page-damaged",
                    format!("index page {sha256} of release {} {found}", live.counter),
                )
                .expected("the page that was imported")
                .remedy("restore the state folder")
            };
            let read = appliance.store.read(&Digest(sha256), limits::PAGE_BYTES as u64);
            let bytes = read.map_err(|error| damaged("cannot be read").with_source(error))?;
            if bytes.len() as u64 != size {
                return Err(damaged("has another size"));
            }
        }
    }
    Ok(())
}

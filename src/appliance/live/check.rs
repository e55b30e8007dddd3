//! What the start leaves out, checked in the background: index pages of the live releases, and the structure of the database.

use super::generation::Generation;
use super::health::{Check, Health};
use super::live_state::Live;
use crate::appliance::Appliance;
use crate::db::site::{Page, release};
use crate::domain::{Class, Digest, Error, Result, limits};
use crate::panics::{self, caught};

/// Checks everything once; ends early when `stop` says so.
pub(super) fn check(live: &Live, stop: impl Fn() -> bool) {
    let index = caught("index", || {
        panics::point("index");
        check_pages(live.appliance(), &live.generation(), &stop)
    });
    note(live, "index", |health| &mut health.index, &index.flatten());
    if stop() {
        return;
    }
    let database = caught("database", || {
        panics::point("database");
        live.appliance().db.quick_check()
    });
    note(live, "database", |health| &mut health.database, &database.flatten());
}

/// Says what a check came to. One that ended by a panic has found nothing, and is not taken for passed.
fn note(live: &Live, part: &'static str, check: impl FnOnce(&mut Health) -> &mut Check, result: &Result<()>) {
    if let Err(error) = result {
        tracing::error!(part, %error, "a check of what is served failed");
    }
    live.note(check, Check::of(part, result.as_ref().err()));
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

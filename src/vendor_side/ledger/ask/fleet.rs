//! All sites at once: what is live where since when, how many run, what failed and why, what is stale.

use std::collections::BTreeMap;

use super::limits::{AsOf, Limits};
use super::names::{Named, SiteNames};
use crate::Workspace;
use crate::db::ledger::findings;
use crate::db::ledger::questions::{
    DeploymentNow, Held, NamedTarget, ReceiptRow, Tally, TargetNow, failing, live, newest_of_all, open_refusals_of_all,
    tallies, targets_made_there,
};
use crate::db::ledger::{Site, shown_of_all, sites};
use crate::domain::{Hash, Result, SiteId};

/// What is known of all sites.
#[derive(Debug)]
pub struct FleetAnswer {
    /// A row for each, by name.
    pub sites: Vec<FleetRow>,
}

/// What is known of a site, beside others.
#[derive(Debug)]
pub struct FleetRow {
    /// The site.
    pub site: Site,
    /// As of when; nothing for one that never sent a package.
    pub as_of: Option<AsOf>,
    /// Whether that is too long ago, or nothing is known.
    pub is_stale: bool,
    /// Releases that are live.
    pub live: Vec<Held>,
    /// How many deployments are how.
    pub tally: Tally,
    /// Open findings.
    pub findings: u64,
    /// Deployments whose last status says that something failed.
    pub failing: Vec<(DeploymentNow, Named, Option<NamedTarget>)>,
    /// Refusals after which nothing as new came in.
    pub refusals: Vec<ReceiptRow>,
}

/// Answers what is known of all sites.
///
/// # Errors
///
/// Those of the ledger.
pub fn fleet(workspace: &Workspace, limits: &Limits) -> Result<FleetAnswer> {
    workspace.ledger()?.read(|connection| {
        let lines = shown_of_all(connection)?;
        let newest = newest_of_all(connection)?;
        let mut tallies = tallies(connection, limits.seen_since())?;
        let mut live = by_site(live(connection)?, |held| &held.site);
        let mut failing = by_site(failing(connection)?, |now| &now.site);
        let mut made_there: BTreeMap<SiteId, Vec<TargetNow>> =
            by_site(targets_made_there(connection)?, |target| &target.site);
        let mut refusals = open_refusals_of_all(connection, &lines)?;
        let mut found = BTreeMap::<SiteId, u64>::new();
        for finding in findings::open(connection, None)? {
            let count = found.entry(finding.site).or_default();
            *count = count.saturating_add(1);
        }
        let mut rows = Vec::new();
        for site in sites(connection)? {
            let id = site.site.clone();
            let line = lines.get(&id);
            let package = line.and_then(|line| newest.get(&line.youngest().id));
            let as_of = package.map(|package| AsOf { package: *package });
            let live = live.remove(&id).unwrap_or_default();
            let heads: Vec<Hash> = live.iter().map(|held| held.head).collect();
            let made_there = made_there.remove(&id).unwrap_or_default();
            let names = SiteNames::read(connection, &id, &made_there, heads)?;
            let mut failed = Vec::new();
            for now in failing.remove(&id).unwrap_or_default() {
                let named = names.named(now.deployment, now.runs)?;
                let follows = made_there.iter().find(|target| target.target == now.target);
                let target = names.target(follows.and_then(|target| target.follows).unwrap_or(now.target))?;
                failed.push((now, named, target));
            }
            rows.push(FleetRow {
                is_stale: as_of.is_none_or(|as_of| limits.is_stale(as_of)),
                as_of,
                live,
                tally: tallies.remove(&id).unwrap_or_default(),
                findings: found.remove(&id).unwrap_or_default(),
                failing: failed,
                refusals: refusals.remove(&id).unwrap_or_default(),
                site,
            });
        }
        Ok(FleetAnswer { sites: rows })
    })
}

fn by_site<T>(rows: Vec<T>, site: impl Fn(&T) -> &SiteId) -> BTreeMap<SiteId, Vec<T>> {
    let mut by_site = BTreeMap::<SiteId, Vec<T>>::new();
    for row in rows {
        by_site.entry(site(&row).clone()).or_default().push(row);
    }
    by_site
}

//! Which sites lack a fix or a version (M-114).
//!
//! The first release of each scope that has it is the bar. A site **has** it when every deployment of the scope runs a revision of a
//! release at or above the bar; where it has no deployments of the scope, when what went live last is there. It **lacks** it when
//! one does not. It is **unknown** when the site never reported, its newest package is too old, a deployment is in doubt, or the site
//! does not list one that the release which went live last states for it: that is never counted as has. One deployment that surely lacks
//! it decides before another one's doubt.

use std::collections::{BTreeMap, BTreeSet};

use super::limits::{AsOf, Limits};
use super::names::SiteNames;
use crate::Workspace;
use crate::db::Connection;
use crate::db::ledger::questions::{
    Bar, DeploymentNow, ReceiptRow, ScopeRun, SettledRuns, SignedHeadRow, TargetNow, bars, deployments_now,
    has_unlisted, head_gave, heads_of_scope, live_heads, newest_activated, newest_of_all, scope_sites, stated,
    targets_made_there, told_by_summaries,
};
use crate::db::ledger::{Lineage, Site, shown_of_all, sites};
use crate::domain::{Class, Error, Hash, Result, SiteId, Timestamp, Uuid};

/// Why it is not known what a deployment runs that was signed for a site and that the site does not list.
const UNLISTED: &str = "not listed by the site";

/// The answer.
#[derive(Debug)]
pub struct WhoLacks {
    /// The bar of each scope.
    pub bars: Vec<Bar>,
    /// A row for each site that releases of a scope are for, by bar and name.
    pub rows: Vec<WhoLacksRow>,
}

/// A site, beside a bar.
#[derive(Debug)]
pub struct WhoLacksRow {
    /// The site.
    pub site: Site,
    /// The bar.
    pub bar: Bar,
    /// Whether it has it.
    pub verdict: Verdict,
    /// Why that is unknown, in a stable word: `never`, `stale`, `doubt`.
    pub why: Option<&'static str>,
    /// How many deployments of the scope it has.
    pub deployments: u64,
    /// How many of them surely lack it.
    pub lacking: u64,
    /// The release that runs: of the deployment that decides, or what went live last.
    pub runs: Option<SignedHeadRow>,
    /// Whether something runs that no signed release of the scope knows.
    pub runs_unknown: bool,
    /// Since when it is so.
    pub since: Option<Timestamp>,
    /// The state of the deployment that decides.
    pub state: Option<String>,
    /// Why it is not known what that runs.
    pub doubt: Option<String>,
    /// As of when, by the newest package.
    pub as_of: Option<AsOf>,
    /// As of when, where a summary says of the deployment that decides what no package says yet.
    pub by_summary: Option<Timestamp>,
}

impl WhoLacksRow {
    /// Returns the bar where what runs is of a release below it and has it all the same: the release at the bar states the same for what runs.
    pub fn unchanged_in(&self) -> Option<&Bar> {
        let runs = self.runs.as_ref().filter(|_| self.verdict == Verdict::Has)?;
        let is_below =
            (&runs.product, &runs.channel) != (&self.bar.product, &self.bar.channel) || runs.counter < self.bar.counter;
        is_below.then_some(&self.bar)
    }
}

/// Whether a site has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the words say it")]
pub enum Verdict {
    Has,
    Lacks,
    Unknown,
}

impl Verdict {
    /// Returns the word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Has => "has",
            Self::Lacks => "lacks",
            Self::Unknown => "unknown",
        }
    }
}

/// Deployments of a site that run one thing; what is said of one is said of the first.
struct Judged {
    deployments: u64,
    deployment: Uuid,
    runs: Option<Uuid>,
    head: Option<u64>,
    is_settled: bool,
    verdict: Verdict,
    since: Option<Timestamp>,
    state: Option<String>,
    doubt: Option<String>,
}

/// Answers which sites lack a fix or a version; `as_of_max` seconds is the age above which a package says nothing any more.
///
/// # Errors
///
/// `E-USAGE no-fix` for what no release here has; those of the ledger.
pub fn who_lacks(workspace: &Workspace, fix_or_version: &str, limits: &Limits) -> Result<WhoLacks> {
    workspace.ledger()?.read(|connection| {
        let bars = bars(connection, fix_or_version)?;
        if bars.is_empty() {
            return Err(Error::new(
                Class::Usage,
                "no-fix",
                format!("no release that was signed here fixes {fix_or_version:?} or is called so"),
            )
            .expected("an id under `fixes:` of a release, or a release's version or number such as 0.8")
            .remedy("look at `airlock vendor ledger show`; fixes of a release that was signed elsewhere are added with `airlock vendor ledger learn FILE --fixes ID`"));
        }
        let fleet = Fleet::read(connection)?;
        let mut rows = Vec::new();
        for bar in &bars {
            fleet.judge(bar, limits, &mut rows)?;
        }
        Ok(WhoLacks { bars, rows })
    })
}

/// What is read once for all bars.
struct Fleet<'a> {
    connection: &'a Connection,
    sites: Vec<Site>,
    lines: BTreeMap<SiteId, Lineage>,
    as_of: BTreeMap<SiteId, AsOf>,
    made_there: BTreeMap<SiteId, Vec<TargetNow>>,
    /// Heads that are live at sites.
    live: BTreeMap<SiteId, Vec<Hash>>,
    settled: SettledRuns,
    by_summary: BTreeMap<(SiteId, Uuid), Timestamp>,
}

/// What is read once for all sites of a bar.
struct Signed {
    /// All releases of the scope.
    heads: Vec<SignedHeadRow>,
    /// How many deployments they state for which site; `""` is every one.
    stated: BTreeMap<String, u64>,
}

impl<'a> Fleet<'a> {
    fn read(connection: &'a Connection) -> Result<Self> {
        let lines = shown_of_all(connection)?;
        let newest = newest_of_all(connection)?;
        let as_of = lines
            .iter()
            .filter_map(|(site, line)| {
                let package = *newest.get(&line.youngest().id)?;
                Some((site.clone(), AsOf { package }))
            })
            .collect();
        let mut made_there = BTreeMap::<SiteId, Vec<TargetNow>>::new();
        for target in targets_made_there(connection)? {
            made_there.entry(target.site.clone()).or_default().push(target);
        }
        let sites = sites(connection)?;
        Ok(Self {
            live: live_heads(connection)?,
            settled: SettledRuns::read(connection)?,
            by_summary: told_by_summaries(connection)?,
            connection,
            // Nothing of a site that was withdrawn counts any more.
            sites: sites.into_iter().filter(|site| site.withdrawn_at.is_none()).collect(),
            lines,
            as_of,
            made_there,
        })
    }

    fn judge(&self, bar: &Bar, limits: &Limits, rows: &mut Vec<WhoLacksRow>) -> Result<()> {
        let (product, channel) = (&bar.product, &bar.channel);
        let heads = heads_of_scope(self.connection, product, channel)?;
        let ids: Vec<u64> = heads.iter().filter_map(|head| head.id).collect();
        let good = heads.iter().filter(|head| head.counter >= bar.counter);
        let good: Vec<u64> = good.filter_map(|head| head.id).collect();
        let runs = self.settled.of_scope(self.connection, product, channel, &ids, &good)?;
        let mut deployments = BTreeMap::<SiteId, Vec<Judged>>::new();
        for run in runs {
            deployments.entry(run.site.clone()).or_default().push(judged(run));
        }
        let signed = Signed {
            heads,
            stated: stated(self.connection, product, channel)?,
        };
        let concerned: BTreeSet<String> = scope_sites(self.connection, product, channel)?.into_iter().collect();
        for site in &self.sites {
            if !concerned.contains("") && !concerned.contains(site.site.as_str()) {
                continue;
            }
            let mut own = deployments.remove(&site.site).unwrap_or_default();
            let names = self.names(site)?;
            if let Some(names) = &names {
                own.extend(self.judged_made_there(site, bar, names)?);
            }
            rows.push(self.row(site, bar, limits, &signed, own)?);
        }
        Ok(())
    }

    /// Names of the targets that were made at a site; none where there are none.
    fn names<'s>(&'s self, site: &'s Site) -> Result<Option<SiteNames<'s>>> {
        let Some(targets) = self.made_there.get(&site.site) else {
            return Ok(None);
        };
        SiteNames::read(self.connection, &site.site, targets, Vec::new()).map(Some)
    }

    /// Deployments of targets that were made at the site, by those that they follow.
    fn judged_made_there(&self, site: &Site, bar: &Bar, names: &SiteNames<'_>) -> Result<Vec<Judged>> {
        let mut found = Vec::new();
        for now in deployments_now(self.connection, &site.site)? {
            let targets = self.made_there.get(&site.site).map_or(&[][..], Vec::as_slice);
            if !targets.iter().any(|target| target.target == now.target) {
                continue;
            }
            let named = names.deployment(now.deployment)?;
            if named.is_none_or(|named| (&named.product, &named.channel) != (&bar.product, &bar.channel)) {
                continue;
            }
            let is_in = match now.runs {
                Some(runs) => is_at_or_above(&names.releases(now.deployment, runs)?, bar),
                None => false,
            };
            found.extend(run_made_there(now, is_in).map(judged));
        }
        Ok(found)
    }

    fn row(
        &self,
        site: &Site,
        bar: &Bar,
        limits: &Limits,
        signed: &Signed,
        deployments: Vec<Judged>,
    ) -> Result<WhoLacksRow> {
        let as_of = self.as_of.get(&site.site).copied();
        let mut row = WhoLacksRow {
            site: site.clone(),
            bar: bar.clone(),
            verdict: Verdict::Unknown,
            why: Some("never"),
            deployments: count(&deployments, |_| true),
            lacking: count(&deployments, |judged| judged.verdict == Verdict::Lacks),
            runs: None,
            runs_unknown: false,
            since: None,
            state: None,
            doubt: None,
            as_of,
            by_summary: None,
        };
        let (Some(as_of), Some(line)) = (as_of, self.lines.get(&site.site)) else {
            return Ok(row);
        };
        self.deciding(site, line, signed, deployments, &mut row)?;
        if limits.is_stale(as_of) {
            (row.verdict, row.why) = (Verdict::Unknown, Some("stale"));
        }
        Ok(row)
    }

    /// Which release's revision runs: that which is live at the site, where it gave the deployment the same one, else the newest.
    fn release(
        &self,
        judged: &Judged,
        runs: Uuid,
        newest: u64,
        heads: &[SignedHeadRow],
        names: &SiteNames<'_>,
        live: &[Hash],
    ) -> Result<Option<SignedHeadRow>> {
        for head in heads.iter().filter(|head| live.contains(&head.head)) {
            let Some(id) = head.id else { continue };
            if id == newest || head_gave(self.connection, id, judged.deployment, runs)? {
                return Ok(Some(head.clone()));
            }
        }
        match heads.iter().find(|head| head.id == Some(newest)) {
            Some(head) => Ok(Some(head.clone())),
            // Another scope's.
            None => names.release(judged.deployment, runs),
        }
    }

    /// Lets the deployment decide that says the worst, or what went live last where there is none.
    fn deciding(
        &self,
        site: &Site,
        line: &Lineage,
        signed: &Signed,
        deployments: Vec<Judged>,
        row: &mut WhoLacksRow,
    ) -> Result<()> {
        let heads = &signed.heads;
        let settled = count(&deployments, |judged| judged.is_settled);
        if deployments.is_empty() {
            let activated = self.activated(line, &row.bar)?;
            let head = activated.as_ref().and_then(|receipt| named(receipt, heads));
            let has = head.is_some_and(|head| head.counter >= row.bar.counter);
            row.verdict = if has { Verdict::Has } else { Verdict::Lacks };
            (row.why, row.runs) = (None, head.cloned());
            row.since = activated.map(|receipt| receipt.at);
            return self.doubt(site, line, signed, settled, row);
        }
        let live = self.live.get(&site.site).cloned().unwrap_or_default();
        let made_there = self.made_there.get(&site.site).map_or(&[][..], Vec::as_slice);
        let names = SiteNames::read(self.connection, &site.site, made_there, live.clone())?;
        let worst = deployments.into_iter().min_by_key(|judged| {
            let order = match judged.verdict {
                Verdict::Lacks => 0,
                Verdict::Unknown => 1,
                Verdict::Has => 2,
            };
            let release = heads.iter().find(|head| head.id == judged.head);
            (order, release.map(|head| head.counter))
        });
        if let Some(judged) = worst {
            let runs = match (judged.runs, judged.head) {
                (Some(runs), Some(head)) => self.release(&judged, runs, head, heads, &names, &live)?,
                (Some(runs), None) => names.release(judged.deployment, runs)?,
                (None, _) => None,
            };
            row.by_summary = self.by_summary.get(&(site.site.clone(), judged.deployment)).copied();
            row.verdict = judged.verdict;
            row.why = (judged.verdict == Verdict::Unknown).then_some("doubt");
            row.runs_unknown = judged.runs.is_some() && runs.is_none();
            (row.runs, row.since, row.state, row.doubt) = (runs, judged.since, judged.state, judged.doubt);
        }
        self.doubt(site, line, signed, settled, row)
    }

    /// What went live last of a scope, as a receipt says that is good.
    fn activated(&self, line: &Lineage, bar: &Bar) -> Result<Option<ReceiptRow>> {
        let activated = newest_activated(self.connection, line, &bar.product, &bar.channel)?;
        Ok(activated.filter(|receipt| receipt.matched))
    }

    /// Says of a site that would have it that this is not known, where it does not list all that was signed for it: which deployments there
    /// are, the release says that went live last, and not the site.
    fn doubt(&self, site: &Site, line: &Lineage, signed: &Signed, settled: u64, row: &mut WhoLacksRow) -> Result<()> {
        // Each of those that are settled is one of those that are stated: as many are all.
        let all = signed.stated.get(site.site.as_str()).copied().unwrap_or_default();
        let is_all = settled == all && !signed.stated.contains_key("");
        if row.verdict != Verdict::Has || is_all {
            return Ok(());
        }
        let activated = self.activated(line, &row.bar)?;
        let head = activated.as_ref().and_then(|receipt| named(receipt, &signed.heads)?.id);
        if let Some(head) = head
            && has_unlisted(self.connection, head, &site.site)?
        {
            (row.verdict, row.why) = (Verdict::Unknown, Some("doubt"));
            row.doubt = Some(UNLISTED.to_owned());
        }
        Ok(())
    }
}

/// The release that a receipt is about.
fn named<'a>(receipt: &ReceiptRow, heads: &'a [SignedHeadRow]) -> Option<&'a SignedHeadRow> {
    heads.iter().find(|known| known.head == receipt.head)
}

/// How many deployments are so.
fn count(deployments: &[Judged], is_so: impl Fn(&Judged) -> bool) -> u64 {
    let counts = deployments
        .iter()
        .filter(|judged| is_so(judged))
        .map(|judged| judged.deployments);
    counts.fold(0, u64::saturating_add)
}

fn is_at_or_above(releases: &[SignedHeadRow], bar: &Bar) -> bool {
    let of_scope = |release: &&SignedHeadRow| (&release.product, &release.channel) == (&bar.product, &bar.channel);
    releases
        .iter()
        .filter(of_scope)
        .any(|release| release.counter >= bar.counter)
}

/// Judges deployments that run one thing.
fn judged(run: ScopeRun) -> Judged {
    let verdict = if run.doubt.is_some() || run.runs.is_none() {
        Verdict::Unknown
    } else if run.is_in {
        Verdict::Has
    } else {
        Verdict::Lacks
    };
    Judged {
        deployments: run.deployments,
        deployment: run.deployment,
        runs: run.runs,
        head: run.head,
        verdict,
        is_settled: run.is_settled,
        since: run.first,
        state: run.state,
        doubt: run.doubt,
    }
}

/// A deployment of a target that was made at the site; none for one that was taken away there and of which nothing says that it runs.
fn run_made_there(now: DeploymentNow, is_in: bool) -> Option<ScopeRun> {
    if now.removed.is_some() && now.runs.is_none() && now.doubt.is_none() {
        return None;
    }
    Some(ScopeRun {
        site: now.site,
        deployments: 1,
        deployment: now.deployment,
        runs: now.runs,
        doubt: now.doubt,
        state: now.state,
        first: now.first,
        is_in,
        head: None,
        is_settled: false,
    })
}

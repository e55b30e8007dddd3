//! A replay, site by site and target by target.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;

use rustix::io::Errno;
use serde_json::json;
use zeroize::Zeroizing;

use super::address::HubAddress;
use super::api::Api;
use super::client::{Bounds, HubClient};
use super::deliver::{Item, Outcome, deliver};
use super::event::Event;
use super::gather::Passed;
use super::journal::{Journal, LineKind};
use super::pace::Pace;
use super::plan::{SitePlan, TargetPlan, plan};
use super::report::{Left, NO_SECRET, Refused, Replayed, SiteReport, TargetReport, UNREACHABLE, Undelivered};
use super::secrets::HubSecrets;
use super::session::{Session, Wire};
use super::texts;
use crate::Workspace;
use crate::db::ledger::replay::{Speaker, State, claim};
use crate::db::{Db, ledger, sealed_log};
use crate::domain::{Class, Clock, Error, Result, SiteId, Uuid};
use crate::protocol::distr::Endpoint;
use crate::stream::{LockFile, open_or_create};

/// File that replays of a workspace take turns with.
const LOCK: &str = "replay.lock";
/// Why a target is left for which there is no secret.
const UNGIVEN: &str = "no secret of this target is given";

/// What a person chose.
#[derive(Debug)]
pub struct Options {
    /// The hub.
    pub hub: HubAddress,
    /// One site alone; and the targets that stand at every site become its.
    pub site: Option<SiteId>,
    /// Nothing is sent, nothing is written.
    pub dry_run: bool,
    /// Statuses and samples that the hub refused are sent once more.
    pub retry_refused: bool,
    /// Files with further CA certificates.
    pub ca_files: Vec<PathBuf>,
    /// How long the hub is waited for.
    pub bounds: Bounds,
}

/// What opens the hub.
pub struct Access {
    /// Secrets of targets.
    pub secrets: HubSecrets,
    /// A token of the hub's API.
    pub token: Option<Zeroizing<String>>,
    /// Whether a target without a secret is given another one, which ends the one that it has.
    pub may_rotate: bool,
}

/// The token stays out of logs.
impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access")
            .field("secrets", &self.secrets)
            .finish_non_exhaustive()
    }
}

/// Sends what sites told into a hub. What an earlier run sent is not sent again.
///
/// # Errors
///
/// `E-BUSY replay` while another one runs; `E-TRUST withdrawn-site` for such a site; those of the ledger and of files. What becomes of
/// targets is in the result: see [`Replayed::verdict`].
pub fn replay(
    workspace: &Workspace,
    options: &Options,
    access: Access,
    pace: &dyn Pace,
    clock: &dyn Clock,
    events: &mut dyn FnMut(Event<'_>),
) -> Result<Replayed> {
    let _lock = if options.dry_run { None } else { Some(lock(workspace)?) };
    let db = workspace.ledger()?;
    let hub = options.hub.as_str();
    let plans = db.read(|connection| {
        let mut plans = Vec::new();
        for site in ledger::sites(connection)? {
            let is_named = options.site.as_ref() == Some(&site.site);
            if options.site.is_some() && !is_named {
                continue;
            }
            if site.withdrawn_at.is_none() {
                plans.extend(plan(connection, hub, site, is_named)?);
            } else if is_named {
                return Err(Error::new(
                    Class::Trust,
                    "withdrawn-site",
                    format!("the site {} was withdrawn: nothing of it counts", site.name),
                )
                .expected("a site that counts")
                .remedy(format!(
                    "take it back, after comparing its fingerprint by voice, with `airlock vendor enroll FILE --replace {}`",
                    site.site
                )));
            }
        }
        Ok(plans)
    })?;
    let mut replayed = Replayed {
        hub: hub.to_owned(),
        dry_run: options.dry_run,
        sites: Vec::new(),
    };
    let client = if options.dry_run {
        None
    } else {
        Some(HubClient::new(&options.hub, &options.ca_files, options.bounds)?)
    };
    let events = RefCell::new(events);
    let tell = |event: Event<'_>| (*events.borrow_mut())(event);
    let mut run = Run {
        workspace,
        db: &db,
        clock,
        wire: client.as_ref().map(|client| Wire {
            hub: &options.hub,
            client,
            pace,
            tell: &tell,
        }),
        hub,
        secrets: access.secrets,
        api: access.token.map(Api::new),
        may_rotate: access.may_rotate,
        retry_refused: options.retry_refused,
        away: None,
        tell: &tell,
    };
    for plan in &plans {
        replayed.sites.push(run.site(plan)?);
    }
    Ok(replayed)
}

fn lock(workspace: &Workspace) -> Result<LockFile> {
    let path = workspace.folder().join(LOCK);
    let lock = LockFile::new(open_or_create(&path, 0o600)?);
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(Errno::WOULDBLOCK) => Err(
            Error::new(Class::Busy, "replay", "another replay of this workspace runs")
                .expected("one at a time")
                .remedy("wait until it has ended, and try again"),
        ),
        Err(errno) => Err(Error::io("lock", &path, errno.into())),
    }
}

/// A replay under way.
pub(super) struct Run<'a> {
    pub(super) workspace: &'a Workspace,
    db: &'a Db,
    pub(super) clock: &'a dyn Clock,
    /// None: nothing is sent.
    pub(super) wire: Option<Wire<'a>>,
    hub: &'a str,
    secrets: HubSecrets,
    api: Option<Api>,
    may_rotate: bool,
    retry_refused: bool,
    /// Why the hub is not asked any more.
    away: Option<Left>,
    /// Told what happens.
    pub(super) tell: &'a dyn Fn(Event<'_>),
}

/// A target under way.
pub(super) struct Under<'a, 'p> {
    plan: &'p TargetPlan,
    pub(super) journal: Journal<'a>,
    session: Option<Session>,
    pub(super) report: TargetReport,
}

impl<'a> Run<'a> {
    fn site(&mut self, plan: &SitePlan) -> Result<SiteReport> {
        let mut under = BTreeMap::new();
        for target in &plan.targets {
            (self.tell)(Event::Target {
                site: &plan.site.name,
                target: target.target,
            });
            let mut one = Under {
                plan: target,
                journal: Journal::read(self.db, self.clock, self.hub, &plan.site.site, target.target)?,
                session: None,
                report: TargetReport::new(target.target),
            };
            if let Some(left) = self.states(plan, &mut one)? {
                one.report.left = Some(left);
            }
            under.insert(target.target, one);
        }
        let mut files = Vec::new();
        let mut passed = Passed::default();
        for kind in [LineKind::Container, LineKind::Agent] {
            let of_kind = self.lines(plan, kind, &mut under, &mut files)?;
            passed.old = passed.old.saturating_add(of_kind.old);
            passed.late = passed.late.saturating_add(of_kind.late);
            passed.foreign = passed.foreign.saturating_add(of_kind.foreign);
        }
        let mut targets: Vec<TargetReport> = under.into_values().map(Under::ended).collect();
        self.record(&plan.site.site, &targets)?;
        targets.extend(plan.refused.iter().map(|(target, left)| TargetReport {
            left: Some(left.clone()),
            ..TargetReport::new(*target)
        }));
        let mut undelivered = plan.undelivered.clone();
        for (what, count, why) in [
            (
                "old-lines",
                passed.old,
                "lines of logs older than 30 days less one hour, which the hub does not take",
            ),
            (
                "late-lines",
                passed.late,
                "lines of logs older than what was sent of their container before",
            ),
            (
                "foreign-lines",
                passed.foreign,
                "lines of logs of targets that are left out or were left",
            ),
        ] {
            if count > 0 {
                undelivered.push(Undelivered { what, count, why });
            }
        }
        Ok(SiteReport {
            site: plan.site.site.clone(),
            name: plan.site.name.clone(),
            targets,
            undelivered,
            files,
        })
    }

    /// Sends statuses and the sample of a target; says why it is left.
    fn states(&mut self, plan: &SitePlan, one: &mut Under<'a, '_>) -> Result<Option<Left>> {
        let target = one.plan;
        let is_asked_for = self.may_rotate && self.api.is_some();
        if self.wire.is_none() && self.secrets.are_given() && self.secrets.get(target.target).is_none() && !is_asked_for
        {
            // As it would be left by a run that sends.
            return Ok(Some(Left::new(NO_SECRET, UNGIVEN)));
        }
        for status in &target.statuses {
            let item = Item {
                name: &status.item,
                endpoint: Endpoint::Status,
                body: &status.body,
            };
            let seen = Some((status.deployment, status.bracket.as_str()));
            if let Some(left) = self.state(plan, one, item, seen)? {
                return Ok(Some(left));
            }
        }
        let Some(sample) = &target.metrics else {
            return Ok(None);
        };
        let item = Item {
            name: &sample.item,
            endpoint: Endpoint::Metrics,
            body: &sample.body,
        };
        self.state(plan, one, item, None)
    }

    /// Sends a status or sample that was not answered yet. `seen`: the deployment, and what its message begins with.
    fn state(
        &mut self,
        plan: &SitePlan,
        one: &mut Under<'a, '_>,
        item: Item<'_>,
        seen: Option<(Uuid, &str)>,
    ) -> Result<Option<Left>> {
        let state = one.journal.state(item.name);
        let outcome = match state {
            Some(State::Sent) => Outcome::WasThere,
            Some(State::Refused) if !self.retry_refused => {
                let reason = one.journal.reason(item.name).to_owned();
                one.report.refuse(what(item.endpoint), &reason, Refused::Before);
                let tally = tally(one, item.endpoint);
                tally.refused = tally.refused.saturating_add(1);
                return Ok(None);
            }
            _ if self.wire.is_none() => {
                let tally = tally(one, item.endpoint);
                tally.waiting = tally.waiting.saturating_add(1);
                return Ok(None);
            }
            _ => match self.send(plan, one, item, seen)? {
                Outcome::Left(left) => {
                    let tally = tally(one, item.endpoint);
                    tally.waiting = tally.waiting.saturating_add(1);
                    return Ok(Some(left));
                }
                outcome => outcome,
            },
        };
        if let Outcome::Refused(reason) = &outcome {
            one.report.refuse(what(item.endpoint), reason, Refused::Now);
        }
        let tally = tally(one, item.endpoint);
        let counter = match outcome {
            Outcome::Sent { perhaps_twice } => {
                tally.perhaps_twice = tally.perhaps_twice.saturating_add(u64::from(perhaps_twice));
                &mut tally.sent
            }
            Outcome::WasThere => &mut tally.already,
            Outcome::Refused(_) => &mut tally.refused,
            Outcome::Left(_) => &mut tally.waiting,
        };
        *counter = counter.saturating_add(1);
        Ok(None)
    }

    /// Delivers an item of a target, with a session that is made when the first is needed.
    pub(super) fn send(
        &mut self,
        plan: &SitePlan,
        one: &mut Under<'a, '_>,
        item: Item<'_>,
        seen: Option<(Uuid, &str)>,
    ) -> Result<Outcome> {
        if let Some(left) = &self.away {
            return Ok(Outcome::Left(left.clone()));
        }
        if one.session.is_none() {
            match self.session(plan, one)? {
                Ok(session) => one.session = Some(session),
                Err(left) => return Ok(Outcome::Left(left)),
            }
        }
        let (Some(wire), Some(session)) = (&self.wire, &mut one.session) else {
            return Ok(Outcome::Left(Left::new("dry-run", "nothing is sent")));
        };
        let api = &mut self.api;
        let outcome = deliver(wire, session, &mut one.journal, item, &mut || {
            let (deployment, bracket) = seen?;
            let api = api.as_mut()?;
            api.outdated(deployment);
            api.has_status(wire, deployment, bracket)
        })?;
        if let Outcome::Left(left) = &outcome
            && left.code == UNREACHABLE
        {
            self.away = Some(left.clone());
        }
        Ok(outcome)
    }

    /// Makes a target the site's where it has to be, and finds or asks for its secret.
    fn session(&mut self, plan: &SitePlan, one: &Under<'a, '_>) -> Result<Result<Session, Left>> {
        let target = one.plan;
        let known = self.secrets.get(target.target).cloned();
        let secret = match (known, &mut self.api, &self.wire) {
            (Some(secret), ..) => secret,
            (None, Some(api), Some(wire)) if self.may_rotate => {
                // Nothing is given out that cannot be kept.
                self.secrets.save()?;
                let ours = texts::bracket_start(&plan.site.site);
                match api.access(wire, target.target, plan.told, &ours) {
                    Ok(secret) => {
                        self.secrets.add(target.target, secret.clone()).map_err(|error| {
                            error.context(&format!(
                                "the hub has given the target {} another secret, and it could not be kept",
                                target.target
                            ))
                        })?;
                        secret
                    }
                    Err(left) => return Ok(Err(left)),
                }
            }
            _ => return Ok(Err(Left::new(NO_SECRET, UNGIVEN))),
        };
        if target.is_claimed {
            let (at, hub) = (self.clock.now(), self.hub);
            let by = Speaker {
                hub,
                site: &plan.site.site,
                target: target.target,
            };
            self.db.write(|transaction| {
                if claim(transaction, by)? {
                    let detail = json!({"hub": hub, "site": by.site, "target": target.target});
                    sealed_log::append(transaction, at, "replay-target", &detail)?;
                }
                Ok(())
            })?;
        }
        Ok(Ok(Session::new(target.target, &target.version, secret)))
    }

    /// Writes what was sent for a site into the log.
    fn record(&mut self, site: &SiteId, targets: &[TargetReport]) -> Result<()> {
        let sum = |count: fn(&TargetReport) -> u64| targets.iter().map(count).fold(0, u64::saturating_add);
        let (statuses, metrics) = (sum(|target| target.statuses.sent), sum(|target| target.metrics.sent));
        let lines = sum(|target| target.lines.sent.saturating_add(target.agent_lines.sent));
        if self.wire.is_none() || statuses.saturating_add(metrics).saturating_add(lines) == 0 {
            return Ok(());
        }
        let (at, hub) = (self.clock.now(), self.hub);
        self.db.write(|transaction| {
            let detail = json!({"hub": hub, "lines": lines, "metrics": metrics, "site": site, "statuses": statuses});
            sealed_log::append(transaction, at, "status-replay", &detail)?;
            Ok(())
        })
    }
}

impl Under<'_, '_> {
    fn ended(mut self) -> TargetReport {
        self.report.took_something = self.journal.took_something();
        self.report
    }
}

/// What a refusal is called that is about an item of an endpoint.
fn what(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Metrics => "metrics",
        _ => "status",
    }
}

fn tally<'r>(one: &'r mut Under<'_, '_>, endpoint: Endpoint) -> &'r mut super::report::Tally {
    match endpoint {
        Endpoint::Metrics => &mut one.report.metrics,
        _ => &mut one.report.statuses,
    }
}

//! Lines of logs of a site: package by package, batch by batch.

use std::collections::BTreeMap;
use std::path::Path;

use super::deliver::{Item, Outcome};
use super::event::Event;
use super::gather::{Batch, Gather, Passed};
use super::journal::{LineKind, lines_item};
use super::packages;
use super::plan::SitePlan;
use super::report::{BadFile, Lines, Refused, TargetReport};
use super::run::{Run, Under};
use crate::db::ledger::told::StoredPackage;
use crate::domain::{Result, Uuid};
use crate::package::{Shows, Switch};
use crate::protocol::distr::Endpoint;

impl<'a> Run<'a> {
    /// Sends lines of one kind of every target of a site, package by package.
    pub(super) fn lines(
        &mut self,
        plan: &SitePlan,
        kind: LineKind,
        under: &mut BTreeMap<Uuid, Under<'a, '_>>,
        files: &mut Vec<BadFile>,
    ) -> Result<Passed> {
        let switch = match kind {
            LineKind::Container => Switch::Logs,
            LineKind::Agent => Switch::AgentLogs,
        };
        let what = word(kind);
        let mut gather = Gather::new(kind, &plan.lineage, self.clock.now());
        for (target, one) in under.iter_mut().filter(|(_, one)| one.report.left.is_none()) {
            if kind == LineKind::Container && self.wire.is_some() {
                // Another cut may be better now; what arrived of the old one is the same lines.
                for item in one.journal.unanswered_lines() {
                    one.journal.forget(&item)?;
                    one.report.lines.repeated = one.report.lines.repeated.saturating_add(1);
                }
            }
            for reason in one.journal.refused_lines(kind) {
                one.report.refuse(what, reason, Refused::Before);
            }
            let instances = plan.lineage.instances().iter().map(|instance| &instance.instance);
            let answered: Vec<_> = instances
                .map(|instance| (instance.clone(), one.journal.answered(kind, instance)))
                .collect();
            gather.add(*target, answered);
        }
        let folder = self.workspace.folder();
        for package in plan.packages.iter().filter(|package| shows(package, switch)) {
            if gather.is_idle() {
                break;
            }
            (self.tell)(Event::Reading { number: package.number });
            let path = packages::path(folder, &plan.site.site, package);
            let head = match packages::verify(&path, package, &plan.keys) {
                Ok(Some(head)) => head,
                Ok(None) => {
                    bad_file(files, &path, "file missing".to_owned());
                    continue;
                }
                Err(error) => {
                    bad_file(files, &path, error.found().to_owned());
                    continue;
                }
            };
            packages::read(&path, package, &plan.keys, &mut |line, _| {
                if gather.take(&head.lineage, line)? {
                    self.batches(plan, kind, &mut gather, under)?;
                }
                Ok(())
            })?;
            // No batch goes over the end of a package: between two there may be numbers that come later.
            self.batches(plan, kind, &mut gather, under)?;
        }
        Ok(gather.passed)
    }

    fn batches(
        &mut self,
        plan: &SitePlan,
        kind: LineKind,
        gather: &mut Gather<'_>,
        under: &mut BTreeMap<Uuid, Under<'a, '_>>,
    ) -> Result<()> {
        for batch in gather.drain() {
            let Some(one) = under.get_mut(&batch.target) else {
                continue;
            };
            if one.report.left.is_none() {
                self.batch(plan, kind, gather, one, &batch)?;
            } else {
                let lines = of_kind(&mut one.report, kind);
                lines.waiting = lines.waiting.saturating_add(batch.lines);
            }
        }
        Ok(())
    }

    fn batch(
        &mut self,
        plan: &SitePlan,
        kind: LineKind,
        gather: &mut Gather<'_>,
        one: &mut Under<'a, '_>,
        batch: &Batch,
    ) -> Result<()> {
        let outcome = if self.wire.is_none() {
            None
        } else {
            let name = lines_item(kind, &batch.instance, batch.first, batch.last);
            let item = Item {
                name: &name,
                endpoint: match kind {
                    LineKind::Container => Endpoint::Logs,
                    LineKind::Agent => Endpoint::AgentLogs,
                },
                body: &batch.body,
            };
            Some(self.send(plan, one, item, None)?)
        };
        if let Some(Outcome::Refused(reason)) = &outcome {
            one.report.refuse(word(kind), reason, Refused::Now);
        }
        let lines = of_kind(&mut one.report, kind);
        let counter = match &outcome {
            Some(Outcome::Sent { perhaps_twice }) => {
                lines.requests = lines.requests.saturating_add(1);
                lines.repeated = lines.repeated.saturating_add(u64::from(*perhaps_twice));
                &mut lines.sent
            }
            Some(Outcome::Refused(_)) => &mut lines.partly,
            Some(Outcome::WasThere | Outcome::Left(_)) | None => &mut lines.waiting,
        };
        *counter = counter.saturating_add(batch.lines);
        if let Some(Outcome::Left(left)) = outcome {
            one.report.left = Some(left);
            gather.leave(batch.target);
        } else {
            gather.answered(batch);
            (self.tell)(Event::Lines(batch.lines));
        }
        Ok(())
    }
}

/// What a refusal of lines is called.
fn word(kind: LineKind) -> &'static str {
    match kind {
        LineKind::Container => "lines",
        LineKind::Agent => "agent-lines",
    }
}

fn of_kind(report: &mut TargetReport, kind: LineKind) -> &mut Lines {
    match kind {
        LineKind::Container => &mut report.lines,
        LineKind::Agent => &mut report.agent_lines,
    }
}

fn bad_file(files: &mut Vec<BadFile>, path: &Path, found: String) {
    let file = path.display().to_string();
    if files.iter().all(|known| known.file != file) {
        files.push(BadFile { file, found });
    }
}

/// Whether a package shows lines of a kind, by the head that was verified when it was taken in.
fn shows(package: &StoredPackage, switch: Switch) -> bool {
    #[derive(serde::Deserialize)]
    struct Head {
        shows: Shows,
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "a head of our own ledger, which was checked when it was taken in"
    )]
    let head = serde_json::from_slice::<Head>(&package.bytes);
    // What cannot be read here is looked at as a whole.
    head.map_or(true, |head| head.shows.has(switch))
}

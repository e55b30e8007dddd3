//! Who reports: targets and deployments get their rows when they are first heard of, in the stream of their vendor.

use std::collections::BTreeMap;

use super::batch::{Batch, clean};
use super::group_commit::{GroupCommit, NAME_BYTES};
use super::working_set::{Home, Target};
use crate::db::status::{self, Source};
use crate::domain::{Class, Error, Result, Uuid};

impl GroupCommit<'_> {
    /// Returns the source of the target that hands a batch in.
    pub(super) fn target(&mut self, batch: &Batch) -> Result<i64> {
        let now = self.now;
        let known = self.working_set.targets.get_mut(&batch.target);
        // What the agent of a former owner said is not this one's: it begins anew.
        if let Some(target) = known.filter(|target| target.owner == batch.owner) {
            target.last = now;
            self.working_set.dirty.contacts.insert(batch.target);
            let renamed = target.name != batch.target_name;
            let updated = batch.agent.is_some() && batch.agent != target.agent;
            if renamed || updated {
                target.name = clean(&batch.target_name, NAME_BYTES).into_owned();
                if let Some(agent) = &batch.agent {
                    target.agent = Some(clean(agent, NAME_BYTES).into_owned());
                }
                status::put_agent(self.tx, target.source, &target.name, target.agent.as_deref())?;
            }
            return Ok(target.source);
        }
        let stream = self.stream(&batch.owner.domain)?;
        let source = Source {
            id: self.working_set.next_source,
            stream,
            target: batch.target,
            owner: batch.owner.mark,
            deployment: None,
            name: clean(&batch.target_name, NAME_BYTES).into_owned(),
            agent: batch
                .agent
                .as_deref()
                .map(|agent| clean(agent, NAME_BYTES).into_owned()),
            since: now,
        };
        status::insert_source(self.tx, &source)?;
        self.working_set.next_source = source.id.saturating_add(1);
        let home = Home {
            stream,
            target: source.id,
        };
        self.working_set.homes.insert(source.id, home);
        self.working_set.targets.insert(
            batch.target,
            Target {
                source: source.id,
                owner: batch.owner,
                name: source.name,
                agent: source.agent,
                since: now,
                last: now,
                last_metrics: None,
                deployments: BTreeMap::new(),
            },
        );
        self.working_set.dirty.contacts.insert(batch.target);
        Ok(source.id)
    }

    /// Returns the source of a deployment of that target.
    pub(super) fn deployment(&mut self, batch: &Batch, deployment: Uuid) -> Result<i64> {
        let next = self.working_set.next_source;
        let Some(target) = self.working_set.targets.get_mut(&batch.target) else {
            return Err(unknown());
        };
        if let Some(source) = target.deployments.get(&deployment) {
            return Ok(*source);
        }
        let home = self
            .working_set
            .homes
            .get(&target.source)
            .copied()
            .ok_or_else(unknown)?;
        let source = Source {
            id: next,
            stream: home.stream,
            target: batch.target,
            owner: batch.owner.mark,
            deployment: Some(deployment),
            name: target.name.clone(),
            agent: None,
            since: self.now,
        };
        status::insert_source(self.tx, &source)?;
        target.deployments.insert(deployment, next);
        self.working_set.homes.insert(next, home);
        self.working_set.deployments.entry(next).or_default();
        self.working_set.next_source = next.saturating_add(1);
        Ok(next)
    }
}

fn unknown() -> Error {
    Error::new(Class::Internal, "status", "a target is missing that was just added")
}

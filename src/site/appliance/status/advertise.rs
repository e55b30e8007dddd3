//! What agents were told, in the order of what they report: statuses from before say nothing of it.
//!
//! No agent reports that it removed something (distr-protocol 2.3). But it does what it was told in order, removals first, before it asks
//! again: so an agent that asks again is done with what the answer before had no more. Whether that went well stands in its log alone.

use super::batch::Batch;
use super::group_commit::GroupCommit;
use crate::db::status::{self, Advertised};
use crate::domain::{Result, Uuid};

impl GroupCommit<'_> {
    /// Takes in that an agent was told what to run: these deployments in these revisions, and no other.
    pub(super) fn advertise(&mut self, batch: &Batch, stated: &[(Uuid, Uuid)]) -> Result<()> {
        for (deployment, revision) in stated {
            let source = self.deployment(batch, *deployment)?;
            self.tell(source, Some(*revision))?;
        }
        let gone: Vec<i64> = self
            .working_set
            .targets
            .get(&batch.target)
            .iter()
            .flat_map(|target| &target.deployments)
            .filter(|(deployment, _)| !stated.iter().any(|(stated, _)| stated == *deployment))
            .map(|(_, source)| *source)
            .collect();
        for source in gone {
            self.tell(source, None)?;
        }
        Ok(())
    }

    fn tell(&mut self, source: i64, revision: Option<Uuid>) -> Result<()> {
        let (number, at) = (self.working_set.next, self.now);
        let deployment = self.working_set.deployments.entry(source).or_default();
        let unheard = deployment.open().is_none_or(|open| open.number < deployment.floor());
        let told = match (deployment.advertised, revision) {
            (Some(before), Some(_)) if !before.gone && before.revision == revision => return Ok(()),
            (Some(before), None) if before.gone && before.confirmed.is_some() => return Ok(()),
            // It asked again: what it was told before is done.
            (Some(before), None) if before.gone => Advertised {
                number,
                confirmed: Some(at),
                ..before
            },
            (before, None) => Advertised {
                revision: before.and_then(|before| before.revision).or(deployment.newest),
                gone: true,
                number,
                reset: number,
                at,
                confirmed: None,
            },
            // Nothing was told before: what was reported is about this.
            (None, revision) => Advertised {
                revision,
                gone: false,
                number: 0,
                reset: 0,
                at,
                confirmed: None,
            },
            (Some(before), revision) => Advertised {
                revision,
                gone: false,
                number,
                // What became of a revision that was told, and of which nothing was reported, nobody knows.
                reset: if before.gone || unheard { number } else { before.reset },
                at,
                confirmed: None,
            },
        };
        deployment.advertised = Some(told);
        status::put_advertised(self.tx, source, &told)
    }

    /// Takes in that a status comes: from an agent that was told that the deployment is gone, it says that it is not, not yet.
    pub(super) fn hear(&mut self, source: i64) -> Result<()> {
        let deployment = self.working_set.deployments.entry(source).or_default();
        let told = deployment.advertised.as_mut();
        let Some(told) = told.filter(|told| told.gone && told.confirmed.is_some()) else {
            return Ok(());
        };
        told.confirmed = None;
        status::put_advertised(self.tx, source, told)
    }
}

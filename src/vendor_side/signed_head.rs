//! What the ledger keeps of a head that is signed.

use crate::bundle::content_hash;
use crate::bundle::desired::DesiredState;
use crate::db::Transaction;
use crate::db::ledger::{self, Recorded, SignedAgent, SignedContents, SignedDeployment, SignedTarget};
use crate::domain::{Audience, ContentItem, Counter, Digest, FixId, Hash, Result, Scope};

/// A head, what its release consists of, and what it tells targets.
#[derive(Debug)]
pub(super) struct SignedHead<'a> {
    pub(super) head: Hash,
    pub(super) bytes: &'a [u8],
    pub(super) audience: &'a Audience,
    pub(super) scope: &'a Scope,
    pub(super) counter: Counter,
    /// What it names: repository and digest.
    pub(super) names: &'a [(&'a str, Digest)],
    pub(super) items: &'a [ContentItem],
    pub(super) fixes: &'a [FixId],
    pub(super) desired: Option<&'a DesiredState>,
}

impl SignedHead<'_> {
    /// Writes it down.
    pub(super) fn record(&self, transaction: &Transaction<'_>) -> Result<Recorded> {
        let targets: Vec<SignedTarget<'_>> = self
            .desired
            .iter()
            .flat_map(|desired| &desired.targets)
            .map(|target| SignedTarget {
                target: target.id,
                site: target.site.as_ref(),
                name: &target.name,
            })
            .collect();
        let deployments: Vec<SignedDeployment<'_>> = self
            .desired
            .iter()
            .flat_map(|desired| desired.deployments())
            .map(|(target, deployment)| SignedDeployment {
                deployment: deployment.id,
                site: target.site.as_ref(),
                target: target.id,
                revision: deployment.revision,
                application: &deployment.application,
            })
            .collect();
        let agents: Vec<SignedAgent<'_>> = self.desired.into_iter().flat_map(agents).collect();
        let recorded = ledger::record_contents(
            transaction,
            &SignedContents {
                head: self.head,
                bytes: self.bytes,
                audience: self.audience,
                items: self.items,
                content: content_hash(self.items.iter().map(|item| item.digest)),
                scope: self.scope,
                counter: self.counter,
                fixes: self.fixes,
                names: self.names,
                targets: &targets,
                deployments: &deployments,
            },
        )?;
        ledger::record_agents(transaction, self.head, &agents)?;
        Ok(recorded)
    }
}

/// The agents of its targets.
fn agents(desired: &DesiredState) -> impl Iterator<Item = SignedAgent<'_>> {
    desired.targets.iter().map(|target| SignedAgent {
        target: target.id,
        site: target.site.as_ref(),
        version: desired
            .agents
            .iter()
            .find(|agent| agent.id == target.agent)
            .map_or("", |agent| &agent.name),
    })
}

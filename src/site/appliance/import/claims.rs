//! X13: what a release says of the targets of this site, and whether that may become true here.

use std::collections::BTreeMap;

use crate::appliance::desired;
use crate::appliance::fleet;
use crate::appliance::release_plan::{ReleasePlan, Room};
use crate::appliance::secret::{self, Readiness};
use crate::appliance::state::Appliance;
use crate::bundle::{Blob, Feature, Graph, Head, Places, sealed_for};
use crate::db::site::owners::{self, Held};
use crate::db::site::targets::{TargetSet, Undeploy, check_undeploy};
use crate::domain::{Digest, DocumentType, Error, Result, Step, limits};
use crate::store::Store;

/// What a release says of the targets of this site.
pub(super) struct Claimed {
    pub(super) targets: TargetSet,
    /// What it needs of secrets before it goes live.
    pub(super) readiness: Readiness,
    /// Why it cannot go live now, though it may come in.
    pub(super) held: Option<Held>,
    /// What changes with it.
    pub(super) plan: ReleasePlan,
}

/// What is known of a release beside its head and its graph.
pub(super) struct Incoming<'a> {
    pub(super) goes_live: bool,
    pub(super) documents: &'a SecretDocuments,
    /// What its content needs of the disk.
    pub(super) room: Room,
}

/// The documents of a release that secrets are sealed in, and the places of those that they stand in: they are early blobs, so each has
/// passed before the graph is good.
pub(super) struct SecretDocuments {
    sealed: BTreeMap<Digest, Option<Vec<u8>>>,
    places: BTreeMap<Digest, Option<Places>>,
}

impl SecretDocuments {
    pub(super) fn of(head: &Head) -> Self {
        let of_kinds = |kinds: &[DocumentType]| -> Vec<Digest> {
            let entries = head.documents.iter().filter(|entry| kinds.contains(&entry.kind));
            entries.map(|entry| entry.digest).collect()
        };
        let mut rendered = of_kinds(&[DocumentType::Compose, DocumentType::Env, DocumentType::Values]);
        rendered.retain(|_| head.has(Feature::Secrets));
        Self {
            sealed: of_kinds(&[DocumentType::Secrets])
                .into_iter()
                .map(|one| (one, None))
                .collect(),
            places: rendered.into_iter().map(|one| (one, None)).collect(),
        }
    }

    /// Takes what is of them.
    pub(super) fn take(&mut self, blob: &Blob, bytes: &[u8]) {
        if let Some(document) = self.sealed.get_mut(&blob.digest) {
            *document = Some(bytes.to_vec());
        }
        if let Some(places) = self.places.get_mut(&blob.digest) {
            *places = Some(Places::of(bytes));
        }
    }

    /// Reads what an earlier try has stored.
    pub(super) fn complete(&mut self, store: &Store) -> Result<()> {
        for (digest, document) in self.sealed.iter_mut().filter(|(_, document)| document.is_none()) {
            *document = Some(store.read(digest, limits::SECRETS_BYTES)?);
        }
        for (digest, places) in self.places.iter_mut().filter(|(_, places)| places.is_none()) {
            *places = Some(Places::of(&store.read(digest, limits::APPLICATION_DOCUMENT_BYTES)?));
        }
        Ok(())
    }

    fn sealed(&self) -> impl Iterator<Item = &[u8]> {
        self.sealed.values().flatten().map(Vec::as_slice)
    }
}

/// Returns what the release says of this site's targets. Documents are read by now, and nothing of the large rest: what states a UUID of
/// somebody else's, or may not go live, is refused before the medium is read on.
pub(super) fn judge(appliance: &Appliance, head: &Head, graph: &Graph, incoming: &Incoming<'_>) -> Result<Claimed> {
    let scope = &head.scope();
    let targets = graph
        .desired
        .as_ref()
        .map_or_else(TargetSet::default, |state| desired::of_site(state, appliance.site()));
    let held = appliance
        .db
        .read(|connection| {
            let held = owners::judge(connection, scope, &targets)?.held;
            if incoming.goes_live && held.is_none() {
                check_undeploy(connection, scope, &targets, Undeploy::AsSigned)?;
            }
            Ok(held)
        })
        .map_err(|error| error.at(Step::X13))?;
    let readiness = readiness(appliance, head, graph, incoming.documents).map_err(|error| error.at(Step::X13))?;
    let stated = graph
        .tags
        .iter()
        .filter_map(|line| Some(((&line.repository, line.tag.as_ref()?), &line.digest)));
    let plan = || {
        Ok(ReleasePlan {
            from: appliance.live_now(scope)?,
            targets: graph
                .desired
                .as_ref()
                .map_or_else(Vec::new, |state| fleet::stated(state, appliance.site())),
            names: appliance.name_changes(scope, &stated.collect())?,
            secrets: readiness.plan(),
            room: Some(incoming.room),
        })
    };
    let plan = plan().map_err(|error: Error| error.at(Step::X13))?;
    Ok(Claimed {
        targets,
        readiness,
        held,
        plan,
    })
}

/// Judges what the release needs of secrets: what it must have sealed for this site, and what is to be entered or made here.
fn readiness(appliance: &Appliance, head: &Head, graph: &Graph, documents: &SecretDocuments) -> Result<Readiness> {
    let Some(desired) = &graph.desired else {
        return Ok(Readiness::nothing());
    };
    let scope = head.scope();
    let live = appliance.live_release(&scope)?;
    let mut sealed = None;
    if desired.secrets().next().is_some() || !documents.sealed.is_empty() {
        let key = secret::recipient_key(appliance.folder())?;
        sealed = sealed_for(head, documents.sealed(), desired, appliance.site(), &key)?;
    } else if live.is_none() {
        return Ok(Readiness::nothing());
    }
    let places = |digest: &Digest| documents.places.get(digest).cloned().flatten();
    secret::judge(appliance, (&scope, live.as_ref()), desired, sealed, &places)
}

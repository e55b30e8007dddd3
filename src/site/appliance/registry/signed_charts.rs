//! Charts that live desired states fetch as from a classic chart repository: what of a generation they are made from.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};

use super::content::Found;
use super::homes::Homes;
use crate::appliance::live::Generation;
use crate::bundle::desired::{ChartSource, Deployment, HelmDeployment};
use crate::db::site::release::State;
use crate::domain::{Digest, Error, Hash, RepositoryName, Scope, Tag};

/// Versions of one release in one repository.
const CHARTS: usize = 1000;
/// Bytes of indexes that a generation keeps: thousands of ordinary ones. Every trust domain has the same share of it.
const INDEXES_BYTES: usize = 32 << 20;
/// What a kept archive takes beside its name.
const ARCHIVE_BYTES: usize = 256;

/// The classic chart repositories of a generation.
#[derive(Debug, Default)]
pub(super) struct Charts {
    repositories: HashMap<RepositoryName, ChartRepository>,
    /// Bytes of the indexes that are kept, by the domain that they are counted for ([`ChartRepository::domain`]).
    kept: HashMap<Option<Hash>, AtomicUsize>,
    /// Why the document of a live release cannot be read.
    unread: Option<Arc<Error>>,
}

/// The charts that were signed for one repository, and the indexes that were made of them.
#[derive(Debug, Default)]
pub(super) struct ChartRepository {
    pub(super) signed: Vec<SignedChart>,
    /// The domain that its host belongs to.
    pub(super) host_owner: Option<Hash>,
    /// By the scope that gets it; nothing for everybody else.
    pub(super) indexes: RwLock<HashMap<Option<Scope>, Arc<ChartIndex>>>,
}

/// A chart that a live desired state fetches.
#[derive(Debug)]
pub(super) struct SignedChart {
    pub(super) scope: Scope,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) tag: Tag,
    /// What the desired state names in the repository of the chart: the chart, and what else there may be.
    pub(super) digests: Vec<Digest>,
    /// Whether the host belongs to another domain: then it is for the scope's own agents alone.
    pub(super) hidden: bool,
}

/// What a classic chart repository holds.
#[derive(Debug, Clone)]
pub struct ChartIndex {
    /// `index.yaml`; nothing where there was no room to keep it.
    pub text: Option<Arc<[u8]>>,
    /// Bytes of `index.yaml`.
    pub length: usize,
    /// Archives by file name: `<name>-<version>.tgz`.
    pub archives: HashMap<String, Found>,
}

impl Charts {
    /// Takes the charts of the live desired states.
    pub(super) fn of(generation: &Generation, homes: &Homes) -> Self {
        let mut repositories: HashMap<RepositoryName, ChartRepository> = HashMap::new();
        let live = || {
            generation
                .governing
                .iter()
                .filter(|governing| governing.release.state == State::Active)
        };
        let unread = live().find_map(|governing| governing.desired.as_ref().err()).cloned();
        for governing in live() {
            let (release, Ok(Some(document))) = (&governing.release, &governing.desired) else {
                continue;
            };
            let mut seen: HashMap<&RepositoryName, HashSet<&Tag>> = HashMap::new();
            for (deployment, helm) in document.state.deployments().filter_map(classic) {
                let versions = seen.entry(&helm.chart).or_default();
                if versions.len() >= CHARTS || !versions.insert(&helm.tag) {
                    continue;
                }
                let owner = homes.owner(&helm.chart);
                let images = deployment.images.iter().filter(|image| image.repository == helm.chart);
                let signed = SignedChart {
                    scope: release.scope.clone(),
                    name: helm.chart_name.clone(),
                    version: helm.chart_version.clone(),
                    tag: helm.tag.clone(),
                    digests: images.map(|image| image.digest).collect(),
                    hidden: owner.is_some_and(|owner| owner != release.scope.domain),
                };
                let repository = repositories.entry(helm.chart.clone()).or_default();
                repository.host_owner = owner;
                repository.signed.push(signed);
            }
        }
        let signed = repositories.values().flat_map(|repository| &repository.signed);
        let domains = signed.map(|chart| Some(chart.scope.domain)).chain([None]);
        Self {
            kept: domains.map(|domain| (domain, AtomicUsize::new(0))).collect(),
            repositories,
            unread,
        }
    }

    /// Takes room to keep an index, and returns what of it can be kept: the text as long as a quarter of the domain's share is left for
    /// what asks for little, else what archives and heads need of it. Nobody's indexes take room of another domain's.
    pub(super) fn keep(&self, domain: Option<Hash>, index: &Arc<ChartIndex>) -> Option<Arc<ChartIndex>> {
        let share = INDEXES_BYTES.checked_div(self.kept.len())?;
        let kept = self.kept.get(&domain)?;
        let take = |bytes: usize, most: usize| {
            let add = |kept: usize| kept.checked_add(bytes).filter(|kept| *kept <= most);
            kept.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok()
        };
        let archives = index
            .archives
            .keys()
            .map(|name| name.len().saturating_add(ARCHIVE_BYTES));
        let archives = archives.fold(ARCHIVE_BYTES, usize::saturating_add);
        if take(archives.saturating_add(index.length), share.saturating_sub(share / 4)) {
            return Some(index.clone());
        }
        take(archives, share).then(|| {
            Arc::new(ChartIndex {
                text: None,
                length: index.length,
                archives: index.archives.clone(),
            })
        })
    }

    pub(super) fn of_repository(&self, repository: &RepositoryName) -> Option<&ChartRepository> {
        self.repositories.get(repository)
    }

    /// Returns why the charts of a live release are not known, if there is such a one.
    pub(super) fn unread(&self) -> Option<&Error> {
        self.unread.as_deref()
    }
}

fn classic<T>((_, deployment): (T, &Deployment)) -> Option<(&Deployment, &HelmDeployment)> {
    let helm = deployment.helm.as_ref()?;
    (helm.source == ChartSource::Repository).then_some((deployment, helm))
}

impl ChartRepository {
    /// Returns whose index an asker gets: its own only where it signs charts here.
    pub(super) fn asker(&self, asker: Option<&Scope>) -> Option<Scope> {
        asker
            .filter(|asker| self.signed.iter().any(|chart| chart.scope == **asker))
            .cloned()
    }

    /// Returns the domain that an asker's index is counted for: that of the asker where it signs charts here, else that of the host, else
    /// that of all who sign here; nothing where these are several.
    pub(super) fn domain(&self, asker: Option<&Scope>) -> Option<Hash> {
        let own = self.asker(asker).map(|scope| scope.domain);
        own.or(self.host_owner).or_else(|| {
            let mut domains = self.signed.iter().map(|chart| chart.scope.domain);
            let first = domains.next();
            first.filter(|first| domains.all(|domain| domain == *first))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(length: usize) -> Arc<ChartIndex> {
        Arc::new(ChartIndex {
            text: Some(vec![b' '; length].into()),
            length,
            archives: HashMap::new(),
        })
    }

    #[test]
    fn long_indexes_of_one_domain_leave_room_for_anothers_and_for_what_heads_need() {
        let [a, b] = [1, 2].map(|byte| Some(Hash([byte; 32])));
        let charts = Charts {
            kept: [a, b, None].map(|domain| (domain, AtomicUsize::new(0))).into(),
            ..Charts::default()
        };
        let kept: Vec<_> = (0..50).map(|_| charts.keep(b, &index(7 << 20)).unwrap()).collect();
        assert_eq!(kept.iter().filter(|index| index.text.is_some()).count(), 1);
        assert!(kept.iter().all(|index| index.length == 7 << 20), "its length is known");
        assert!(charts.keep(a, &index(7 << 20)).unwrap().text.is_some());
        assert!(charts.keep(a, &index(200)).unwrap().text.is_some());
        let taken: usize = charts.kept.values().map(|kept| kept.load(Ordering::Relaxed)).sum();
        assert!(taken <= INDEXES_BYTES);
    }
}

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
/// Bytes of indexes that a generation keeps: thousands of ordinary ones.
const INDEXES_BYTES: usize = 16 << 20;

/// The classic chart repositories of a generation.
#[derive(Debug, Default)]
pub(super) struct Charts {
    repositories: HashMap<RepositoryName, ChartRepository>,
    /// Bytes of the indexes that are kept.
    kept: AtomicUsize,
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
#[derive(Debug)]
pub struct ChartIndex {
    /// `index.yaml`.
    pub text: Arc<[u8]>,
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
        Self {
            repositories,
            unread,
            kept: AtomicUsize::new(0),
        }
    }

    /// Takes room to keep an index. When it is used up, what was made first stays.
    pub(super) fn take_room(&self, bytes: usize) -> bool {
        let taken = self.kept.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |kept| {
            kept.checked_add(bytes).filter(|kept| *kept <= INDEXES_BYTES)
        });
        taken.is_ok()
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
}

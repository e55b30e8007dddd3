//! Charts as helm's classic repositories list them (D18 d): those that live desired states fetch from one, each as the digest that was
//! signed, under the version that was signed.
//!
//! A chart whose configuration says another name or version is listed under the signed ones all the same: they are what agents ask
//! for. A version is its tag, and belongs to whom the tag belongs to: where scopes sign one version with other bytes, an agent gets its
//! own, and anybody else that of the scope which had the tag live first, or none where that signs it no more. Below a home host only
//! the domain counts that it belongs to. An index is made once per generation.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::content::Found;
use super::homes::Homes;
use super::names::{Asked, Reference};
use super::service::Registry;
use super::snapshot::Snapshot;
use crate::appliance::live::Generation;
use crate::bundle::desired::{ChartSource, Deployment, HelmDeployment};
use crate::db::site::name_claims;
use crate::db::site::release::State;
use crate::domain::{Digest, Hash, RepositoryName, Result, Scope, Tag};

/// Media type of a chart's configuration: `Chart.yaml` as JSON.
const CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";
/// Media type of a chart's archive.
const CONTENT: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
/// Versions of one release in one repository.
const CHARTS: usize = 1000;
/// Longest configuration that is read.
const CONFIG_BYTES: u64 = 1 << 20;

/// The classic chart repositories of a generation.
#[derive(Debug, Default)]
pub(super) struct Charts(HashMap<RepositoryName, ChartRepository>);

/// The charts that were signed for one repository, and the indexes that were made of them.
#[derive(Debug, Default)]
struct ChartRepository {
    signed: Vec<SignedChart>,
    /// The domain that its host belongs to.
    host_owner: Option<Hash>,
    /// By the scope that gets it; nothing for everybody else.
    indexes: RwLock<HashMap<Option<Scope>, Arc<ChartIndex>>>,
    /// Held while an index is made, so that it is made once.
    making: Mutex<()>,
}

/// A chart that a live desired state fetches.
#[derive(Debug)]
struct SignedChart {
    scope: Scope,
    name: String,
    version: String,
    tag: Tag,
    /// What the desired state names in the repository of the chart: the chart, and what else there may be.
    digests: Vec<Digest>,
    /// Whether the host belongs to another domain: then it is for the scope's own agents alone.
    hidden: bool,
}

/// What a classic chart repository holds.
#[derive(Debug)]
pub struct ChartIndex {
    /// `index.yaml`.
    pub text: Arc<[u8]>,
    /// Archives by file name: `<name>-<version>.tgz`.
    pub archives: HashMap<String, Found>,
}

/// One version of a chart.
struct Chart {
    file: String,
    archive: Found,
    entry: Value,
}

#[derive(Deserialize)]
struct Manifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: Digest,
}

impl Charts {
    /// Takes the charts of the live desired states.
    pub(super) fn of(generation: &Generation, homes: &Homes) -> Self {
        let mut repositories: HashMap<RepositoryName, ChartRepository> = HashMap::new();
        for governing in &generation.governing {
            let (release, Ok(Some(document))) = (&governing.release, &governing.desired) else {
                continue;
            };
            if release.state != State::Active {
                continue;
            }
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
        Self(repositories)
    }
}

fn classic<T>((_, deployment): (T, &Deployment)) -> Option<(&Deployment, &HelmDeployment)> {
    let helm = deployment.helm.as_ref()?;
    (helm.source == ChartSource::Repository).then_some((deployment, helm))
}

impl Registry {
    /// Returns the index of a classic chart repository, for agents of a scope or for anybody else, when it was made before.
    pub fn charts_cached(
        &self,
        snapshot: &Snapshot,
        repository: &RepositoryName,
        asker: Option<&Scope>,
    ) -> Option<Arc<ChartIndex>> {
        let charts = snapshot.charts.0.get(repository)?;
        let indexes = charts.indexes.read().unwrap_or_else(PoisonError::into_inner);
        indexes.get(&charts.asker(asker)).cloned()
    }

    /// Returns the index of a classic chart repository, for agents of a scope or for anybody else; nothing when no live desired state
    /// that counts for them fetches charts from there. Waits for the disk.
    ///
    /// # Errors
    ///
    /// Those of the database. A chart that cannot be read is left out and logged, and the index made again next time.
    pub fn charts(
        &self,
        snapshot: &Snapshot,
        repository: &RepositoryName,
        asker: Option<&Scope>,
    ) -> Result<Option<Arc<ChartIndex>>> {
        let Some(charts) = snapshot.charts.0.get(repository) else {
            return Ok(None);
        };
        let _making = charts.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = self.charts_cached(snapshot, repository, asker) {
            return Ok(Some(index));
        }
        let asker = charts.asker(asker);
        let chosen = self.choose(charts, repository, asker.as_ref())?;
        if chosen.is_empty() {
            return Ok(None);
        }
        let (mut archives, mut entries, mut whole) = (HashMap::new(), BTreeMap::<String, Vec<Value>>::new(), true);
        for signed in chosen {
            match self.chart(snapshot, repository, signed) {
                Ok(None) => {}
                Ok(Some(chart)) => {
                    archives.insert(chart.file, chart.archive);
                    entries.entry(signed.name.clone()).or_default().push(chart.entry);
                }
                Err(error) => {
                    tracing::error!(%error, scope = %signed.scope, version = %signed.version, "a chart cannot be read");
                    whole = false;
                }
            }
        }
        // JSON is YAML too.
        let text = json!({ "apiVersion": "v1", "entries": entries }).to_string();
        let index = Arc::new(ChartIndex {
            text: text.into_bytes().into(),
            archives,
        });
        if whole {
            let mut indexes = charts.indexes.write().unwrap_or_else(PoisonError::into_inner);
            indexes.insert(asker, index.clone());
        }
        Ok(Some(index))
    }

    /// Chooses one chart for each version.
    fn choose<'a>(
        &self,
        charts: &'a ChartRepository,
        repository: &RepositoryName,
        asker: Option<&Scope>,
    ) -> Result<Vec<&'a SignedChart>> {
        let mut versions: BTreeMap<&str, Vec<&SignedChart>> = BTreeMap::new();
        for signed in &charts.signed {
            if !signed.hidden || Some(&signed.scope) == asker {
                versions.entry(&signed.version).or_default().push(signed);
            }
        }
        let mut chosen = Vec::new();
        for signed in versions.into_values() {
            if let Some(own) = signed.iter().copied().find(|chart| Some(&chart.scope) == asker) {
                chosen.push(own);
                continue;
            }
            let Some(tag) = signed.first().map(|chart| &chart.tag) else {
                continue;
            };
            let owner = self
                .db()
                .read(|connection| name_claims::tag_owner(connection, repository, tag, charts.host_owner))?;
            let Some(owner) = owner else { continue };
            let same = |chart: &&SignedChart| owner.digest.is_some_and(|digest| chart.digests == [digest]);
            let of_owner = signed.iter().copied().find(|chart| chart.scope == owner.scope);
            chosen.extend(of_owner.or_else(|| signed.iter().copied().find(same)));
        }
        Ok(chosen)
    }

    fn chart(&self, snapshot: &Snapshot, repository: &RepositoryName, signed: &SignedChart) -> Result<Option<Chart>> {
        // What the scope itself has: nobody else's rows say anything about its charts.
        let view = snapshot.view(&signed.scope);
        let asked = Asked {
            name: repository.as_str().to_owned(),
            namespace: None,
        };
        let find = |reference| self.find(&view, &asked, &reference);
        // Where more than the chart has a digest in its repository, the tag says which: that was checked by the import.
        let found = match signed.digests.as_slice() {
            [digest] => find(Reference::Digest(*digest))?,
            _ => find(Reference::Tag(signed.tag.clone()))?,
        };
        let Some(found) = found.ok().filter(|found| signed.digests.contains(&found.digest)) else {
            return Ok(None);
        };
        let Some(manifest) = read::<Manifest>(&self.manifest(&found)?) else {
            return Ok(None);
        };
        let archive = manifest.layers.iter().find(|layer| layer.media_type == CONTENT);
        let (Some(archive), true) = (archive, manifest.config.media_type == CONFIG) else {
            return Ok(None);
        };
        let content = |digest| find(Reference::Digest(digest));
        let (Ok(config), Ok(archive)) = (content(manifest.config.digest)?, content(archive.digest)?) else {
            return Ok(None);
        };
        if config.size > CONFIG_BYTES {
            return Ok(None);
        }
        let Some(mut entry) = read::<Map<String, Value>>(&self.manifest(&config)?) else {
            return Ok(None);
        };
        let file = format!("{}-{}.tgz", signed.name, signed.version);
        entry.insert("name".into(), signed.name.as_str().into());
        entry.insert("version".into(), signed.version.as_str().into());
        entry.insert("urls".into(), json!([file]));
        entry.insert("digest".into(), archive.digest.0.to_hex().into());
        Ok(Some(Chart {
            file,
            archive,
            entry: Value::Object(entry),
        }))
    }
}

impl ChartRepository {
    /// Returns whose index an asker gets: its own only where it signs charts here.
    fn asker(&self, asker: Option<&Scope>) -> Option<Scope> {
        asker
            .filter(|asker| self.signed.iter().any(|chart| chart.scope == **asker))
            .cloned()
    }
}

/// Reads a document of an image or chart; what is none is no error, because anything may be tagged.
#[expect(
    clippy::disallowed_methods,
    reason = "bytes that were checked against a signed digest, in other people's formats, and bounded before"
)]
pub(super) fn read<T: for<'a> Deserialize<'a>>(bytes: &[u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}

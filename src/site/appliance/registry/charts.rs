//! Charts as helm's classic repositories list them (D18 d): those that live desired states fetch from one, each as the digest that was
//! signed, under the version that was signed.
//!
//! A chart whose configuration says another name or version is listed under the signed ones all the same: they are what agents ask
//! for. A version is its tag, and belongs to whom the tag belongs to: where scopes sign one version with other bytes, an agent gets its
//! own, and anybody else that of the scope which had the tag live first, or none where that signs it no more. Below a home host only
//! the domain counts that it belongs to. An index is made once per generation, as far as its domain has room to keep them: one
//! configuration of 64 KiB may stand in the indexes of thousands of repositories.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::content::Found;
use super::foreign_json::read;
use super::names::{Asked, Reference};
use super::service::Registry;
use super::signed_charts::{ChartIndex, ChartRepository, SignedChart};
use super::snapshot::{Snapshot, again};
use crate::db::site::name_claims;
use crate::db::site::names::{self, Answers, Candidates};
use crate::domain::{Digest, Hash, RepositoryName, Result, Scope};

/// Media type of a chart's configuration: `Chart.yaml` as JSON.
const CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";
/// Media type of a chart's archive.
const CONTENT: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
/// Longest configuration that is read: what a `Chart.yaml` of people's is, many times over.
const CONFIG_BYTES: u64 = 64 << 10;
/// Longest index. What comes later in the order of versions is left out.
const INDEX_BYTES: usize = 8 << 20;

/// One version of a chart.
struct Chart {
    file: String,
    archive: Found,
    /// As JSON text: as values, hostile configurations would take twenty times the room.
    entry: Box<RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    api_version: &'static str,
    entries: BTreeMap<String, Vec<Box<RawValue>>>,
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

/// Whether these are the bytes of a chart's manifest.
pub(super) fn is_chart(manifest: &[u8]) -> bool {
    read::<Manifest>(manifest).is_some_and(|manifest| manifest.config.media_type == CONFIG)
}

/// Whether these are the bytes of an image's manifest, or of an index of images: what an engine pulls.
pub(super) fn is_image(manifest: &[u8]) -> bool {
    const CONFIGS: [&str; 2] = [
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
    ];
    match read::<Manifest>(manifest) {
        Some(manifest) => CONFIGS.contains(&manifest.config.media_type.as_str()),
        // An index has no config.
        None => !manifest.is_empty(),
    }
}

impl Registry {
    /// Returns the index of a classic chart repository, for agents of a scope or for anybody else, when it was made before; without its text
    /// where there was no room to keep that.
    pub fn charts_cached(
        &self,
        snapshot: &Snapshot,
        repository: &RepositoryName,
        asker: Option<&Scope>,
    ) -> Option<Arc<ChartIndex>> {
        let charts = snapshot.charts.of_repository(repository)?;
        let indexes = charts.indexes.read().unwrap_or_else(PoisonError::into_inner);
        indexes.get(&charts.asker(asker)).cloned()
    }

    /// Returns the trust domain whose charts make the index that an asker gets; nothing where that is not one.
    pub fn charts_domain(
        &self,
        snapshot: &Snapshot,
        repository: &RepositoryName,
        asker: Option<&Scope>,
    ) -> Option<Hash> {
        snapshot.charts.of_repository(repository)?.domain(asker)
    }

    /// Returns the index of a classic chart repository, with its text, for agents of a scope or for anybody else; nothing when no live desired state
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
        let Some(charts) = snapshot.charts.of_repository(repository) else {
            let names = [snapshot.homes.candidate(repository.clone(), Answers::Owner)];
            let names: Candidates = names.iter().collect();
            return self.db().read(|connection| {
                snapshot.check_signed(connection, &names)?;
                // What a document that cannot be read says of it is not known: that is no reason to say that there is nothing.
                match snapshot.charts.unread() {
                    Some(error) if names::is_known(connection, &snapshot.moment, &names)? => Err(again(error)),
                    _ => Ok(None),
                }
            });
        };
        // Made meanwhile, perhaps.
        let cached = self.charts_cached(snapshot, repository, asker);
        if let Some(index) = cached.as_ref().filter(|index| index.text.is_some()) {
            return Ok(Some(index.clone()));
        }
        let domain = charts.domain(asker);
        let asker = charts.asker(asker);
        let chosen = self.choose(charts, repository, asker.as_ref())?;
        if chosen.is_empty() {
            return Ok(None);
        }
        let (mut archives, mut entries, mut whole) =
            (HashMap::new(), BTreeMap::<String, Vec<Box<RawValue>>>::new(), true);
        let mut size = 0_usize;
        for signed in chosen {
            match self.chart(snapshot, repository, signed) {
                Ok(None) => {}
                Ok(Some(chart)) => {
                    size = size.saturating_add(chart.entry.get().len());
                    if size > INDEX_BYTES {
                        tracing::warn!(%repository, "the index of charts is longer than {INDEX_BYTES} bytes; the rest is left out");
                        break;
                    }
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
        let text = serde_json::to_vec(&Index {
            api_version: "v1",
            entries,
        })
        .expect("these values have a JSON form");
        let index = Arc::new(ChartIndex {
            length: text.len(),
            text: Some(text.into()),
            archives,
        });
        if whole
            && cached.is_none()
            && let Some(kept) = snapshot.charts.keep(domain, &index)
        {
            let mut indexes = charts.indexes.write().unwrap_or_else(PoisonError::into_inner);
            indexes.insert(asker, kept);
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
        let entry = serde_json::value::to_raw_value(&entry).expect("these values have a JSON form");
        Ok(Some(Chart { file, archive, entry }))
    }
}

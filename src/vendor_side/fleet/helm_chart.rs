//! The chart of an application: fetched, read, and asked for as an artifact of the bundle.

use std::sync::Arc;

use super::closure::{Closure, Wanted};
use crate::ReleaseFolder;
use crate::chart::{CHART_BYTES, CHART_LAYER, Chart, ChartFolder, artifact, pack};
use crate::collect::{ImageOptions, ImageReference, ImageRequest, RegistryOptions, Source, fetch_chart, pull_chart};
use crate::domain::{Class, Error, Name, RepositoryName, Result, Tag};
use crate::release_file::ChartLocation;
use crate::stream::read_bounded;

/// Host of charts that come from files here, when the author names no repository.
const LOCAL_HOST: &str = "charts.airlock.internal";

/// A chart that is being collected.
#[derive(Debug)]
pub(super) struct WantedChart {
    pub(super) chart: Chart,
    /// What it was read from.
    pub(super) archive: Vec<u8>,
    pub(super) wanted: Wanted,
    pub(super) tag: Tag,
}

impl WantedChart {
    /// Fetches and reads a chart. Its artifact is asked for; a chart of a registry by the digest that was read.
    ///
    /// # Errors
    ///
    /// `E-CONTENT chart` and `missing`, `E-LIMIT chart`; those of reading files and registries.
    pub(super) fn prepare(
        location: &ChartLocation,
        product: &Name,
        folder: &ReleaseFolder,
        options: &RegistryOptions,
        closure: &mut Closure,
    ) -> Result<Self> {
        match location {
            ChartLocation::Local(path, name) => {
                let label = path.display().to_string();
                let failed = |error| Error::io("open the chart", path, error);
                let looked = folder
                    .look(path)?
                    .ok_or_else(|| failed(std::io::ErrorKind::NotFound.into()))?;
                let archive = if looked.is_folder() {
                    pack(&ChartFolder::open(&looked, path)?)?
                } else {
                    read_bounded(folder.file(path, "open the chart")?, CHART_BYTES, "a chart")?
                };
                let chart = Chart::read(&archive, &label)?;
                let repository = match name {
                    Some(repository) => {
                        if repository.as_str().rsplit('/').next() != Some(chart.name.as_str()) {
                            return Err(Error::new(
                                Class::Content,
                                "chart",
                                format!("{label}: the chart {} is to be stored as {repository}", chart.name),
                            )
                            .expected(format!("a repository that ends in /{}", chart.name)));
                        }
                        repository.clone()
                    }
                    None => under(&format!("{LOCAL_HOST}/{product}"), &chart.name, &label)?,
                };
                Self::made(chart, archive, &label, repository, closure)
            }
            ChartLocation::Repository { address, name, version } => {
                let label = format!("{address} {name} {version}");
                let fetched = fetch_chart(options, address, name, version, CHART_BYTES)?;
                let chart = Chart::read(&fetched.archive, &label)?;
                if chart.name != *name || chart.version != *version {
                    return Err(Error::new(
                        Class::Content,
                        "chart",
                        format!("{label}: the archive is {} {}", chart.name, chart.version),
                    )
                    .expected("what the index says"));
                }
                let repository = under(&fetched.place, &chart.name, &label)?;
                Self::made(chart, fetched.archive, &label, repository, closure)
            }
            ChartLocation::Oci(reference) => {
                let (digest, archive) = pull_chart(options, reference, CHART_LAYER, CHART_BYTES)?;
                let label = reference.to_string();
                let chart = Chart::read(&archive, &label)?;
                let tag = tag_of(&chart)?;
                let last = reference.path.rsplit('/').next();
                if last != Some(chart.name.as_str()) || reference.tag.as_ref() != Some(&tag) {
                    return Err(Error::new(
                        Class::Content,
                        "chart",
                        format!("{label}: the archive is {} {}", chart.name, chart.version),
                    )
                    .expected("the chart and version that its address names"));
                }
                let pinned = ImageReference {
                    digest: Some(digest),
                    ..reference.clone()
                };
                let wanted = closure.add(ImageRequest {
                    source: Source::Registry(pinned),
                    name: None,
                    options: ImageOptions::default(),
                });
                Ok(Self {
                    chart,
                    archive,
                    wanted,
                    tag,
                })
            }
        }
    }

    fn made(
        chart: Chart,
        archive: Vec<u8>,
        label: &str,
        repository: RepositoryName,
        closure: &mut Closure,
    ) -> Result<Self> {
        let tag = tag_of(&chart)?;
        let made = artifact(&chart, archive.clone(), label);
        let wanted = closure.add(ImageRequest {
            source: Source::Made(Arc::new(made)),
            name: Some((repository, Some(tag.clone()))),
            options: ImageOptions::default(),
        });
        Ok(Self {
            chart,
            archive,
            wanted,
            tag,
        })
    }
}

/// Charts are tagged by their version; a tag holds no plus.
fn tag_of(chart: &Chart) -> Result<Tag> {
    chart.version.replace('+', "_").parse().map_err(|error| {
        Error::new(
            Class::Content,
            "chart",
            format!("{} {}: {error}", chart.name, chart.version),
        )
    })
}

fn under(place: &str, name: &str, label: &str) -> Result<RepositoryName> {
    format!("{place}/{name}").parse().map_err(|error| {
        Error::new(Class::Content, "chart", format!("{label}: {error}"))
            .remedy("fetch the archive and name it: chart: {source: FILE.tgz, name: HOST/PATH/CHART}")
    })
}

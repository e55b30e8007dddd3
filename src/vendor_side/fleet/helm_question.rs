//! What is asked of a chart under one set of values, and the answer.

use std::collections::BTreeMap;

use serde_json::Value;

use super::chart_report::ChartReport;
use super::helm_chart::WantedChart;
use crate::chart::{Ask, ReleaseWords};
use crate::collect::ImageReference;
use crate::domain::Error;
use crate::release_file::{HelmApplication, ImageEntry};
use crate::rendering::Helm;
use crate::secret::DeclaredSecrets;
use crate::values::{ImageUse, Values};

/// A chart under one set of values, and everything that its images are asked of.
#[derive(Debug)]
pub(super) struct Question<'a> {
    /// Name of the application.
    pub(super) name: &'a str,
    pub(super) application: &'a HelmApplication,
    pub(super) chart: &'a WantedChart,
    /// Merged values, with the author's images and marks for secrets.
    pub(super) own: Value,
    /// What is declared of the secrets that these have places for.
    pub(super) secrets: DeclaredSecrets,
    pub(super) release: String,
    pub(super) namespace: String,
    pub(super) helm: Option<&'a Helm>,
    /// What only looks like an image is refused too.
    pub(super) strict: bool,
}

/// The images of a chart under one set of values.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) values: Values,
    pub(super) images: Vec<ImageUse>,
    pub(super) problems: Vec<Error>,
    pub(super) warnings: Vec<String>,
    pub(super) report: ChartReport,
}

impl Question<'_> {
    /// Returns where images really come from, by their reference in values and templates.
    pub(super) fn elsewhere(application: &HelmApplication) -> BTreeMap<String, ImageEntry> {
        application
            .images
            .iter()
            .filter_map(|image| {
                let image = image.as_called();
                let (repository, tag) = image.name.clone()?;
                Some((format!("{repository}:{}", tag?), image))
            })
            .collect()
    }

    /// Returns the references that the author lists beside the values.
    pub(super) fn listed(&self) -> Vec<ImageReference> {
        let images = self.application.images.iter();
        images
            .filter_map(|image| match (image.as_called().name, &image.source) {
                (Some((repository, tag)), _) => format!("{repository}:{}", tag?).parse().ok(),
                (None, source) => source.to_string().parse().ok(),
            })
            .map(ImageReference::meant)
            .collect()
    }

    /// Returns the name of the pull secret that agents add to lists in values.
    pub(super) fn pull_secret(&self) -> String {
        format!("sh.distr.agent.v1.{}.pull", self.release)
    }

    /// Returns what templates know of the release.
    pub(super) fn words(&self) -> ReleaseWords<'_> {
        ReleaseWords {
            name: &self.release,
            namespace: &self.namespace,
        }
    }

    /// Whether the author says how the clusters answer a question.
    pub(super) fn says(&self, ask: &Ask) -> bool {
        match ask {
            Ask::Version(_) | Ask::KubeVersion => self.application.kube_version.is_some(),
            Ask::Api(_) | Ask::Apis => self.application.api_versions.is_some(),
            Ask::Age | Ask::Cluster | Ask::Revision | Ask::Chance => false,
        }
    }
}

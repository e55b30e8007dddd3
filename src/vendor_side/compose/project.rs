//! A compose application: what it pulls, what stands against it, and how it is written for a site.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use super::carried_files::CarriedFile;
use super::emitter::emit;
use super::images::{ImageUse, each_image, each_image_mut};
use super::node::{Map, Node, Value};
use super::place::Place;
use super::problem::{Problem, cut, refuse};
use super::scalar;
use crate::bundle::desired::PLACEHOLDER_HOST;
use crate::domain::{Class, Digest, Error, RepositoryName, Result, SecretName};
use crate::secret::unmark;

/// Largest document that agents get.
const DOCUMENT_BYTES: usize = 1 << 20;

/// A compose application: its files merged, only the services that run left.
pub struct Project {
    /// The whole document.
    pub(super) root: Map,
    /// Secrets that it has places for.
    pub(super) secrets: Vec<(SecretName, Place)>,
    /// Secrets that services without an activated profile have places for.
    pub(super) resting: Vec<SecretName>,
    /// Files that travel within the document.
    pub(super) carried: Vec<CarriedFile>,
    /// Environment files whose values are taken word for word.
    pub(super) verbatim: BTreeSet<PathBuf>,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

impl fmt::Debug for Project {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What it holds may be secret.
        f.debug_struct("Project")
            .field("services", &self.services().map(|(name, _)| name).collect::<Vec<_>>())
            .field("problems", &self.problems)
            .finish_non_exhaustive()
    }
}

impl Project {
    /// Returns everything that stands against the application, in the order of the files.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Returns the secrets that the document has places for, with where each was written.
    pub fn secrets(&self) -> &[(SecretName, Place)] {
        &self.secrets
    }

    /// Returns the secrets that only services would use which do not run under the activated profiles.
    pub fn resting_secrets(&self) -> &[SecretName] {
        &self.resting
    }

    /// Returns the files that travel within the document.
    pub fn carried(&self) -> &[CarriedFile] {
        &self.carried
    }

    /// Returns the environment files whose values are taken word for word, quotes too.
    pub fn verbatim(&self) -> impl Iterator<Item = &Path> {
        self.verbatim.iter().map(PathBuf::as_path)
    }

    /// Returns what works but deserves a look.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// Refuses an application that has problems, with the complete list.
    ///
    /// # Errors
    ///
    /// The problem itself, or one error for all of them: `E-POLICY secret`, `E-USAGE …` or `E-CONTENT …` when they agree, else
    /// `E-CONTENT problems`.
    pub fn check(&self) -> Result<()> {
        refuse(&self.problems)
    }

    /// Returns the services that run, ascending by name.
    pub(super) fn services(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.root
            .get("services")
            .and_then(Node::map)
            .into_iter()
            .flatten()
            .map(|(name, service)| (name.as_str(), service))
    }

    /// Returns every image that compose would pull, by service and place.
    pub fn images(&self) -> Vec<ImageUse> {
        let mut images = Vec::new();
        for (service, node) in self.services() {
            each_image(node, &mut |image| {
                if let Some(reference) = image.text() {
                    images.push(ImageUse {
                        service: service.to_owned(),
                        reference: reference.to_owned(),
                        place: image.place.clone(),
                    });
                }
            });
        }
        images
    }

    /// Writes the document that agents get: one file, its project name given, every image under the placeholder host with its
    /// digest. Everything else means what it did, and variables are still variables. The same project gives the same bytes.
    ///
    /// # Errors
    ///
    /// As [`Self::check`]; `E-CONTENT image` when an image is not in `resolved`; `E-LIMIT size` above 1 MiB.
    pub fn rewrite(
        &self,
        resolved: &BTreeMap<String, (RepositoryName, Digest)>,
        project_name: &str,
    ) -> Result<Vec<u8>> {
        self.check()?;
        let mut root = self.root.clone();
        let mut missing = Vec::new();
        if let Some(services) = root.get_mut("services").and_then(Node::map_mut) {
            for service in services.values_mut() {
                each_image_mut(service, &mut |image| {
                    let Some(reference) = image.text().map(str::to_owned) else {
                        return;
                    };
                    match resolved.get(&reference) {
                        Some((repository, digest)) => {
                            image.value = scalar::text(&format!("{PLACEHOLDER_HOST}/{repository}@{digest}"));
                        }
                        None => missing.push(format!("{}: the image {:?}", image.place, cut(&reference))),
                    }
                });
            }
        }
        if !missing.is_empty() {
            return Err(Error::listing(
                Class::Content,
                "image",
                "images are not in the bundle:",
                &missing,
            ));
        }
        if let Some((_, service)) = self.services().next() {
            root.insert(
                "name".to_owned(),
                Node::new(&service.place, Value::Text(super::node::Text::literal(project_name))),
            );
        }
        let text = unmark(&emit(&root));
        if text.len() > DOCUMENT_BYTES {
            return Err(Error::new(
                Class::Limit,
                "size",
                format!("the compose file that agents would get has {} bytes", text.len()),
            )
            .expected(format!("at most {DOCUMENT_BYTES}")));
        }
        Ok(text.into_bytes())
    }
}

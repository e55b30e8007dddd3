//! The places that images come from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ahead::{Look, look_ahead};
use super::archive::Archive;
use super::collect_event::CollectEvent;
use super::connections::Connections;
use super::engine::Engine;
use super::image_request::ImageRequest;
use super::layout::{Layout, LocalLayouts};
use super::local_tar::{DOCKER, LocalTar};
use super::origin::Origin;
use super::picked::KnownName;
use super::reference::{ImageReference, Platform};
use super::registry::Registry;
use super::registry_options::RegistryOptions;
use super::source::{EngineImage, Pick, Source};
use super::start::{Name, stored_names};
use crate::domain::{Class, Error, Result};

/// The places that images come from, each opened once for all its images.
pub(crate) struct Origins {
    pub(super) local: LocalLayouts,
    connections: Connections,
    pub(super) list: Vec<Arc<dyn Origin>>,
    layouts: BTreeMap<PathBuf, (usize, Arc<Layout>)>,
    archives: BTreeMap<PathBuf, (usize, Archive)>,
    engine: Option<Engine>,
    /// What the engine handed out, by what it was asked for.
    saved: BTreeMap<String, (usize, Archive)>,
    repositories: BTreeMap<(String, String), (usize, Arc<Registry>)>,
}

impl Origins {
    /// Opens nothing yet.
    pub(crate) fn new(options: &RegistryOptions, local: &LocalLayouts) -> Self {
        Self {
            local: local.clone(),
            connections: Connections::new(options.clone()),
            list: Vec::new(),
            layouts: BTreeMap::new(),
            archives: BTreeMap::new(),
            engine: None,
            saved: BTreeMap::new(),
            repositories: BTreeMap::new(),
        }
    }

    /// Returns the names that an image is stored under where the release gives it none, or no tag. No registry and no engine is asked.
    ///
    /// # Errors
    ///
    /// Those that its collection would end with: a layout or an archive that cannot be read, or has no such image.
    pub(crate) fn names(&mut self, request: &ImageRequest) -> Result<Vec<Name>> {
        let known = match &request.source {
            // What it is asked for by is its name.
            Source::Layout {
                pick: Pick::Name(name), ..
            }
            | Source::Archive {
                pick: Pick::Name(name), ..
            } => {
                vec![KnownName::whole(name.clone())]
            }
            Source::Layout { .. } | Source::Archive { .. } => self.looked_into(&request.source)?,
            Source::Engine(image) => image.name.clone().into_iter().map(KnownName::whole).collect(),
            Source::Registry(reference) if request.name.is_some() => vec![KnownName::whole(reference.clone().meant())],
            Source::Registry(_) | Source::Made(_) | Source::File(_) => Vec::new(),
        };
        stored_names(request, &known).map(|(names, _)| names.into())
    }

    /// Opens a layout or an archive and returns what the image that is meant is called there; nothing for other sources.
    ///
    /// # Errors
    ///
    /// Those of [`Layout`] and [`Archive`].
    pub(crate) fn looked_into(&mut self, source: &Source) -> Result<Vec<KnownName>> {
        match source {
            Source::Layout { path, pick } => Ok(self.layout(path)?.1.pick(pick)?.names),
            Source::Archive { path, pick } => self.archive(path)?.1.names(pick),
            Source::Engine(_) | Source::Registry(_) | Source::Made(_) | Source::File(_) => Ok(Vec::new()),
        }
    }

    pub(super) fn get(&self, number: usize) -> Result<&dyn Origin> {
        self.list
            .get(number)
            .map(AsRef::as_ref)
            .ok_or_else(|| Error::new(Class::Internal, "origin", "an origin is gone"))
    }

    pub(super) fn add(&mut self, origin: Box<dyn Origin>) -> usize {
        self.list.push(Arc::from(origin));
        self.list.len().saturating_sub(1)
    }

    pub(super) fn layout(&mut self, path: &Path) -> Result<(usize, Arc<Layout>)> {
        if let Some((number, layout)) = self.layouts.get(path) {
            return Ok((*number, Arc::clone(layout)));
        }
        let layout = Arc::new(Layout::open(path, &self.local)?);
        let number = self.add(Box::new(Arc::clone(&layout)));
        self.layouts.insert(path.to_owned(), (number, Arc::clone(&layout)));
        Ok((number, layout))
    }

    pub(super) fn archive(&mut self, path: &Path) -> Result<(usize, Archive)> {
        if let Some(known) = self.archives.get(path) {
            return Ok(known.clone());
        }
        let (file, expanded) = (self.local.folder.file(path, "open")?, self.local.expanded);
        let archive = Archive::open(path, LocalTar::open(path, file, expanded, DOCKER)?, expanded)?;
        let opened = (self.add(archive.origin()), archive);
        self.archives.insert(path.to_owned(), opened.clone());
        Ok(opened)
    }

    /// Has the engine hand out an image.
    pub(super) fn engine(
        &mut self,
        image: &EngineImage,
        progress: &mut dyn FnMut(CollectEvent<'_>),
    ) -> Result<(usize, Archive)> {
        if let Some(known) = self.saved.get(&image.asked) {
            return Ok(known.clone());
        }
        let engine = match self.engine.take() {
            Some(engine) => engine,
            None => Engine::of_this_machine(self.connections.runtime()?)?,
        };
        let engine = self.engine.insert(engine);
        let file = engine.save(&image.asked, &mut |done| progress(CollectEvent::Saving(done)))?;
        let (label, expanded) = (PathBuf::from(format!("docker:{}", image.asked)), self.local.expanded);
        let archive = Archive::open(&label, LocalTar::open(&label, file, expanded, DOCKER)?, expanded)?;
        let opened = (self.add(archive.origin()), archive);
        self.saved.insert(image.asked.clone(), opened.clone());
        Ok(opened)
    }

    pub(super) fn repository(&mut self, reference: &ImageReference) -> Result<(usize, Arc<Registry>)> {
        let place = (reference.host.clone(), reference.path.clone());
        if let Some(known) = self.repositories.get(&place) {
            return Ok(known.clone());
        }
        let registry = Arc::new(Registry::new(&mut self.connections, &reference.host, &reference.path)?);
        let opened = (self.add(Box::new(Arc::clone(&registry))), registry);
        self.repositories.insert(place, opened.clone());
        Ok(opened)
    }

    /// Has registries answer at once what their images will be asked for.
    pub(super) fn look_ahead(
        &mut self,
        images: &[ImageRequest],
        platforms: &[Platform],
        progress: &mut dyn FnMut(CollectEvent<'_>),
    ) {
        let mut found = Vec::new();
        for request in images {
            if let Source::Registry(reference) = &request.source
                // A host that is none is told when its turn comes.
                && let Ok((_, registry)) = self.repository(reference)
            {
                found.push((registry, reference, request));
            }
        }
        // One image is walked no sooner by being walked twice.
        if found.len() < 2 {
            return;
        }
        let looks = found.iter().map(|(registry, reference, request)| Look {
            registry,
            reference,
            request,
        });
        let looks: Vec<Look<'_>> = looks.collect();
        look_ahead(&looks, platforms, &mut |done| {
            progress(CollectEvent::Looking(done, looks.len()));
        });
    }
}

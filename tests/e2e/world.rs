//! What the cases share: the vendor's registries with the images in them, the clients, two releases, a folder for everything.
//!
//! Expensive parts are made when a case first asks for them. The world ends in order: servers stop, images leave the daemon,
//! registries stop, the folder goes.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::Outcome;
use crate::airlock::{Server, Site, Vendor};
use crate::clients::{Docker, Podman};
use crate::http::{Graph, digest};
use crate::images::{ImageSet, fixture, push_fixtures};
use crate::registry::{PASSWORD, Registry, USER};
use crate::shop::Shop;

/// What both releases hold: repository at the site, tag.
pub(crate) const IMAGES: [(&str, &str); 5] = [
    ("acme/app", "stable"),
    ("acme/tool", "stable"),
    ("acme/hello", "1.0"),
    ("acme/layout", "1.0"),
    ("acme/signed", "1.0"),
];
/// The one architecture that the bundles carry.
const ARCHITECTURE: &str = "amd64";

/// The world.
#[derive(Debug)]
pub(crate) struct World {
    live: OnceCell<Result<Server, String>>,
    /// Made once; a failure is every later case's failure too.
    releases: OnceCell<Result<(Vendor, [Release; 2]), String>>,
    /// dockerd.
    pub(crate) docker: Docker,
    /// podman.
    pub(crate) podman: Podman,
    /// The vendor's registry, in plain HTTP.
    pub(crate) plain: Registry,
    guarded: Registry,
    /// Applications, charts and targets.
    shop: OnceCell<Result<Shop, String>>,
    dir: TempDir,
}

/// A release: its bundle, and what the source registry said about each image when the bundle was made.
#[derive(Debug)]
pub(crate) struct Release {
    /// The number, also of its label `N.0`.
    pub(crate) number: u32,
    /// The bundle.
    pub(crate) bundle: PathBuf,
    /// Per repository at the site, the digest that its tag named and what that leads to.
    pub(crate) images: BTreeMap<&'static str, (String, Graph)>,
}

impl Release {
    /// The digest that an image's tag names.
    pub(crate) fn top(&self, repository: &str) -> Outcome<&str> {
        Ok(&self.images.get(repository).ok_or("no such image in the release")?.0)
    }

    /// What an image's tag leads to.
    pub(crate) fn graph(&self, repository: &str) -> Outcome<&Graph> {
        Ok(&self.images.get(repository).ok_or("no such image in the release")?.1)
    }
}

impl World {
    /// Starts the registries.
    pub(crate) fn new() -> Outcome<Self> {
        let dir = tempfile::Builder::new().prefix("airlock-e2e-").tempdir()?;
        let registry = dir.path().join("registry");
        fs::create_dir_all(&registry)?;
        Ok(Self {
            live: OnceCell::new(),
            releases: OnceCell::new(),
            shop: OnceCell::new(),
            docker: Docker::new(dir.path())?,
            podman: Podman::new(dir.path()),
            plain: Registry::plain(&registry)?,
            guarded: Registry::guarded(&registry)?,
            dir,
        })
    }

    /// A new folder for a case.
    pub(crate) fn folder(&self, name: &str) -> Outcome<PathBuf> {
        let folder = self.dir.path().join(name);
        fs::create_dir(&folder)?;
        Ok(folder)
    }

    /// The vendor and its two releases: images made and pushed, bundles created from the registries.
    pub(crate) fn releases(&self) -> Outcome<&(Vendor, [Release; 2])> {
        let made = self.releases.get_or_init(|| {
            self.make_releases()
                .map_err(|e| format!("the releases could not be made: {e}"))
        });
        made.as_ref().map_err(|why| why.clone().into())
    }

    /// The vendor with applications and targets, and its three releases.
    pub(crate) fn shop(&self) -> Outcome<&Shop> {
        let made = self.shop.get_or_init(|| {
            let made = self
                .folder("shop")
                .and_then(|dir| Shop::new(&self.docker, &self.plain, &dir));
            made.map_err(|e| format!("the shop could not be made: {e}"))
        });
        made.as_ref().map_err(|why| why.clone().into())
    }

    /// The vendor's trust root.
    pub(crate) fn root(&self) -> Outcome<PathBuf> {
        Ok(self.releases()?.0.root())
    }

    /// One of the two releases.
    pub(crate) fn release(&self, number: u32) -> Outcome<&Release> {
        let (_, releases) = self.releases()?;
        let found = releases.iter().find(|release| release.number == number);
        found.ok_or_else(|| "there are two releases".into())
    }

    /// A new appliance that trusts the vendor.
    pub(crate) fn site(&self, name: &str) -> Outcome<Site> {
        Site::new(&self.folder(name)?, &self.root()?)
    }

    /// An appliance that serves release 1, shared by the cases that only read.
    pub(crate) fn live(&self) -> Outcome<&Server> {
        let live = self.live.get_or_init(|| self.make_live().map_err(|e| e.to_string()));
        live.as_ref().map_err(|why| why.clone().into())
    }

    fn make_live(&self) -> Outcome<Server> {
        let site = self.site("live")?;
        site.imported(&self.release(1)?.bundle)?;
        site.serve()
    }

    fn make_releases(&self) -> Outcome<(Vendor, [Release; 2])> {
        let dir = self.folder("vendor")?;
        let vendor = Vendor::new(&dir)?;
        let images = ImageSet::new(&self.docker, &dir)?;
        push_fixtures(&self.plain)?;
        let first = self.make_release(1, &vendor, &images, &dir)?;
        let second = self.make_release(2, &vendor, &images, &dir)?;
        Ok((vendor, [first, second]))
    }

    fn make_release(&self, number: u32, vendor: &Vendor, images: &ImageSet<'_>, dir: &Path) -> Outcome<Release> {
        images.publish(number, &self.plain, &self.guarded)?;
        let bundle = dir.join(format!("release-{number}.airlock"));
        // The password stands where docker users keep it.
        let docker_config = dir.join("docker");
        fs::create_dir_all(&docker_config)?;
        let basic = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, format!("{USER}:{PASSWORD}"));
        fs::write(
            docker_config.join("config.json"),
            format!("{{\"auths\":{{\"{}\":{{\"auth\":\"{basic}\"}}}}}}", self.guarded.host()),
        )?;
        let mut create = vendor
            .create(number, &self.images_of_release(), &bundle)?
            .env("DOCKER_CONFIG", &docker_config);
        if let Some(ca_file) = &self.guarded.ca_file {
            create = create.arg("--ca-file").arg(ca_file);
        }
        create.ok()?;
        let mut graphs = BTreeMap::new();
        for (repository, tag) in IMAGES {
            let source = if repository == "acme/layout" {
                "acme/hello"
            } else {
                repository
            };
            let graph = self.plain.client().pull_for(source, tag, Some(ARCHITECTURE))?;
            let top = self.plain.client().get(&format!("/v2/{source}/manifests/{tag}"))?;
            graphs.insert(repository, (digest(&top.body), graph));
        }
        Ok(Release {
            number,
            bundle,
            images: graphs,
        })
    }

    /// The release file's part about images: two doors of the registry, a layout; under the vendor's public name and, for one, under another
    /// home host.
    fn images_of_release(&self) -> String {
        let (plain, guarded) = (self.plain.host(), self.guarded.host());
        let layout = fixture("hello").display().to_string();
        format!(
            "audience: any\nplatforms: [linux/{ARCHITECTURE}]\nhome_hosts: [registry.acme.example, mirror.acme.example]\nallow_outside: [{layout}]\nimages:\n\
             \x20 - source: {plain}/acme/app:stable\n    name: registry.acme.example/acme/app:stable\n\
             \x20 - source: {guarded}/acme/tool:stable\n    name: registry.acme.example/acme/tool:stable\n\
             \x20 - source: {plain}/acme/hello:1.0\n    name: mirror.acme.example/acme/hello:1.0\n\
             \x20 - source: oci:{layout}:1.0\n    name: registry.acme.example/acme/layout:1.0\n\
             \x20 - source: {plain}/acme/signed:1.0\n    name: registry.acme.example/acme/signed:1.0\n"
        )
    }
}

//! The real clients: dockerd, podman, skopeo, each kept apart from what else the machine holds.
//!
//! docker: the daemon that `DOCKER_HOST` names; its images made here are removed again. podman: storage of its own in the run's
//! folder, inside a mount namespace of its own, because its storage mounts would outlive it. skopeo: no state at all.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::http::{Graph, digest};
use crate::process::Program;
use crate::{Outcome, ensure, failure};

/// dockerd, through the docker command.
#[derive(Debug)]
pub(crate) struct Docker {
    config: PathBuf,
    images: RefCell<BTreeSet<String>>,
}

/// podman with storage of its own.
#[derive(Debug)]
pub(crate) struct Podman {
    dir: PathBuf,
}

/// What an engine says about an image that it pulled.
#[derive(Debug)]
pub(crate) struct Pulled {
    /// Digest of the configuration.
    pub(crate) id: String,
    /// Digests that the image was pulled by, without names.
    pub(crate) digests: BTreeSet<String>,
    /// Digests of the unpacked layers.
    pub(crate) diff_ids: Vec<String>,
}

impl Docker {
    /// Keeps the docker command's own files in a folder.
    pub(crate) fn new(dir: &Path) -> Outcome<Self> {
        let config = dir.join("docker-config");
        fs::create_dir_all(&config)?;
        Ok(Self {
            config,
            images: RefCell::default(),
        })
    }

    /// A docker command.
    pub(crate) fn command(&self) -> Program {
        Program::new("docker")
            .env("DOCKER_CONFIG", &self.config)
            // The engine's own builder: Debian has no buildx.
            .env("DOCKER_BUILDKIT", "0")
    }

    /// Notes an image that this run brings into the daemon, so that it is removed at the end.
    pub(crate) fn owns(&self, image: &str) {
        self.images.borrow_mut().insert(image.to_owned());
    }

    /// Pulls an image.
    pub(crate) fn pull(&self, image: &str) -> Outcome<Pulled> {
        self.owns(image);
        self.command().args(["pull", image]).ok()?;
        inspected(&self.command().args(["image", "inspect", image]).ok()?)
    }

    /// Starts a container without a network and returns what it printed.
    pub(crate) fn run(&self, image: &str) -> Outcome<String> {
        self.command().args(["run", "--rm", "--network", "none", image]).ok()
    }

    /// Forgets an image, so that the next pull brings it anew.
    pub(crate) fn forget(&self, image: &str) -> Outcome {
        self.command().args(["image", "rm", image]).ok()?;
        self.images.borrow_mut().remove(image);
        Ok(())
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        for image in self.images.borrow().iter() {
            // Already gone is as good.
            self.command().args(["image", "rm", image]).run().ok();
        }
    }
}

impl Podman {
    /// Keeps podman's storage in a folder.
    pub(crate) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.join("podman"),
        }
    }

    /// A podman command.
    pub(crate) fn command(&self) -> Program {
        Program::new("unshare")
            .words("--mount --propagation private podman")
            .arg("--root")
            .arg(self.dir.join("root"))
            .arg("--runroot")
            .arg(self.dir.join("run"))
            .arg("--tmpdir")
            .arg(self.dir.join("tmp"))
            // runc comes with Debian's docker.io. cgroupfs and no journal, because systemd need not run here.
            .words("--runtime runc --cgroup-manager cgroupfs --events-backend none")
    }

    /// Pulls an image over plain HTTP.
    pub(crate) fn pull(&self, image: &str) -> Outcome<Pulled> {
        self.command().args(["pull", "--tls-verify=false", image]).ok()?;
        inspected(&self.command().args(["image", "inspect", image]).ok()?)
    }

    /// Starts a container without a network and returns what it printed.
    pub(crate) fn run(&self, image: &str) -> Outcome<String> {
        self.command()
            // podman raises the limits of open files and processes to its own; without CAP_SYS_RESOURCE only lowering works.
            .words("run --rm --network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024")
            .arg(image)
            .ok()
    }
}

/// A skopeo command. The machine's signature policy is no part of the test.
pub(crate) fn skopeo() -> Program {
    Program::new("skopeo").arg("--insecure-policy")
}

/// Pulls an image with skopeo into a folder as it came (`dir:`), and returns the digests of the files.
pub(crate) fn skopeo_pull(image: &str, to: &Path, all: bool) -> Outcome<Graph> {
    skopeo()
        .args(["copy", "--preserve-digests", "--src-tls-verify=false"])
        .args(all.then_some("--all"))
        .arg(format!("docker://{image}"))
        .arg(format!("dir:{}", to.display()))
        .ok()?;
    let mut graph = Graph::new();
    for entry in fs::read_dir(to)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name == "version" {
            continue;
        }
        let bytes = fs::read(&path)?;
        let found = digest(&bytes);
        // manifest.json, HEX.manifest.json, or a blob under its own hash.
        let role = if name.ends_with("manifest.json") {
            let document: Value = serde_json::from_slice(&bytes)?;
            if document.get("manifests").is_some() {
                "index"
            } else {
                "manifest"
            }
        } else {
            ensure(found == format!("sha256:{name}"), || format!("{name} holds {found}"))?;
            "blob"
        };
        graph.insert(found, role);
    }
    Ok(graph)
}

fn inspected(text: &str) -> Outcome<Pulled> {
    let document: Value = serde_json::from_str(text)?;
    let Some(image) = document.get(0) else {
        return failure("no such image after the pull");
    };
    let texts = |value: &Value| -> Vec<String> {
        let list = value.as_array().map_or(&[][..], Vec::as_slice);
        list.iter()
            .filter_map(|item| item.as_str().map(str::to_owned))
            .collect()
    };
    let id = image["Id"].as_str().ok_or("an image without id")?;
    let mut digests: BTreeSet<String> = texts(&image["RepoDigests"])
        .iter()
        .filter_map(|name| Some(name.split_once('@')?.1.to_owned()))
        .collect();
    digests.extend(image["Digest"].as_str().map(str::to_owned));
    Ok(Pulled {
        // docker says `sha256:HEX`, podman `HEX`.
        id: format!("sha256:{}", id.trim_start_matches("sha256:")),
        digests,
        diff_ids: texts(&image["RootFS"]["Layers"]),
    })
}

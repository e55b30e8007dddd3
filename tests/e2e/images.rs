//! A realistic image set, made on the spot and pushed by real clients into the vendor's registry.
//!
//! | Image | What it is | Pushed by |
//! |---|---|---|
//! | `acme/app:stable` | a Debian root filesystem, a Debian package on it, a program of the release | `docker push` |
//! | `acme/tool:stable` | busybox on nothing | `skopeo copy`, TLS and a password |
//! | `acme/hello:1.0` | `fixtures/hello`: two platforms behind an index | `skopeo copy --all` |
//! | `acme/signed:1.0` | `fixtures/signed`: with a bill of materials and a signature | requests of our own |
//!
//! `publish` moves the `stable` tags to the images of one release; app and tool differ between releases in one small layer.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::clients::{Docker, skopeo};
use crate::process::Program;
use crate::registry::{PASSWORD, Registry, USER};
use crate::{Outcome, failure};

/// The Debian release of the root filesystem.
const SUITE: &str = "bookworm";
/// A small package whose program prints one line.
const PACKAGE: &str = "hello";

/// What a container of each image prints in release `number`.
pub(crate) fn app_says(number: u32) -> String {
    format!("Hello, world!\nacme app of release {number}\n")
}

/// What the tool prints.
pub(crate) fn tool_says(number: u32) -> String {
    format!("acme tool of release {number}\n")
}

/// Builds the images and pushes them.
#[derive(Debug)]
pub(crate) struct ImageSet<'a> {
    docker: &'a Docker,
    dir: PathBuf,
    base: String,
}

impl<'a> ImageSet<'a> {
    /// Makes the base image, from the cached root filesystem when there is one.
    pub(crate) fn new(docker: &'a Docker, dir: &Path) -> Outcome<Self> {
        let base = format!("airlock-e2e-base:{}", std::process::id());
        docker.owns(&base);
        docker.command().arg("import").arg(root_filesystem()?).arg(&base).ok()?;
        Ok(Self {
            docker,
            dir: dir.to_path_buf(),
            base,
        })
    }

    /// Builds the images of a release and moves the registry's `stable` tags to them.
    pub(crate) fn publish(&self, number: u32, plain: &Registry, guarded: &Registry) -> Outcome {
        let app = format!("{}/acme/app:stable", plain.host());
        self.build(
            &app,
            number,
            &format!(
                "FROM {}\nCOPY {PACKAGE}.deb /tmp/\nRUN dpkg -i /tmp/{PACKAGE}.deb && rm /tmp/{PACKAGE}.deb\n\
             COPY app /usr/local/bin/app\nENTRYPOINT [\"/usr/local/bin/app\"]\n",
                self.base
            ),
            &[(
                "app",
                &format!("#!/bin/sh\nhello && echo 'acme app of release {number}'\n"),
            )],
        )?;
        self.docker.command().args(["push", &app]).ok()?;

        let tool = format!("airlock-e2e-tool-{number}:{}", std::process::id());
        self.build(&tool, number, "FROM scratch\nCOPY busybox /bin/busybox\nCOPY version /version\nENTRYPOINT [\"/bin/busybox\", \"cat\", \"/version\"]\n",
            &[("version", &tool_says(number))])?;
        let mut copy = skopeo().args(["copy", "--dest-creds", &format!("{USER}:{PASSWORD}")]);
        if let Some(trusted) = guarded.ca_file.as_ref().and_then(|file| file.parent()) {
            copy = copy.arg("--dest-cert-dir").arg(trusted);
        }
        if let Ok(host) = std::env::var("DOCKER_HOST") {
            copy = copy.arg("--src-daemon-host").arg(host);
        }
        copy.arg(format!("docker-daemon:{tool}"))
            .arg(format!("docker://{}/acme/tool:stable", guarded.host()))
            .ok()?;
        Ok(())
    }

    fn build(&self, tag: &str, number: u32, dockerfile: &str, files: &[(&str, &str)]) -> Outcome {
        let context = self.dir.join(format!("build-{number}"));
        drop(fs::remove_dir_all(&context));
        fs::create_dir_all(&context)?;
        fs::write(context.join("Dockerfile"), dockerfile)?;
        fs::copy("/bin/busybox", context.join("busybox"))?;
        fs::copy(package()?, context.join(format!("{PACKAGE}.deb")))?;
        for (name, text) in files {
            fs::write(context.join(name), text)?;
            Program::new("chmod").arg("0755").arg(context.join(name)).ok()?;
        }
        self.docker.owns(tag);
        self.docker
            .command()
            .args(["build", "--quiet", "--network", "none", "--tag", tag])
            .arg(&context)
            .ok()?;
        Ok(())
    }
}

/// Pushes the layouts of `fixtures/`, with what refers to the images.
pub(crate) fn push_fixtures(plain: &Registry) -> Outcome {
    skopeo()
        .args(["copy", "--all", "--preserve-digests", "--dest-tls-verify=false"])
        .arg(format!("oci:{}:1.0", fixture("hello").display()))
        .arg(format!("docker://{}/acme/hello:1.0", plain.host()))
        .ok()?;
    push_signed(plain)
}

/// Pushes `fixtures/signed`. This registry has no referrers API, so the list of referrers goes under the fallback tag, as
/// clients of such registries do it.
fn push_signed(plain: &Registry) -> Outcome {
    let layout = fixture("signed");
    let client = plain.client();
    for entry in fs::read_dir(layout.join("blobs/sha256"))? {
        client.push_blob("acme/signed", &fs::read(entry?.path())?)?;
    }
    let index: Value = serde_json::from_slice(&fs::read(layout.join("index.json"))?)?;
    let mut referrers = Vec::new();
    let mut subject = String::new();
    for manifest in index["manifests"].as_array().ok_or("a layout without manifests")? {
        let (Some(digest), Some(kind)) = (manifest["digest"].as_str(), manifest["mediaType"].as_str()) else {
            return failure("a descriptor without digest or type");
        };
        let (_, hex) = digest.split_once(':').ok_or("a digest without algorithm")?;
        let bytes = fs::read(layout.join("blobs/sha256").join(hex))?;
        if let Some(tag) = manifest["annotations"]["org.opencontainers.image.ref.name"].as_str() {
            client.push_manifest("acme/signed", tag, kind, &bytes)?;
            if tag == "1.0" {
                subject = format!("sha256-{hex}");
            }
        } else {
            client.push_manifest("acme/signed", digest, kind, &bytes)?;
            referrers.push(manifest.clone());
        }
    }
    let kind = "application/vnd.oci.image.index.v1+json";
    let list = json!({"schemaVersion": 2, "mediaType": kind, "manifests": referrers});
    client.push_manifest("acme/signed", &subject, kind, &serde_json::to_vec(&list)?)
}

/// A folder of `fixtures/`.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// The root filesystem as a tar file, made by debootstrap and kept between runs.
fn root_filesystem() -> Outcome<PathBuf> {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let done = cache.join(format!("e2e-{SUITE}.tar"));
    if done.try_exists()? {
        return Ok(done);
    }
    let made = tempfile::tempdir()?;
    let root = made.path().join("root");
    Program::new("debootstrap")
        .args(["--variant=minbase", SUITE])
        .arg(&root)
        .ok()?;
    let half = cache.join(format!("e2e-{SUITE}.tar.{}", std::process::id()));
    Program::new("tar")
        .arg("--numeric-owner")
        // What apt can fetch again is no part of an image.
        .args([
            "--exclude=./var/cache/apt",
            "--exclude=./var/lib/apt/lists",
            "--exclude=./dev/*",
            "-C",
        ])
        .arg(&root)
        .arg("-cf")
        .arg(&half)
        .arg(".")
        .ok()?;
    fs::rename(&half, &done)?;
    Ok(done)
}

/// The package's file, fetched by apt and kept between runs.
fn package() -> Outcome<PathBuf> {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let done = cache.join(format!("e2e-{PACKAGE}.deb"));
    if done.try_exists()? {
        return Ok(done);
    }
    let made = tempfile::tempdir()?;
    Program::new("env")
        .arg("-C")
        .arg(made.path())
        // _apt, the user that apt fetches as, cannot write there; apt says so and goes on as root.
        .args(["apt-get", "download", "--quiet", PACKAGE])
        .ok()?;
    let file = fs::read_dir(made.path())?
        .next()
        .ok_or("apt-get downloaded nothing")??;
    fs::copy(file.path(), &done)?;
    Ok(done)
}

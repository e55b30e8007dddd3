//! Ways out with the tools that people have: layouts that they read, engines that are told where to ask, a registry that is filled.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::airlock::{Site, Vendor, airlock};
use crate::http::digest;
use crate::images::fixture;
use crate::plant::Plant;
use crate::process::{Program, Service};
use crate::world::World;
use crate::{Outcome, ensure, needs};

/// Names under two hosts.
const OWN: &str = "registry.acme.example/acme/hello:1.0";
const HUB: &str = "docker.io/library/hello:1.0";

/// A vendor, a bundle of `fixtures/hello` under two names, and the digest of it.
struct Hello {
    vendor: Vendor,
    bundle: PathBuf,
    digest: String,
}

impl Hello {
    fn new(dir: &Path) -> Outcome<Self> {
        let vendor = Vendor::new(dir)?;
        let bundle = dir.join("hello.airlock");
        let layout = fixture("hello");
        let images = format!(
            "audience: any\nhome_hosts: [registry.acme.example]\nallow_outside: [{0}]\nimages:\n  - source: oci:{0}:1.0\n    name: {OWN}\n  - source: oci:{0}:1.0\n    name: {HUB}\n",
            layout.display()
        );
        vendor.create(1, &images, &bundle)?.ok()?;
        let raw = skopeo(&["inspect", "--raw", &format!("oci:{}:1.0", layout.display())])?;
        let digest = digest(raw.as_bytes());
        Ok(Self { vendor, bundle, digest })
    }

    fn site(&self, dir: &Path) -> Outcome<Site> {
        let site = Site::new(dir, &self.vendor.root())?;
        site.imported(&self.bundle)?;
        Ok(site)
    }

    fn extract(&self, output: &Path) -> Program {
        airlock()
            .args(["bundle", "extract"])
            .arg(&self.bundle)
            .arg("--trust")
            .arg(self.vendor.root())
            .arg("-o")
            .arg(output)
    }
}

fn skopeo(words: &[&str]) -> Outcome<String> {
    Program::new("skopeo").args(words).ok()
}

/// A containerd of its own, and its `ctr`.
struct Containerd {
    _service: Service,
    socket: PathBuf,
}

impl Containerd {
    fn start(dir: &Path) -> Outcome<Self> {
        needs("ctr")?;
        let (config, socket) = (dir.join("containerd.toml"), dir.join("containerd.sock"));
        fs::write(
            &config,
            format!(
                "version = 2\nroot = \"{0}/containerd-root\"\nstate = \"{0}/containerd-state\"\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\n  address = \"{1}\"\n",
                dir.display(),
                socket.display()
            ),
        )?;
        let (service, ()) = Program::new("containerd")
            .arg("--config")
            .arg(&config)
            .serve(|line| line.contains("successfully booted").then_some(()))?;
        Ok(Self {
            _service: service,
            socket,
        })
    }

    fn ctr(&self) -> Program {
        Program::new("ctr").arg("-a").arg(&self.socket)
    }
}

/// skopeo, podman and containerd read what was unpacked; digests are those of the source.
pub(crate) fn layouts_are_read_by_other_tools(world: &World) -> Outcome {
    let dir = world.folder("layouts")?;
    let hello = Hello::new(&dir)?;
    let layout = dir.join("layout");
    hello.extract(&layout).ok()?;
    for name in [OWN, HUB] {
        let raw = skopeo(&["inspect", "--raw", &format!("oci:{}:{name}", layout.display())])?;
        let found = digest(raw.as_bytes());
        ensure(found == hello.digest, || {
            format!("{name} is {found} there, and was {}", hello.digest)
        })?;
    }
    // All platforms, each blob compared by its digest.
    let from = format!("oci:{}:{OWN}", layout.display());
    let to = format!("dir:{}", dir.join("copied").display());
    skopeo(&["copy", "--all", "--preserve-digests", &from, &to])?;
    // podman makes a name of the path, which has to be one of an image.
    let plain = std::env::temp_dir().join(format!("airlock-layout-{}", std::process::id()));
    std::os::unix::fs::symlink(&layout, &plain)?;
    let pull = world
        .podman
        .command()
        .arg("pull")
        .arg(format!("oci:{}:{OWN}", plain.display()));
    let said = pull.run();
    fs::remove_file(&plain)?;
    let said = said?;
    ensure(said.status.success(), || said.told())?;
    let archive = dir.join("layout.tar");
    let said = Program::new("sh")
        .args(["-c", "exec \"$0\" bundle extract \"$1\" --trust \"$2\" -o - > \"$3\""])
        .arg(env!("CARGO_BIN_EXE_airlock"))
        .arg(&hello.bundle)
        .arg(hello.vendor.root())
        .arg(&archive)
        .run()?;
    ensure(said.status.success(), || said.told())?;
    let containerd = Containerd::start(&dir)?;
    containerd
        .ctr()
        .args(["image", "import", "--no-unpack"])
        .arg(&archive)
        .ok()?;
    let listed = containerd.ctr().args(["image", "ls", "-q"]).ok()?;
    ensure(
        [OWN, HUB].iter().all(|name| listed.lines().any(|line| line == *name)),
        || listed.clone(),
    )
}

/// A credential lets dockerd, skopeo and containerd in, for what it names and while it is there; a snippet leads containerd here.
pub(crate) fn credentials_and_snippets_lead_engines_here(world: &World) -> Outcome {
    let dir = world.folder("snippets")?;
    let hello = Hello::new(&dir)?;
    let plant = Plant::of(hello.site(&dir)?, &dir)?;
    let added = plant.ask(&[
        "access",
        "add",
        "ops",
        "--read",
        "acme-erp/stable:registry.acme.example/*",
    ])?;
    let secret = added["secret"].as_str().ok_or("no secret")?.to_owned();
    let host = plant.host();
    let certificates = dir.join("certificates");
    fs::create_dir_all(&certificates)?;
    let files = snippet(&plant, "containerd", &secret, &dir)?;
    let hosts = dir.join("certs.d");
    for (path, content) in &files {
        let path = path.replace("/etc/containerd/certs.d", &hosts.display().to_string());
        let content = content.replace("/etc/containerd/certs.d", &hosts.display().to_string());
        fs::create_dir_all(Path::new(&path).parent().ok_or("no folder")?)?;
        fs::write(&path, &content)?;
        if path.ends_with("ca.crt") {
            fs::write(certificates.join("ca.crt"), content)?;
        }
    }
    let containerd = Containerd::start(&dir)?;
    let pull = |name: &str| {
        let pull = containerd.ctr().args(["content", "fetch", "--hosts-dir"]).arg(&hosts);
        pull.arg(name).run()
    };
    let said = pull(OWN)?;
    ensure(said.status.success(), || said.told())?;
    // What is not here, and what the credential does not name, is not found: no word of certificates.
    for name in ["registry.acme.example/acme/no-such:1.0", HUB] {
        let said = pull(name)?;
        ensure(
            !said.status.success() && said.stderr.contains("not found") && !said.stderr.contains("x509"),
            || said.told(),
        )?;
    }
    let inspect = |name: &str| {
        let inspect =
            Program::new("skopeo").args(["inspect", "--raw", "--creds", &format!("ops:{secret}"), "--cert-dir"]);
        inspect.arg(&certificates).arg(format!("docker://{host}/{name}")).run()
    };
    let said = inspect(OWN)?;
    ensure(said.status.success(), || said.told())?;
    ensure(!inspect(HUB)?.status.success(), || {
        "a name outside of the pattern came".to_owned()
    })?;
    plant.ask(&["access", "remove", "ops"])?;
    // A server notices within a tenth of a second.
    std::thread::sleep(std::time::Duration::from_millis(500));
    let said = inspect(OWN)?;
    ensure(!said.status.success() && said.stderr.contains("unauthorized"), || {
        said.told()
    })
}

/// Files of a snippet with a credential.
fn snippet(plant: &Plant, engine: &str, secret: &str, dir: &Path) -> Outcome<Vec<(String, String)>> {
    let file = dir.join("credential");
    fs::File::create(&file)?.write_all(secret.as_bytes())?;
    let said = plant.ask_with(&["snippet", engine, "--login-stdin"], fs::File::open(&file)?)?;
    let list = said["files"].as_array().ok_or_else(|| format!("no files in {said}"))?;
    let text = |file: &Value, name: &str| file[name].as_str().unwrap_or_default().to_owned();
    Ok(list
        .iter()
        .map(|file| (text(file, "path"), text(file, "content")))
        .collect())
}

/// Debian's docker-registry takes everything that is live, and nothing a second time.
pub(crate) fn live_content_is_copied_into_a_registry(world: &World) -> Outcome {
    let dir = world.folder("mirror")?;
    let hello = Hello::new(&dir)?;
    let site = hello.site(&dir)?;
    let config = dir.join("mirror.toml");
    let host = world.plain.host();
    fs::write(
        &config,
        format!("[mirror]\nregistry = \"{host}\"\nplain_http = true\nprefix = \"plant\"\nmap = [\"docker.io=hub\"]\n"),
    )?;
    let copy = || -> Outcome<Value> {
        let mirror = airlock().args(["--format", "json", "mirror", "--config"]).arg(&config);
        Ok(serde_json::from_str(&mirror.arg("--state").arg(&site.state).ok()?)?)
    };
    let first = copy()?;
    ensure(first["tags"] == 2, || format!("{first}"))?;
    for name in [
        "plant/registry.acme.example/acme/hello:1.0",
        "plant/hub/library/hello:1.0",
    ] {
        let raw = skopeo(&[
            "inspect",
            "--raw",
            "--tls-verify=false",
            &format!("docker://{host}/{name}"),
        ])?;
        let found = digest(raw.as_bytes());
        ensure(found == hello.digest, || {
            format!("{name} is {found} there, and was {}", hello.digest)
        })?;
    }
    let again = copy()?;
    ensure(
        again["blobs"] == 0 && again["manifests"] == 0 && again["tags"] == 0,
        || format!("{again}"),
    )
}

//! The servers that are compared: `airlock serve`, nginx on the same files, and distribution v3 on the same content.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use airlock::domain::oci;

use super::data::blob_folder;
use super::load::get;
use super::measure::of_process;
use super::tls::{Certificate, Client};

/// A repository and what it holds, as a client asks for it.
pub(crate) struct Names {
    /// The layout's folder of blobs.
    pub(crate) blobs: PathBuf,
    /// Repository and digest of one manifest.
    pub(crate) manifest: (String, String),
    /// Repository and digest of every configuration.
    pub(crate) configs: Vec<(String, String)>,
    /// Repository and digest of every layer.
    pub(crate) layers: Vec<(String, String)>,
    /// Repository, tag and digest of every manifest.
    pub(crate) tagged: Vec<(String, String, String)>,
}

impl Names {
    /// Reads them from a set's layout.
    pub(crate) fn of(set: &Path) -> Self {
        let content = super::data::content(set);
        let (mut configs, mut layers, mut tagged) = (Vec::new(), Vec::new(), Vec::new());
        for line in &content.tags {
            let document = oci::Document::parse(&content.manifests[&line.digest], &line.media_type).unwrap();
            let repository = line.repository.to_string();
            let tag = line.tag.as_ref().map(ToString::to_string);
            tagged.extend(tag.map(|tag| (repository.clone(), tag, line.digest.0.to_hex())));
            configs.extend(
                document
                    .config
                    .iter()
                    .map(|config| (repository.clone(), config.digest.0.to_hex())),
            );
            layers.extend(
                document
                    .layers
                    .iter()
                    .map(|layer| (repository.clone(), layer.digest.0.to_hex())),
            );
        }
        Self {
            blobs: blob_folder(set),
            manifest: (
                content.tags[0].repository.to_string(),
                content.tags[0].digest.0.to_hex(),
            ),
            configs,
            layers,
            tagged,
        }
    }
}

impl Names {
    /// Writes down everything that a registry of these holds, a line for each: kind, repository, digest or tag, file, media type.
    pub(crate) fn list(&self, work: &Path) -> PathBuf {
        let line = |kind: &str, repository: &str, name: &str, digest: &str, media_type: &str| {
            format!(
                "{kind} {repository} {name} {} {media_type}\n",
                self.blobs.join(digest).display()
            )
        };
        let blobs = self.configs.iter().chain(&self.layers).map(|(repository, digest)| {
            line(
                "blobs",
                repository,
                &format!("sha256:{digest}"),
                digest,
                "application/octet-stream",
            )
        });
        let manifests = self
            .tagged
            .iter()
            .map(|(repository, tag, digest)| line("manifests", repository, tag, digest, oci::OCI_MANIFEST));
        let path = work.join("list");
        fs::write(&path, blobs.chain(manifests).collect::<String>()).unwrap();
        path
    }
}

/// A running server; it ends when dropped.
pub(crate) struct Running {
    child: Child,
    pub(crate) address: SocketAddr,
    /// Whether paths are those of a registry, or plain files.
    registry: bool,
}

impl Running {
    fn start(mut command: Command, address: SocketAddr, registry: bool) -> Self {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Self {
            child,
            address,
            registry,
        }
    }

    /// `airlock serve` on a state folder.
    pub(crate) fn airlock(state: &Path) -> Self {
        let address = free_address();
        let mut command = Command::new(airlock());
        command
            .arg("serve")
            .arg("--state")
            .arg(state)
            .arg("--listen")
            .arg(address.to_string());
        Self::start(command, address, true)
    }

    /// The same over HTTPS.
    pub(crate) fn airlock_tls(state: &Path, work: &Path, certificate: &Certificate) -> Self {
        let address = free_address();
        let config = work.join("airlock-tls.toml");
        let text = format!(
            "listen = []\n[tls]\nlisten = [\"{address}\"]\nnames = [\"localhost\"]\ncertificate = \"{}\"\nkey = \"{}\"\n",
            certificate.pem.display(),
            certificate.key.display()
        );
        fs::write(&config, text).unwrap();
        let mut command = Command::new(airlock());
        command
            .arg("serve")
            .arg("--state")
            .arg(state)
            .arg("--config")
            .arg(config);
        Self::start(command, address, true)
    }

    /// nginx with as many workers as cores and `sendfile`, or with TLS 1.3 and otherwise its own settings; nothing where it is not installed.
    pub(crate) fn nginx(layout_blobs: &Path, work: &Path, tls: Option<&Certificate>) -> Option<Self> {
        let program = program("nginx")?;
        let address = free_address();
        let root = layout_blobs.parent()?.parent()?;
        let user = if rustix::process::geteuid().is_root() {
            "user root;"
        } else {
            ""
        };
        let work = work.join(if tls.is_some() { "nginx-tls" } else { "nginx" });
        fs::create_dir_all(&work).unwrap();
        let work = work.display();
        let listen = match tls {
            None => format!("listen {address};"),
            Some(Certificate { pem, key, .. }) => format!(
                "listen {address} ssl; ssl_protocols TLSv1.3; ssl_certificate {}; ssl_certificate_key {};",
                pem.display(),
                key.display()
            ),
        };
        let text = format!(
            "{user} daemon off; worker_processes auto; pid {work}/nginx.pid; error_log {work}/nginx.log;\n\
             events {{ worker_connections 1024; }}\n\
             http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000;\n\
             client_body_temp_path {work}/nginx-body; proxy_temp_path {work}/nginx-proxy; fastcgi_temp_path {work}/nginx-fastcgi;\n\
             uwsgi_temp_path {work}/nginx-uwsgi; scgi_temp_path {work}/nginx-scgi;\n\
             server {{ {listen} root {}; }} }}\n",
            root.display()
        );
        let path = PathBuf::from(format!("{work}/nginx.conf"));
        fs::write(&path, text).unwrap();
        let mut command = Command::new(program);
        command.arg("-c").arg(path);
        Some(Self::start(command, address, false))
    }

    /// distribution v3 with nothing in it.
    pub(crate) fn empty_distribution(work: &Path) -> Option<Self> {
        if work.try_exists().unwrap() {
            fs::remove_dir_all(work).unwrap();
        }
        let server = Self::distribution_on(&work.join("distribution"), work)?;
        // It answers this whatever it holds.
        server.wait_for("/v2/", None);
        Some(server)
    }

    /// distribution v3 with its in-memory descriptor cache and without an access log; nothing where it is not there.
    pub(crate) fn distribution(names: &Names, work: &Path) -> Option<Self> {
        let root = work.join("distribution");
        fill_distribution(names, &root);
        Self::distribution_on(&root, work)
    }

    fn distribution_on(root: &Path, work: &Path) -> Option<Self> {
        let program = std::env::var_os("AIRLOCK_BENCH_DISTRIBUTION")
            .map(PathBuf::from)
            .or_else(|| program("docker-registry"))?;
        fs::create_dir_all(root).unwrap();
        let address = free_address();
        let text = format!(
            "version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\nstorage:\n  cache:\n    blobdescriptor: inmemory\n  \
             filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {address}\n",
            root.display()
        );
        let path = work.join("distribution.yml");
        fs::write(&path, text).unwrap();
        let mut command = Command::new(program);
        command.arg("serve").arg(path).env("OTEL_TRACES_EXPORTER", "none");
        Some(Self::start(command, address, true))
    }

    /// The path of a manifest.
    pub(crate) fn manifest(&self, (repository, digest): &(String, String)) -> String {
        if self.registry {
            format!("/v2/{repository}/manifests/sha256:{digest}")
        } else {
            format!("/blobs/sha256/{digest}")
        }
    }

    /// The path of a blob.
    pub(crate) fn blob(&self, (repository, digest): &(String, String)) -> String {
        if self.registry {
            format!("/v2/{repository}/blobs/sha256:{digest}")
        } else {
            format!("/blobs/sha256/{digest}")
        }
    }

    /// Waits until a path is answered.
    pub(crate) fn wait_for(&self, path: &str, tls: Option<&Client>) {
        for _ in 0..100_000 {
            if get(self.address, path, tls).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        panic!("{path} is not answered");
    }

    /// CPU seconds so far, with the processes that it started.
    pub(crate) fn cpu(&self) -> f64 {
        let id = self.child.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
        children
            .split_whitespace()
            .map(ToOwned::to_owned)
            .chain([id.to_string()])
            .map(|id| of_process(&id))
            .map(|taken| taken.user + taken.system)
            .sum()
    }

    /// The most memory it held so far, in bytes.
    pub(crate) fn memory(&self) -> f64 {
        super::measure::peak(&self.child.id().to_string())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        self.child.wait().unwrap();
    }
}

/// The program that is measured.
pub(crate) fn airlock() -> PathBuf {
    std::env::var_os("AIRLOCK_BENCH_PROGRAM").map_or_else(|| env!("CARGO_BIN_EXE_airlock").into(), PathBuf::from)
}

fn program(name: &str) -> Option<PathBuf> {
    ["/usr/bin", "/usr/sbin", "/usr/local/bin"]
        .iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|path| path.is_file())
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Lays content out as distribution keeps it on disk.
fn fill_distribution(names: &Names, root: &Path) {
    let base = root.join("docker/registry/v2");
    if base.try_exists().unwrap() {
        return;
    }
    let link = |folder: PathBuf, digest: &str| {
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("link"), format!("sha256:{digest}")).unwrap();
    };
    for entry in fs::read_dir(&names.blobs).unwrap() {
        let entry = entry.unwrap();
        let digest = entry.file_name().into_string().unwrap();
        let folder = base.join("blobs/sha256").join(&digest[..2]).join(&digest);
        fs::create_dir_all(&folder).unwrap();
        fs::hard_link(entry.path(), folder.join("data")).unwrap();
    }
    for (repository, digest) in names.configs.iter().chain(&names.layers) {
        link(
            base.join(format!("repositories/{repository}/_layers/sha256/{digest}")),
            digest,
        );
    }
    for (repository, tag, digest) in &names.tagged {
        let manifests = base.join(format!("repositories/{repository}/_manifests"));
        link(manifests.join(format!("revisions/sha256/{digest}")), digest);
        link(manifests.join(format!("tags/{tag}/current")), digest);
        link(manifests.join(format!("tags/{tag}/index/sha256/{digest}")), digest);
    }
    rustix::fs::syncfs(File::open(root).unwrap()).unwrap();
}

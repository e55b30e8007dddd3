//! The vendor's registry: Debian's `docker-registry` on a loopback port.
//!
//! One folder of content with two doors: plain HTTP for whoever looks at it, and TLS with a password file. Both are the real
//! program; what is pushed through one is read through the other.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Outcome;
use crate::http::Client;
use crate::process::{Program, Service};

/// The name in the password file.
pub(crate) const USER: &str = "release-officer";
/// The password, of this test run only.
pub(crate) const PASSWORD: &str = "not-a-secret";

/// A running registry.
#[derive(Debug)]
pub(crate) struct Registry {
    _service: Service,
    /// Its port at 127.0.0.1.
    pub(crate) port: u16,
    /// The certificate that a client must trust, for the door with TLS.
    pub(crate) ca_file: Option<PathBuf>,
}

impl Registry {
    /// Starts a registry over a folder, in plain HTTP.
    pub(crate) fn plain(dir: &Path) -> Outcome<Self> {
        Self::start(dir, "plain", "", None)
    }

    /// Starts a registry over a folder, with TLS and Basic authentication.
    pub(crate) fn guarded(dir: &Path) -> Outcome<Self> {
        // A folder of its own: skopeo is given the folder, and takes every `.crt` in it as trusted.
        let trusted = dir.join("trusted");
        fs::create_dir_all(&trusted)?;
        let (authority, authority_key) = (trusted.join("authority.crt"), dir.join("authority.key"));
        request(
            "/CN=authority",
            "basicConstraints=critical,CA:TRUE",
            &authority_key,
            &authority,
        )
        .ok()?;
        let (certificate, key) = (dir.join("registry.crt"), dir.join("registry.key"));
        request("/CN=registry", "basicConstraints=critical,CA:FALSE", &key, &certificate)
            .args(["-addext", "subjectAltName=IP:127.0.0.1", "-CA"])
            .arg(&authority)
            .arg("-CAkey")
            .arg(&authority_key)
            .ok()?;
        let passwords = dir.join("htpasswd");
        let line = Program::new("htpasswd").args(["-nbB", USER, PASSWORD]).ok()?;
        fs::write(&passwords, line)?;
        let more = format!(
            "  tls:\n    certificate: {}\n    key: {}\nauth:\n  htpasswd:\n    realm: vendor\n    path: {}\n",
            certificate.display(),
            key.display(),
            passwords.display()
        );
        Self::start(dir, "guarded", &more, Some(authority))
    }

    /// A client of the door without TLS.
    pub(crate) fn client(&self) -> Client {
        Client { port: self.port }
    }

    /// The host as it stands in image names.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn start(dir: &Path, name: &str, more: &str, ca_file: Option<PathBuf>) -> Outcome<Self> {
        let content = dir.join("content");
        fs::create_dir_all(&content)?;
        let config = dir.join(format!("{name}.yml"));
        // Port 0: the system chooses a free one, and the registry logs which.
        fs::write(
            &config,
            format!(
                "version: 0.1\nlog:\n  level: info\nstorage:\n  filesystem:\n    rootdirectory: {}\n  delete:\n    enabled: true\nhttp:\n  addr: 127.0.0.1:0\n{more}",
                content.display()
            ),
        )?;
        let (service, port) = Program::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .serve(|line| {
                let after = line.split_once("listening on 127.0.0.1:")?.1;
                after.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
            })?;
        Ok(Self {
            _service: service,
            port,
            ca_file,
        })
    }
}

/// The command that makes a key and a certificate, signed by itself unless more arguments say otherwise.
fn request(subject: &str, constraint: &str, key: &Path, certificate: &Path) -> Program {
    Program::new("openssl")
        .words("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2")
        .args(["-subj", subject, "-addext", constraint, "-keyout"])
        .arg(key)
        .arg("-out")
        .arg(certificate)
}

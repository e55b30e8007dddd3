//! The Docker engine of this machine, asked through its socket: images that stand nowhere else.
//!
//! An engine hands an image out as `docker save` does, one tar, which cannot be read from the middle of a stream. So it is kept in a file
//! without a name in `$TMPDIR` until the bundle is written, and read as such a file is.
//!
//! The socket is the one of `DOCKER_HOST`, else the usual ones. Podman's service answers the same questions.
//!
//! `bollard` was looked at for this: some ten more crates, one of them the whole API as code, for one request that `reqwest` makes as it
//! is.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Response, StatusCode};
use serde::Deserialize;
use tokio::runtime::Runtime;

use super::local_tar::unnamed;
use super::registry_error::chain;
use crate::domain::{Class, Code, Error, Result};

/// Sub-code of an engine that cannot be asked.
pub(super) const ENGINE: Code = Code::new("engine");
const DOCKER_HOST: &str = "DOCKER_HOST";
/// Where an engine listens unless it is told otherwise.
const USUAL: &str = "/var/run/docker.sock";
/// How long an engine may prepare an image, or stand still.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often somebody is told that it is still at work.
const TICK: Duration = Duration::from_secs(1);
/// Bytes of an error.
const ERROR_BYTES: usize = 1 << 16;
/// Characters of an error that are shown.
const SHOWN: usize = 300;
const START_IT: &str = "start the engine, or say where it listens with DOCKER_HOST=unix:///PATH; or save the image where the engine is with `docker save NAME -o FILE`, and write docker-archive:FILE";

/// An engine.
#[derive(Debug)]
pub(super) struct Engine {
    client: reqwest::Client,
    runtime: Arc<Runtime>,
    socket: PathBuf,
}

impl Engine {
    /// Finds the engine of this machine; nothing is asked yet.
    ///
    /// # Errors
    ///
    /// `E-USAGE engine` for an engine elsewhere.
    pub(super) fn of_this_machine(runtime: Arc<Runtime>) -> Result<Self> {
        let socket = socket()?;
        // No TLS is spoken here, but every client is made with a provider for it.
        rustls::crypto::ring::default_provider().install_default().ok();
        let client = reqwest::Client::builder()
            .user_agent(concat!("airlock/", env!("CARGO_PKG_VERSION")))
            .read_timeout(PATIENCE)
            .no_proxy()
            .unix_socket(socket.as_path())
            .build()
            .map_err(|error| Error::new(Class::Usage, "tls", format!("HTTP cannot be set up: {}", chain(&error))))?;
        Ok(Self {
            client,
            runtime,
            socket,
        })
    }

    /// Returns an image as `docker save` writes it, in a file without a name.
    ///
    /// # Errors
    ///
    /// `E-CONTENT missing` for an image that is not there; `E-IO engine`; `E-SPACE`.
    pub(super) fn save(&self, name: &str, told: &mut dyn FnMut(u64)) -> Result<File> {
        let mut answer = self.ask(&format!("http://docker/images/{name}/get"), told)?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => {
                let found = format!("the engine at {} has no image {name}", self.socket.display());
                return Err(Error::new(Class::Content, "missing", found)
                    .expected("an image that `docker image ls` lists; the one of Docker Hub that is called docker is written docker.io/library/docker:TAG")
                    .remedy(format!("pull or build it there: `docker pull {name}`")));
            }
            other => {
                let said = self.said(answer);
                return Err(self.failed(&format!("it answers {other} for {name}{said}")));
            }
        }
        let folder = std::env::temp_dir();
        let mut file = unnamed(&folder)?;
        let mut done = 0_u64;
        loop {
            let chunk = self.wait(answer.chunk(), &mut || told(done));
            let Some(chunk) = chunk.map_err(|error| self.failed(&format!("{name}: {}", chain(&error))))? else {
                break;
            };
            file.write_all(&chunk)
                .map_err(|e| Error::io("save an image in", &folder, e))?;
            done = done.saturating_add(chunk.len() as u64);
            told(done);
        }
        file.rewind().map_err(|e| Error::io("read", &folder, e))?;
        Ok(file)
    }

    fn ask(&self, address: &str, told: &mut dyn FnMut(u64)) -> Result<Response> {
        // Timers of a request begin where it is made.
        let _entered = self.runtime.enter();
        self.wait(self.client.get(address).send(), &mut || told(0))
            .map_err(|error| self.failed(&chain(&error)))
    }

    /// Waits on this thread, and says so now and then.
    fn wait<T>(&self, future: impl Future<Output = T>, still: &mut dyn FnMut()) -> T {
        let mut future = pin!(future);
        loop {
            let part = self
                .runtime
                .block_on(async { tokio::time::timeout(TICK, &mut future).await });
            match part {
                Ok(done) => return done,
                Err(_) => still(),
            }
        }
    }

    /// What an engine says of its failure.
    fn said(&self, mut answer: Response) -> String {
        #[derive(Deserialize)]
        struct Failure {
            message: String,
        }
        let mut bytes = Vec::new();
        while let Ok(Some(chunk)) = self.runtime.block_on(answer.chunk()) {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > ERROR_BYTES {
                return String::new();
            }
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "an engine's answer, bounded, shown to a person"
        )]
        let failure: Option<Failure> = serde_json::from_slice(&bytes).ok();
        failure.map_or_else(String::new, |failure| {
            format!(": {}", failure.message.chars().take(SHOWN).collect::<String>())
        })
    }

    fn failed(&self, what: &str) -> Error {
        let found = format!("the docker engine at {} cannot be asked: {what}", self.socket.display());
        Error::new(Class::Io, ENGINE, found)
            .expected("an engine that answers, and the right to use its socket")
            .remedy(START_IT)
    }
}

fn is_there(path: &Path) -> bool {
    // One that cannot be looked at cannot be used either, and is told of when it is asked.
    path.try_exists().unwrap_or(false)
}

/// The socket of the engine.
fn socket() -> Result<PathBuf> {
    let said = std::env::var_os(DOCKER_HOST).filter(|said| !said.is_empty());
    let Some(said) = said else {
        let usual = Path::new(USUAL).to_owned();
        let own = std::env::var_os("XDG_RUNTIME_DIR").map(|folder| Path::new(&folder).join("docker.sock"));
        // An engine without root listens in its user's folder.
        return Ok(match own {
            Some(own) if !is_there(&usual) && is_there(&own) => own,
            _ => usual,
        });
    };
    let text = said.to_string_lossy();
    match text.strip_prefix("unix://") {
        Some(path) if path.starts_with('/') => Ok(PathBuf::from(path)),
        _ => Err(Error::new(
            Class::Usage,
            ENGINE,
            format!("{DOCKER_HOST} is {:?}", text.chars().take(120).collect::<String>()),
        )
        .expected("unix:// and the path of a socket of this machine")
        .remedy(START_IT)),
    }
}

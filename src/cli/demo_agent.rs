//! The demo's agent: does over HTTP what a Distr docker agent does, against the demo's own appliance.
//!
//! With a Docker engine and compose on this machine it deploys for real, and takes everything down at the end. Without, it pulls
//! every image, compares every digest, and reports that.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::runtime::Runtime;
use zeroize::Zeroizing;

use crate::domain::{Class, Error, Result, StatusKind, Uuid};
use crate::protocol::distr::{Deployment, Endpoint, LoginAnswer, Resources, StatusReport, user_agent};
use crate::stream::{create_folder, write_atomically};

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Version that the demo's agent states.
pub(super) const VERSION: &str = "demo";

/// What an agent needs to know: all of it is in the manifest that `airlock target connect` leads to.
#[derive(Debug)]
pub(super) struct Account {
    /// Address of the appliance: `http://127.0.0.1:5000`.
    pub(super) base: String,
    pub(super) target: Uuid,
    pub(super) secret: Zeroizing<String>,
}

/// The agent.
pub(super) struct Agent {
    account: Account,
    http: reqwest::Client,
    runtime: Runtime,
    token: Option<Zeroizing<String>>,
    compose: Option<Vec<&'static str>>,
    folder: PathBuf,
    /// Revision applied, and compose project, by deployment.
    applied: BTreeMap<Uuid, (Uuid, String)>,
}

/// What became of a deployment in one round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) kind: StatusKind,
    pub(super) message: String,
}

impl Agent {
    /// Makes an agent that keeps its files in a folder.
    pub(super) fn new(account: Account, folder: &Path) -> Result<Self> {
        let failed = |error: &dyn std::fmt::Display| {
            Error::new(
                Class::Internal,
                "demo",
                format!("the demo's agent cannot start: {error}"),
            )
        };
        // Another part of the process may have chosen a provider; one is as good as the other.
        rustls::crypto::ring::default_provider().install_default().ok();
        Ok(Self {
            account,
            http: reqwest::Client::builder()
                .user_agent(user_agent(VERSION))
                .timeout(PATIENCE)
                .build()
                .map_err(|error| failed(&error))?,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| failed(&error))?,
            token: None,
            compose: find_compose(),
            folder: folder.to_owned(),
            applied: BTreeMap::new(),
        })
    }

    /// Whether it deploys with a Docker engine of this machine.
    pub(super) fn deploys(&self) -> bool {
        self.compose.is_some()
    }

    /// One round: asks what to run, applies what changed, checks the rest, reports each deployment.
    ///
    /// `pull` fetches an image by reference and returns its size; it is used where there is no engine.
    pub(super) fn round(&mut self, pull: &mut dyn FnMut(&str) -> Result<u64>) -> Result<Vec<Report>> {
        let body = self.request(Endpoint::Resources, None)?;
        let resources: Resources = serde_json::from_str(&body)
            .map_err(|error| unexpected(&format!("a list of what to run that is {error}")))?;
        let gone: Vec<Uuid> = self
            .applied
            .keys()
            .filter(|id| resources.deployments.iter().all(|deployment| deployment.id != **id))
            .copied()
            .collect();
        for id in gone {
            self.take_down(id)?;
        }
        let mut reports = Vec::new();
        for deployment in &resources.deployments {
            let outcome = match self.applied.get(&deployment.id) {
                Some((revision, project)) if *revision == deployment.revision_id => self.check(project),
                _ => self.apply(deployment, pull),
            };
            let report = outcome.unwrap_or_else(|error| Report {
                kind: StatusKind::Error,
                message: error.to_string(),
            });
            let status = StatusReport {
                revision: Some(deployment.revision_id),
                kind: report.kind.as_str(),
                message: report.message.as_str(),
            };
            let body = serde_json::to_string(&status).expect("a status has a JSON form");
            self.request(Endpoint::Status, Some(&body))?;
            reports.push(report);
        }
        Ok(reports)
    }

    fn apply(&mut self, deployment: &Deployment, pull: &mut dyn FnMut(&str) -> Result<u64>) -> Result<Report> {
        let text = deployment.compose_file.as_deref().map(decode).transpose()?;
        let text = text.ok_or_else(|| unexpected("a deployment without a compose file"))?;
        let compose = String::from_utf8(text).map_err(|_| unexpected("a compose file that is no text"))?;
        let project = compose
            .lines()
            .find_map(|line| line.strip_prefix("name:"))
            .map(|name| name.trim().trim_matches(['"', '\'']).to_owned())
            .ok_or_else(|| unexpected("a compose file without a name"))?;
        let folder = self.folder.join(deployment.id.to_string());
        create_folder(&folder)?;
        // The name goes by an option: docker-compose 1.29 does not know it in the file.
        let file: String = compose
            .lines()
            .filter(|line| !line.starts_with("name:"))
            .flat_map(|line| [line, "\n"])
            .collect();
        write_atomically(&folder.join("docker-compose.yaml"), file.as_bytes(), 0o644)?;
        if let Some(env) = &deployment.env_file {
            write_atomically(&folder.join(".env"), &decode(env)?, 0o600)?;
        }
        let message = if self.compose.is_some() {
            self.run_compose(&project, &["up", "--detach", "--remove-orphans"], Some(&folder))?;
            "compose command executed successfully".to_owned()
        } else {
            let mut pulled = Vec::new();
            for reference in references(&compose, &self.account.base) {
                pulled.push(pull(&reference)?);
            }
            let total: u64 = pulled.iter().sum();
            format!(
                "no Docker engine here: images pulled: {}, {total} bytes, every digest compared",
                pulled.len()
            )
        };
        self.applied.insert(deployment.id, (deployment.revision_id, project));
        Ok(Report {
            kind: StatusKind::Progressing,
            message,
        })
    }

    fn check(&self, project: &str) -> Result<Report> {
        if self.compose.is_none() {
            return Ok(Report {
                kind: StatusKind::Running,
                message: "pulled and not started: no Docker engine here".into(),
            });
        }
        let listed = run(Command::new("docker").args([
            "ps",
            "--all",
            "--filter",
            &format!("label=com.docker.compose.project={project}"),
            "--format",
            "{{.State}}",
        ]))?;
        let states = String::from_utf8_lossy(&listed.stdout).into_owned();
        let (running, all) = (
            states.lines().filter(|state| *state == "running").count(),
            states.lines().count(),
        );
        Ok(Report {
            kind: if running == all && all > 0 {
                StatusKind::Running
            } else {
                StatusKind::Error
            },
            message: format!("status check results: {running} of {all} containers running (healthchecks missing)"),
        })
    }

    fn take_down(&mut self, deployment: Uuid) -> Result<()> {
        if let Some((_, project)) = self.applied.remove(&deployment)
            && self.compose.is_some()
        {
            let folder = self.folder.join(deployment.to_string());
            self.run_compose(&project, &["down", "--volumes"], Some(&folder))?;
        }
        Ok(())
    }

    /// Takes everything down that it deployed.
    pub(super) fn end(&mut self) -> Result<()> {
        let ids: Vec<Uuid> = self.applied.keys().copied().collect();
        ids.into_iter().try_for_each(|id| self.take_down(id))
    }

    fn run_compose(&self, project: &str, arguments: &[&str], folder: Option<&Path>) -> Result<Output> {
        let words = self.compose.as_deref().unwrap_or_default();
        let (program, first) = words.split_first().ok_or_else(|| unexpected("no compose"))?;
        let mut command = Command::new(program);
        command.args(first).args(["--project-name", project]).args(arguments);
        if let Some(folder) = folder {
            command.current_dir(folder);
        }
        run(&mut command)
    }

    /// Asks once more with a new token when the old one is refused, as Distr's agents do.
    fn request(&mut self, endpoint: Endpoint, body: Option<&str>) -> Result<String> {
        for fresh in [false, true] {
            if fresh || self.token.is_none() {
                self.token = Some(self.login()?);
            }
            let token = self.token.as_ref().map(|token| token.as_str()).unwrap_or_default();
            let mut request = self.to(endpoint)?.bearer_auth(token);
            if let Some(body) = body {
                request = request.header("content-type", "application/json").body(body.to_owned());
            }
            let (status, text) = self.answer(request)?;
            match status {
                200..=299 => return Ok(text),
                401 if !fresh => {}
                _ => {
                    return Err(unexpected(&format!(
                        "{status} from {}: {}",
                        endpoint.url(""),
                        text.trim()
                    )));
                }
            }
        }
        Err(unexpected(&format!(
            "401 from {}, also with a new token",
            endpoint.url("")
        )))
    }

    fn login(&self) -> Result<Zeroizing<String>> {
        let request = self
            .to(Endpoint::Login)?
            .basic_auth(self.account.target, Some(self.account.secret.as_str()));
        let (status, text) = self.answer(request)?;
        if status != 200 {
            return Err(unexpected(&format!("{status} at login: {}", text.trim())));
        }
        let login: LoginAnswer<String> = serde_json::from_str(&text)
            .map_err(|error| unexpected(&format!("an answer to a login that is {error}")))?;
        Ok(Zeroizing::new(login.token))
    }

    fn to(&self, endpoint: Endpoint) -> Result<reqwest::RequestBuilder> {
        let method = endpoint
            .method()
            .parse()
            .map_err(|_| unexpected("a method that there is not"))?;
        Ok(self.http.request(method, endpoint.url(&self.account.base)))
    }

    fn answer(&self, request: reqwest::RequestBuilder) -> Result<(u16, String)> {
        self.runtime
            .block_on(async {
                let response = request.send().await?;
                Ok::<_, reqwest::Error>((response.status().as_u16(), response.text().await?))
            })
            .map_err(|error| Error::new(Class::Io, "demo", format!("the appliance does not answer: {error}")))
    }
}

/// The images of a compose file as the appliance serves it: strings that begin with its own address.
fn references(compose: &str, base: &str) -> Vec<String> {
    let host = base.split("//").last().unwrap_or_default();
    let start = format!("{host}/");
    let mut found: Vec<String> = compose
        .split(['"', '\'', ' ', '\n'])
        .filter(|word| word.starts_with(&start) && word.contains("@sha256:"))
        .map(ToOwned::to_owned)
        .collect();
    found.sort();
    found.dedup();
    found
}

/// The compose of this machine, when an engine answers too.
fn find_compose() -> Option<Vec<&'static str>> {
    let works = |program: &str, arguments: &[&str]| {
        Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    if !works("docker", &["info"]) {
        return None;
    }
    [vec!["docker", "compose"], vec!["docker-compose"]]
        .into_iter()
        .find(|words| {
            words
                .split_first()
                .is_some_and(|(program, rest)| works(program, &[rest, &["version"]].concat()))
        })
}

/// Runs a program to its end; its last lines become the error.
fn run(command: &mut Command) -> Result<Output> {
    let failed = |found: String| Error::new(Class::Other, "demo", found);
    let output = command.stdin(Stdio::null()).output().map_err(|error| {
        failed(format!(
            "{} cannot be started: {error}",
            command.get_program().display()
        ))
    })?;
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() {
        Ok(output)
    } else {
        let last: Vec<&str> = talk.lines().rev().take(3).collect();
        Err(failed(format!(
            "{} ended with {}: {}",
            command.get_program().display(),
            output.status,
            last.into_iter().rev().collect::<Vec<_>>().join(" · ")
        )))
    }
}

fn decode(text: &str) -> Result<Vec<u8>> {
    STANDARD
        .decode(text)
        .map_err(|_| unexpected("a document that is no base64"))
}

fn unexpected(what: &str) -> Error {
    Error::new(Class::Other, "demo", format!("the demo's agent got {what}"))
}

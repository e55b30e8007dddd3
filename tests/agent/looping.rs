//! The docker agent's loop, one round at a time.
//!
//! A round: ask for the desired state; on any error wait for the next round and change nothing. Start a self-update when the
//! version differs. Remove what is recorded and no longer listed, volumes included: an empty list is taken at its word. Per
//! deployment: log in to the registry when the token changed; apply what is new, changed or failed, else look what runs; post
//! exactly one status. Every sixth round the agent's own log is sent.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use ::airlock::domain::{AgentTime, Clock as _, SystemClock};
use ::airlock::protocol::distr::{self, AgentLogRecord, Resources, StatusReport};
use base64::Engine as _;
use serde_json::{Value, json};

use super::Outcome;
use super::client::Client;
use super::engine::{Deployment, Engine};
use super::settings::Settings;

/// Rounds between two sendings of the agent's own log: 30 s at an interval of 5 s.
const FLUSH: u64 = 6;
/// Records of the agent's log that wait at most.
const WAITING: usize = 1024;

/// What a request without a body sends.
const NO_BODY: Option<&()> = None;

/// A status that got its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    pub(crate) revision: String,
    pub(crate) kind: String,
    pub(crate) message: String,
}

/// What an agent keeps about a deployment, also over its own restarts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) revision: String,
    pub(crate) project: String,
    /// Whether the last apply ended well; if not, the next round repeats it.
    pub(crate) done: bool,
}

/// What a round came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Round {
    /// The hub could not be asked; nothing was touched.
    Away(String),
    /// A new agent was started in place of this one.
    Updated,
    /// Everything listed was seen to.
    Done,
}

/// A running agent.
pub(crate) struct Agent<E> {
    pub(crate) settings: Settings,
    pub(crate) engine: E,
    pub(crate) client: Client,
    /// By deployment.
    pub(crate) records: BTreeMap<String, Record>,
    /// Statuses with an answer of success, in order.
    pub(crate) acknowledged: Vec<Acknowledged>,
    /// Requests that failed, as the agent's log says it.
    pub(crate) troubles: Vec<String>,
    /// Where credential folders stand, one per deployment.
    scratch: PathBuf,
    /// The token that each deployment's registry login was made with.
    pinged: BTreeMap<String, String>,
    waiting: Vec<AgentLogRecord>,
    rounds: u64,
}

impl<E: Engine> Agent<E> {
    /// Starts an agent from its manifest; `records` are those of the agent before it on this host.
    pub(crate) fn start(
        manifest: &str,
        engine: E,
        scratch: PathBuf,
        records: BTreeMap<String, Record>,
    ) -> Outcome<Self> {
        let settings = Settings::read(manifest)?;
        let mut agent = Self {
            client: Client::new(settings.clone()),
            settings,
            engine,
            records,
            acknowledged: Vec::new(),
            troubles: Vec::new(),
            scratch,
            pinged: BTreeMap::new(),
            waiting: Vec::new(),
            rounds: 0,
        };
        agent.note("info", "docker agent is starting");
        Ok(agent)
    }

    /// One round of the loop.
    pub(crate) fn round(&mut self) -> Round {
        self.rounds += 1;
        let round = match self.ask() {
            Err(error) => {
                self.trouble(&format!("failed to get resources: {error}"));
                Round::Away(error.to_string())
            }
            Ok(resources) => self.apply_resources(&resources),
        };
        if self.rounds.is_multiple_of(FLUSH) {
            self.flush();
        }
        round
    }

    /// Sends the agent's own log, as also on SIGTERM.
    pub(crate) fn flush(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let batch = self.waiting.clone();
        let url = self.settings.agent_logs.clone();
        match self.client.call("PUT", &url, Some(&batch)) {
            // A refusal of the batch itself is final.
            Ok(answer) if answer.status < 300 || answer.status == 400 => self.waiting.clear(),
            Ok(answer) => self.troubles.push(format!("agent log: {}", answer.status)),
            Err(error) => self.troubles.push(format!("agent log: {error}")),
        }
    }

    /// Sends lines of a container, as the log watcher does for a batch.
    pub(crate) fn send_logs(&mut self, records: &Value) -> Outcome<u16> {
        let url = self.settings.logs.clone();
        Ok(self.client.call("PUT", &url, Some(records))?.status)
    }

    /// Sends a sample of the machine.
    pub(crate) fn send_metrics(&mut self, sample: &Value) -> Outcome<u16> {
        let url = self.settings.metrics.clone();
        Ok(self.client.call("POST", &url, Some(sample))?.status)
    }

    fn ask(&mut self) -> Outcome<Resources> {
        let url = self.settings.resources.clone();
        let answer = self.client.succeed("GET", &url, NO_BODY)?;
        Ok(serde_json::from_str(&answer.text())?)
    }

    fn apply_resources(&mut self, resources: &Resources) -> Round {
        let version = resources.version.id.to_string();
        let listed = &resources.deployments;
        if !self.settings.version.is_empty() && self.settings.version != version {
            match self.update() {
                Ok(()) => return Round::Updated,
                Err(error) => {
                    self.trouble(&format!("self update failed: {error}"));
                    if let Some(first) = listed.first() {
                        self.post(
                            &first.revision_id.to_string(),
                            "error",
                            &format!("error applying agent manifest: {error}"),
                        );
                    }
                }
            }
        } else {
            self.note("debug", "agent version is up to date");
        }
        self.clean_up(listed);
        for stated in listed {
            match Deployment::read(stated) {
                Ok(Some(deployment)) => self.deploy(&deployment),
                Ok(None) => self.note("error", "a deployment has no docker type"),
                Err(error) => self.trouble(&format!("a deployment cannot be read: {error}")),
            }
        }
        Round::Done
    }

    /// Fetches the manifest, puts the secret in, and has the engine start the new agent.
    fn update(&mut self) -> Outcome {
        let url = self.settings.manifest.clone();
        let manifest = self.client.succeed("GET", &url, NO_BODY)?.text();
        let mut document: Value = serde_saphyr::from_str(&manifest)?;
        let agent = document.pointer_mut("/services/agent").ok_or("no service agent")?;
        if !agent["image"].is_string() || !agent["environment"].is_object() {
            return Err("no image or no environment".into());
        }
        agent["environment"]["DISTR_TARGET_SECRET"] = self.settings.secret.clone().into();
        // JSON is YAML: what the updater hands to compose.
        self.engine.replace_agent(&document.to_string()).map_err(Into::into)
    }

    fn clean_up(&mut self, listed: &[distr::Deployment]) {
        let ids: BTreeSet<String> = listed.iter().map(|stated| stated.id.to_string()).collect();
        let gone: Vec<String> = self.records.keys().filter(|id| !ids.contains(*id)).cloned().collect();
        for id in gone {
            let Some(record) = self.records.get(&id).cloned() else {
                continue;
            };
            match self.engine.down(&record.project) {
                Ok(()) => {
                    self.records.remove(&id);
                }
                Err(error) => self.trouble(&format!("could not remove {}: {error}", record.project)),
            }
        }
    }

    fn deploy(&mut self, deployment: &Deployment) {
        let config = match self.log_in(deployment) {
            Ok(config) => config,
            Err(error) => {
                self.post(&deployment.revision, "error", &format!("docker login failed: {error}"));
                return;
            }
        };
        let known = self.records.get(&deployment.id);
        if known.is_some_and(|record| record.revision == deployment.revision && record.done) {
            let (kind, message) = self.engine.check(deployment);
            self.post(&deployment.revision, kind, &message);
            return;
        }
        self.remember(deployment, false);
        let config = deployment.names_registry(&self.settings.registry).then_some(config);
        let mut said = Vec::new();
        let applied = {
            let (client, url, revision) = (&mut self.client, &self.settings.status, &deployment.revision);
            let acknowledged = &mut self.acknowledged;
            let mut progress = |message: &str| {
                said.extend(post(client, url, acknowledged, revision, "progressing", message));
            };
            self.engine.apply(deployment, config.as_deref(), &mut progress)
        };
        self.troubles.extend(said);
        match applied {
            Ok(message) => {
                self.remember(deployment, true);
                let restarted = if deployment.force_restart {
                    self.engine.restart(&deployment.project)
                } else {
                    Ok(())
                };
                match restarted {
                    Ok(()) => self.post(&deployment.revision, "progressing", &message),
                    Err(error) => self.post(&deployment.revision, "error", &error),
                }
            }
            Err(error) => self.post(&deployment.revision, "error", &error),
        }
    }

    /// Pings the registry whenever the token changed and writes the credentials; returns their folder.
    fn log_in(&mut self, deployment: &Deployment) -> Outcome<PathBuf> {
        let token = self.client.token()?;
        let folder = self.scratch.join(&deployment.id).join("docker");
        if self.pinged.get(&deployment.id) != Some(&token) {
            let registry = self.settings.registry.clone();
            self.client.ping(&registry, "-", &token)?;
            std::fs::create_dir_all(&folder)?;
            let auth = base64::engine::general_purpose::STANDARD.encode(format!("-:{token}"));
            let config = json!({"auths": {registry: {"auth": auth}}});
            write(&folder.join("config.json"), config.to_string().as_bytes())?;
            self.pinged.insert(deployment.id.clone(), token);
        }
        Ok(folder)
    }

    fn remember(&mut self, deployment: &Deployment, done: bool) {
        let record = Record {
            revision: deployment.revision.clone(),
            project: deployment.project.clone(),
            done,
        };
        self.records.insert(deployment.id.clone(), record);
    }

    fn post(&mut self, revision: &str, kind: &str, message: &str) {
        let url = self.settings.status.clone();
        let trouble = post(&mut self.client, &url, &mut self.acknowledged, revision, kind, message);
        if let Some(trouble) = trouble {
            self.trouble(&trouble);
        }
    }

    fn trouble(&mut self, text: &str) {
        self.note("error", text);
        self.troubles.push(text.to_owned());
    }

    fn note(&mut self, severity: &str, text: &str) {
        if self.waiting.len() < WAITING {
            self.waiting.push(AgentLogRecord {
                id: Some(distr::unset_id()),
                at: AgentTime::from_parts(SystemClock.now().unix(), 0),
                severity: severity.to_owned(),
                body: format!("{text}\n"),
            });
        }
    }
}

/// Posts a status; a failure is only logged, because the next round posts what then is.
fn post(
    client: &mut Client,
    url: &str,
    acknowledged: &mut Vec<Acknowledged>,
    revision: &str,
    kind: &str,
    message: &str,
) -> Option<String> {
    let body = StatusReport {
        revision: revision.parse().ok(),
        kind,
        message,
    };
    match client.call("POST", url, Some(&body)) {
        Ok(answer) if (200..300).contains(&answer.status) => {
            acknowledged.push(Acknowledged {
                revision: revision.to_owned(),
                kind: kind.to_owned(),
                message: message.to_owned(),
            });
            None
        }
        Ok(answer) => Some(format!(
            "failed to send status: {} {}",
            answer.status,
            answer.text().trim()
        )),
        Err(error) => Some(format!("failed to send status: {error}")),
    }
}

#[expect(clippy::disallowed_methods, reason = "the agent's own file")]
fn write(path: &std::path::Path, bytes: &[u8]) -> Outcome {
    Ok(std::fs::write(path, bytes)?)
}

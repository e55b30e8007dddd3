//! What the agents' routes share, and who asks.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode, header};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::body::BodyReader;
use super::body_permits::BodyPermits;
use super::limiter::{Allowance, Limiter};
use super::refusals::Refusals;
use super::reply::{self, Reply};
use crate::appliance::fleet::{Hub, Identity};
use crate::appliance::status::{Batch, BufferHealth, Figures, Owner, StatusBuffer, What};
use crate::domain::{Clock, Error, Problem, Result, Uuid};
use crate::http::sending::{Sending, on_thread};
use crate::http::turns::{FairTurns, Party};
use crate::panics;
use crate::protocol::distr;

/// Requests of one target a minute, but for logs: the hub's number.
const REQUESTS: u32 = 500;
/// Requests with logs of one target a minute. The same number again, so that neither takes from the other.
const LOGS: u32 = 500;
/// Calls of `/connect`, of `/pre-connect`, and failed logins, a minute: the hub's number.
const ATTEMPTS: u32 = 5;
/// Secrets that are checked at one time. The hub lets fewer wait for an expensive check, so that cheap ones always go on.
const SECRETS: usize = 48;
/// Answers that are made at one time: each holds a document while it is, and hashes it when it is new. As many short ones again.
const RENDERS: usize = 4;
/// Of these, for the targets of one trust domain; one for a target.
const RENDERS_PER_DOMAIN: usize = 2;
/// Longest version of an agent that is taken down.
const VERSION_BYTES: usize = 64;

/// What the agents' routes share.
pub(in crate::http) struct AgentApp {
    pub(super) hub: Arc<Hub>,
    pub(super) status: Arc<StatusBuffer>,
    pub(super) connects: Limiter<Attempt>,
    pub(super) pre_connects: Limiter<Attempt>,
    pub(super) failed_logins: Limiter<Attempt>,
    pub(super) refusals: Refusals,
    pub(super) requests: Limiter<Uuid>,
    pub(super) logs: Limiter<Uuid>,
    pub(super) body_permits: BodyPermits,
    secrets: Semaphore,
    pub(super) sending: Arc<Sending>,
    /// Turns to make what targets shall run: short answers, and pieces of long ones.
    renders: [FairTurns; 2],
    /// Lines that could not be taken and that no gap record says yet: of containers, of the agent.
    missed: Mutex<HashMap<Uuid, [u64; 2]>>,
    /// Failures that were logged; the same one once a minute.
    logged_failures: Limiter<&'static str>,
    clock: Arc<dyn Clock>,
    stall: Duration,
    tracker: TaskTracker,
}

/// Who tries to get in, as whom, and against which secret: a guesser elsewhere does not use up an agent's own tries, and what was tried
/// in vain before a new secret was issued does not keep that from letting its agent in.
pub(super) type Attempt = (Uuid, IpAddr, u64);

impl AgentApp {
    pub(in crate::http) fn new(
        hub: Arc<Hub>,
        status: Arc<StatusBuffer>,
        clock: Arc<dyn Clock>,
        sending: Arc<Sending>,
        stall: Duration,
        tracker: TaskTracker,
    ) -> Self {
        Self {
            hub,
            status,
            connects: Limiter::new(ATTEMPTS),
            pre_connects: Limiter::new(ATTEMPTS),
            failed_logins: Limiter::new(ATTEMPTS),
            refusals: Refusals::new(),
            requests: Limiter::new(REQUESTS),
            logs: Limiter::new(LOGS),
            body_permits: BodyPermits::new(),
            secrets: Semaphore::new(SECRETS),
            sending,
            renders: [FairTurns::new(RENDERS), FairTurns::new(RENDERS)],
            missed: Mutex::default(),
            logged_failures: Limiter::new(1),
            clock,
            stall,
            tracker,
        }
    }

    /// Waits until it was tried to open the buffer of statuses.
    pub(in crate::http) async fn status_tried(&self) {
        self.status.tried().await;
    }

    /// Says how the buffer of statuses is.
    pub(in crate::http) fn status_health(&self) -> BufferHealth {
        self.status.health()
    }

    /// Returns what the buffer of statuses holds.
    pub(in crate::http) fn status_figures(&self) -> Result<Figures> {
        self.status.figures()
    }

    /// Says why targets are not answered.
    pub(in crate::http) fn target_problems(&self) -> Vec<Problem> {
        self.hub.problems()
    }

    /// Finds out who asks: from the token, and nothing else.
    pub(super) fn identify(&self, headers: &HeaderMap) -> Option<Arc<Identity>> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return None;
        };
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        self.hub.identify(token.trim())
    }

    /// Asks the hub beside the runtime's threads, which may wait for a disk.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Hub) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let hub = self.hub.clone();
        let answered = tokio::task::spawn_blocking(move || {
            panics::point("question");
            question(&hub)
        });
        answered.await.unwrap_or_else(|_| Err(panics::note("question")))
    }

    /// As [`AgentApp::ask`], for short answers that are made of documents: what was made before does not wait behind it, nor does another
    /// target.
    pub(super) fn render<T: Send + 'static, Q: FnOnce(&Hub) -> Result<T> + Send + 'static>(
        &self,
        identity: &Identity,
        question: Q,
    ) -> impl Future<Output = Result<T>> + Send + use<T, Q> + 'static {
        let [short, _] = &self.renders;
        self.render_in(short, identity, question)
    }

    /// As [`AgentApp::render`], for a piece of a long answer: short ones do not wait behind it.
    pub(super) fn render_piece<T: Send + 'static, Q: FnOnce(&Hub) -> Result<T> + Send + 'static>(
        &self,
        identity: &Identity,
        question: Q,
    ) -> impl Future<Output = Result<T>> + Send + use<T, Q> + 'static {
        let [_, long] = &self.renders;
        self.render_in(long, identity, question)
    }

    fn render_in<T: Send + 'static, Q: FnOnce(&Hub) -> Result<T> + Send + 'static>(
        &self,
        turns: &FairTurns,
        identity: &Identity,
        question: Q,
    ) -> impl Future<Output = Result<T>> + Send + use<T, Q> + 'static {
        let hub = self.hub.clone();
        let domain = Party::Domain(Some(identity.scope.domain));
        let turn = turns.take([(Party::Target(identity.target), 1), (domain, RENDERS_PER_DOMAIN)]);
        async move { on_thread("question", turn.await, move || question(&hub)).await }
    }

    /// As [`AgentApp::ask`], for questions about secrets: these may wait for each other, and must leave threads to the rest.
    pub(super) async fn ask_about_secret<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Hub) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        // It is never closed.
        let _turn = self.secrets.acquire().await.ok();
        self.ask(question).await
    }

    /// Answers a failure of the appliance, and logs it, once a minute for each kind: agents ask again every few seconds.
    pub(super) fn failure(&self, error: &Error) -> Reply {
        if self.logged_failures.take(error.code()).passes {
            tracing::error!(class = error.class().name(), code = error.code(), %error, "an agent was not answered");
        }
        reply::failure(error)
    }

    /// Records that lines of a target could not be taken. When even that cannot be recorded now, it is said with the next ones.
    pub(super) async fn note_missed(&self, identity: &Identity, agent_log: bool, count: u64) {
        let [logs, agent_logs] = {
            let mut missed = self.missed.lock().unwrap_or_else(PoisonError::into_inner);
            let mut own = missed.remove(&identity.target).unwrap_or_default();
            if let Some(own) = own.get_mut(usize::from(agent_log)) {
                *own = own.saturating_add(count);
            }
            own
        };
        for (agent_log, count) in [(false, logs), (true, agent_logs)] {
            if count == 0 {
                continue;
            }
            let batch = batch(identity, None, What::Missed { agent_log, count });
            if let Err(error) = self.status.submit(batch).await {
                tracing::debug!(%error, "a gap was not recorded yet");
                let mut missed = self.missed.lock().unwrap_or_else(PoisonError::into_inner);
                let own = missed.entry(identity.target).or_default();
                if let Some(own) = own.get_mut(usize::from(agent_log)) {
                    *own = own.saturating_add(count);
                }
            }
        }
    }

    /// Adds the headers of a limit.
    pub(super) fn limited(&self, reply: Reply, allowance: Allowance) -> Reply {
        reply::with_allowance(reply, allowance, self.clock.now().unix())
    }

    /// Opens the body of a request.
    pub(super) fn body(
        &self,
        headers: &HeaderMap,
        body: axum::body::Body,
    ) -> std::result::Result<BodyReader, Box<Reply>> {
        BodyReader::open(headers, body, self.stall).map_err(|(bad, reader)| Box::new(self.refuse(&bad, *reader)))
    }

    /// Refuses a body; what is still coming is read and thrown away meanwhile.
    pub(super) fn refuse(&self, bad: &super::bad_body::BadBody, reader: BodyReader) -> Reply {
        self.tracker.spawn(reader.linger());
        reply::bad_body(bad)
    }
}

/// Makes what the status buffer takes.
pub(super) fn batch(identity: &Identity, agent: Option<String>, what: What) -> Batch {
    Batch {
        target: identity.target,
        owner: Owner::of(&identity.scope),
        target_name: identity.name.clone(),
        agent,
        what,
    }
}

/// Returns the version that an agent states of itself, when it is one.
pub(super) fn agent_version(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::USER_AGENT)?.to_str().ok()?;
    let version = distr::agent_version(value)?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    ((1..=VERSION_BYTES).contains(&version.len()) && version.chars().all(fits)).then(|| version.to_owned())
}

/// 401 for what needs a token.
pub(super) fn unauthorized() -> Reply {
    reply::error(StatusCode::UNAUTHORIZED, "Unauthorized")
}

impl std::fmt::Debug for AgentApp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AgentApp")
    }
}

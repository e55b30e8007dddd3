//! `logs` and `deployment-target-logs`: lines, in batches of any size, answered as soon as what is kept of them is durable.
//!
//! Whatever cannot be taken for want of room or because it comes too fast becomes a gap record, and the answer is 204 all the same: an
//! agent meets anything else with a burst of repeats, each longer than the one before (distr-protocol 2.7). Only a full disk is 503.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::StatusCode;

use super::app::{AgentApp, agent_version, batch};
use super::bad_body::BadBody;
use super::body::BodyReader;
use super::body_permits::{BodyPermit, SMALL_BYTES};
use super::fields::Object;
use super::json::Reader;
use super::reply::{self, Reply};
use super::wire::{AgentLogLine, LogLine, Many, Weight};
use crate::appliance::fleet::Identity;
use crate::appliance::status::{AgentLogRecord, LogRecord, What};
use crate::domain::{Class, Error, Uuid};

/// Records are handed on when they weigh this much.
const BATCH_BYTES: usize = 256 << 10;
/// Revisions of one request that the database is asked about; an agent has a handful.
const REVISIONS: usize = 64;

/// Answers `logs`; `passes` says whether the target's budget allows it.
pub(super) async fn deployments(app: &Arc<AgentApp>, identity: Arc<Identity>, request: Request, passes: bool) -> Reply {
    let known = HashMap::new();
    take(app, &identity, request, passes, ContainerLogs { known }).await
}

/// Answers `deployment-target-logs`.
pub(super) async fn agent(app: &Arc<AgentApp>, identity: Arc<Identity>, request: Request, passes: bool) -> Reply {
    take(app, &identity, request, passes, AgentLog).await
}

/// Makes what the status buffer takes of the lines of one kind of log.
trait Converter: Send {
    /// The lines of the body.
    type Line: Object + Weight + Send;

    /// Makes records of lines.
    fn convert(&mut self, sink: &Sink<'_>, lines: Vec<Self::Line>) -> impl Future<Output = Result<What, Error>> + Send;
}

/// Lines of containers, and the deployments of the revisions that they speak of.
struct ContainerLogs {
    known: HashMap<Uuid, Option<Uuid>>,
}

impl Converter for ContainerLogs {
    type Line = LogLine;

    async fn convert(&mut self, sink: &Sink<'_>, lines: Vec<LogLine>) -> Result<What, Error> {
        sink.look_up_revisions(&lines, &mut self.known).await?;
        let own = |line: LogLine| {
            let (deployment, revision) = (line.deployment?, line.revision?);
            // What belongs to another target, or to nobody, is dropped without a word.
            let fits = self
                .known
                .get(&revision)
                .is_some_and(|known| *known == Some(deployment));
            fits.then(|| LogRecord {
                deployment,
                revision,
                resource: line.resource.short(),
                at: line.at,
                severity: line.severity.short(),
                body: line.body.marked(),
            })
        };
        Ok(What::Logs(lines.into_iter().filter_map(own).collect()))
    }
}

/// Lines of the agent's own log.
struct AgentLog;

impl Converter for AgentLog {
    type Line = AgentLogLine;

    async fn convert(&mut self, _: &Sink<'_>, lines: Vec<AgentLogLine>) -> Result<What, Error> {
        let record = |line: AgentLogLine| AgentLogRecord {
            at: line.at,
            severity: line.severity.short(),
            body: line.body.marked(),
        };
        Ok(What::AgentLogs(lines.into_iter().map(record).collect()))
    }
}

/// Where the lines of one request go.
struct Sink<'a> {
    app: &'a Arc<AgentApp>,
    identity: &'a Arc<Identity>,
    agent: Option<String>,
}

/// Why a body was not taken.
enum IntakeError {
    /// It will never be right.
    BadBody(BadBody),
    /// The appliance cannot.
    Failed(Error),
}

impl From<BadBody> for IntakeError {
    fn from(bad: BadBody) -> Self {
        Self::BadBody(bad)
    }
}

/// Reads a body and hands its lines on in batches.
async fn take<C: Converter>(
    app: &Arc<AgentApp>,
    identity: &Arc<Identity>,
    request: Request,
    passes: bool,
    mut converter: C,
) -> Reply {
    let (parts, body) = request.into_parts();
    let mut body = match app.body(&parts.headers, body) {
        Ok(body) => body,
        Err(reply) => return *reply,
    };
    let sink = Sink {
        app,
        identity,
        agent: agent_version(&parts.headers),
    };
    let mut lines = Lines::<C::Line>::default();
    if !passes {
        lines.discard();
    }
    let taken = sink.read(&mut body, &mut lines, &mut converter).await;
    // What came in before a refusal counts too.
    app.note_missed(identity, C::Line::IS_AGENT_LOG, lines.many.missed)
        .await;
    match taken {
        Ok(()) => reply::empty(StatusCode::NO_CONTENT),
        Err(IntakeError::BadBody(bad)) => app.refuse(&bad, body),
        Err(IntakeError::Failed(error)) => app.failure(&error),
    }
}

/// The lines of a body, as far as they are in memory.
struct Lines<R> {
    reader: Reader,
    many: Many<R>,
    permit: Option<BodyPermit>,
}

impl<R: Object> Default for Lines<R> {
    fn default() -> Self {
        Self {
            reader: Reader::new(),
            many: Many::default(),
            permit: None,
        }
    }
}

impl<R: Object + Weight> Lines<R> {
    fn discard(&mut self) {
        self.many.discard();
        self.reader.discard_texts();
        self.permit = None;
    }
}

impl Sink<'_> {
    async fn read<C: Converter>(
        &self,
        body: &mut BodyReader,
        lines: &mut Lines<C::Line>,
        converter: &mut C,
    ) -> Result<(), IntakeError> {
        while let Some(bytes) = body.next().await? {
            lines.reader.feed(&bytes, &mut lines.many)?;
            let held = lines.many.weight.saturating_add(lines.reader.held());
            if held > SMALL_BYTES && lines.permit.is_none() && !lines.many.discards() {
                let (domain, target) = (self.identity.scope.domain, self.identity.target);
                lines.permit = self.app.body_permits.take(domain, target).await;
                if lines.permit.is_none() {
                    lines.discard();
                }
            }
            if lines.many.weight >= BATCH_BYTES {
                self.submit(lines, converter).await?;
            }
        }
        // The value of a reader that has ended is of no use to anybody.
        std::mem::replace(&mut lines.reader, Reader::new()).finish(&mut lines.many)?;
        self.submit(lines, converter).await
    }

    /// Hands on what was read. When the buffer has no time for it, it is missing, and so is the rest.
    async fn submit<C: Converter>(&self, lines: &mut Lines<C::Line>, converter: &mut C) -> Result<(), IntakeError> {
        let taken = lines.many.take();
        if taken.is_empty() {
            return Ok(());
        }
        let what = converter.convert(self, taken).await.map_err(IntakeError::Failed)?;
        let count = match &what {
            What::Logs(records) => records.len(),
            What::AgentLogs(records) => records.len(),
            _ => 0,
        };
        let batch = batch(self.identity, self.agent.clone(), what);
        match self.app.status.submit(batch).await {
            Ok(_) => Ok(()),
            Err(error) if error.class() == Class::Busy => {
                lines.many.missed = lines.many.missed.saturating_add(count as u64);
                lines.discard();
                Ok(())
            }
            Err(error) => Err(IntakeError::Failed(error)),
        }
    }

    /// Looks up the deployments of the revisions that lines speak of.
    async fn look_up_revisions(&self, lines: &[LogLine], known: &mut HashMap<Uuid, Option<Uuid>>) -> Result<(), Error> {
        let mut asked = Vec::new();
        for revision in lines.iter().filter_map(|line| line.revision) {
            if known.len() < REVISIONS && !known.contains_key(&revision) {
                known.insert(revision, None);
                asked.push(revision);
            }
        }
        if asked.is_empty() {
            return Ok(());
        }
        let identity = self.identity.clone();
        let answers = self
            .app
            .ask(move |hub| {
                let find = |revision: Uuid| Ok((revision, hub.revision(&identity, &revision)?));
                asked.into_iter().map(find).collect::<Result<Vec<_>, Error>>()
            })
            .await?;
        known.extend(answers);
        Ok(())
    }
}

//! `status` and `metrics`: what an agent says of its target. Durable before the answer (D13).

use std::sync::Arc;

use axum::extract::Request;
use axum::http::StatusCode;

use super::app::{AgentApp, agent_version, batch};
use super::bad_body::BadBody;
use super::body::BodyReader;
use super::json::{Reader, Visitor};
use super::reply::{self, Reply};
use super::wire::{MetricsReader, One, StatusReport};
use crate::appliance::fleet::Identity;
use crate::appliance::status::{DiskMetrics, Metrics, What};
use crate::domain::StatusKind;

/// What is said of a revision that is not the caller's. One text, whether it is another target's or nobody's.
const FOREIGN: &str = "Bad Request";
/// Characters of an unknown status type that are said back.
const WORD: usize = 32;

/// Answers `status`.
pub(super) async fn status(app: &Arc<AgentApp>, identity: Arc<Identity>, request: Request) -> Reply {
    let (parts, body) = request.into_parts();
    let mut reader = match app.body(&parts.headers, body) {
        Ok(reader) => reader,
        Err(reply) => return *reply,
    };
    let mut one = One::<StatusReport>::default();
    if let Err(bad) = read(&mut reader, &mut one).await {
        return app.refuse(&bad, reader);
    }
    let report = one.record;
    let kind: StatusKind = match report.kind.kept.parse() {
        Ok(kind) if !report.kind.cut => kind,
        _ => {
            let word = report
                .kind
                .kept
                .chars()
                .filter(|c| !c.is_control())
                .take(WORD)
                .collect();
            return app.refuse(&BadBody::StatusType(word), reader);
        }
    };
    let Some(revision) = report.revision else {
        return reply::error(StatusCode::BAD_REQUEST, FOREIGN);
    };
    let asking = identity.clone();
    let deployment = match app.ask(move |hub| hub.revision(&asking, &revision)).await {
        Ok(Some(deployment)) => deployment,
        Ok(None) => return reply::error(StatusCode::BAD_REQUEST, FOREIGN),
        Err(error) => return app.failure(&error),
    };
    let what = What::Status {
        deployment,
        revision,
        kind,
        message: report.message.marked(),
    };
    submit(app, &identity, agent_version(&parts.headers), what).await
}

/// Answers `metrics`.
pub(super) async fn metrics(app: &Arc<AgentApp>, identity: Arc<Identity>, request: Request) -> Reply {
    let (parts, body) = request.into_parts();
    let mut reader = match app.body(&parts.headers, body) {
        Ok(reader) => reader,
        Err(reply) => return *reply,
    };
    let mut visitor = MetricsReader::default();
    if let Err(bad) = read(&mut reader, &mut visitor).await {
        return app.refuse(&bad, reader);
    }
    let report = visitor.report();
    let what = What::Metrics(Metrics {
        cpu_cores_millis: report.cpu_cores_millis,
        cpu_usage: report.cpu_usage,
        memory_bytes: report.memory_bytes,
        memory_usage: report.memory_usage,
        disk_metrics: visitor
            .disks
            .iter()
            .map(|disk| DiskMetrics {
                device: disk.device.short(),
                path: disk.path.short(),
                fs_type: disk.fs_type.short(),
                bytes_total: disk.bytes_total,
                bytes_used: disk.bytes_used,
            })
            .collect(),
    });
    submit(app, &identity, agent_version(&parts.headers), what).await
}

/// Reads a whole body into a visitor.
async fn read(body: &mut BodyReader, visitor: &mut impl Visitor) -> Result<(), BadBody> {
    let mut reader = Reader::new();
    while let Some(bytes) = body.next().await? {
        reader.feed(&bytes, visitor)?;
    }
    reader.finish(visitor)
}

async fn submit(app: &Arc<AgentApp>, identity: &Identity, agent: Option<String>, what: What) -> Reply {
    let batch = batch(identity, agent, what);
    match app.status.submit(batch).await {
        Ok(_) => reply::empty(StatusCode::OK),
        Err(error) => app.failure(&error),
    }
}

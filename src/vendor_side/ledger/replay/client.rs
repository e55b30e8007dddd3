//! One request to the hub: no redirect is followed, and no answer is waited for or read without a bound.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use tokio::runtime::Runtime;
use tokio::time::{Instant, interval_at};

use super::address::HubAddress;
use crate::client_tls::client_config;
use crate::collect::{certificates, chain, retry_after};
use crate::domain::{Class, Error, Result};

/// How long a hub is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// For a connection.
    pub connect: Duration,
    /// From the first byte of a request to the last of its answer.
    pub request: Duration,
    /// For one item that the hub does not answer to at all, over every try and pause.
    pub item: Duration,
    /// After how long a silent hub is spoken of, and how often again.
    pub notice: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(20),
            // As the hub's own agents.
            request: Duration::from_secs(120),
            item: Duration::from_secs(240),
            notice: Duration::from_secs(10),
        }
    }
}

/// What the hub answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    /// As much of the body as was asked for.
    pub(super) body: Vec<u8>,
    /// Whether the body is whole.
    pub(super) is_whole: bool,
}

/// No answer.
#[derive(Debug)]
pub(super) struct NoAnswer {
    pub(super) found: String,
    /// Whether the request may have arrived.
    pub(super) may_have_arrived: bool,
}

/// A request.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) method: &'static str,
    pub(super) url: String,
    pub(super) authorization: &'a str,
    pub(super) user_agent: &'a str,
    /// JSON.
    pub(super) body: Option<&'a [u8]>,
    /// Most bytes of the answer that are read.
    pub(super) answer_bytes: usize,
}

/// What sends requests.
#[derive(Debug)]
pub(super) struct HubClient {
    runtime: Runtime,
    http: reqwest::Client,
    pub(super) bounds: Bounds,
}

impl HubClient {
    /// Makes the client. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// `E-USAGE ca-file`, `E-USAGE tls`, `E-IO`.
    pub(super) fn new(hub: &HubAddress, ca_files: &[PathBuf], bounds: Bounds) -> Result<Self> {
        let without_tls = |why: &str| {
            Error::new(Class::Usage, "tls", format!("HTTPS cannot be set up: {why}"))
                .remedy("install ca-certificates, or check --ca-file")
        };
        let config = client_config(certificates(ca_files)?, None).map_err(|error| without_tls(&error.to_string()))?;
        let mut builder = reqwest::Client::builder()
            .connect_timeout(bounds.connect.min(bounds.item))
            .timeout(bounds.longest())
            .redirect(reqwest::redirect::Policy::none())
            .tls_backend_preconfigured(config);
        if hub.is_plain() {
            // A proxy would read along.
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| without_tls(&chain(&error)))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(|error| Error::new(Class::Io, "io", format!("cannot wait for sockets: {error}")))?;
        Ok(Self { runtime, http, bounds })
    }

    /// Sends a request and reads its answer; while there is none, `silent` is told for how long already.
    pub(super) fn send(&self, request: &Request<'_>, silent: &dyn Fn(Duration)) -> Result<Answer, NoAnswer> {
        let certainly_not = |found: &str| NoAnswer {
            found: found.to_owned(),
            may_have_arrived: false,
        };
        let method: Method = request.method.parse().map_err(|_| certainly_not("no method"))?;
        let mut authorization = HeaderValue::from_str(request.authorization)
            .map_err(|_| certainly_not("what is no token cannot be sent"))?;
        authorization.set_sensitive(true);
        let mut prepared = self
            .http
            .request(method, &request.url)
            .header(AUTHORIZATION, authorization)
            .header(USER_AGENT, request.user_agent);
        if let Some(body) = request.body {
            prepared = prepared.header(CONTENT_TYPE, "application/json").body(body.to_vec());
        }
        let exchange = async {
            let mut answer = prepared.send().await.map_err(|error| NoAnswer {
                may_have_arrived: !(error.is_connect() || error.is_builder()),
                found: chain(&error),
            })?;
            let (mut body, mut is_whole) = (Vec::new(), true);
            loop {
                match answer.chunk().await {
                    Ok(Some(chunk)) => {
                        let room = request.answer_bytes.saturating_sub(body.len());
                        body.extend(chunk.iter().take(room));
                        if chunk.len() > room {
                            is_whole = false;
                            break;
                        }
                    }
                    Ok(None) => break,
                    // The status is known, and it is what counts.
                    Err(_) => {
                        is_whole = false;
                        break;
                    }
                }
            }
            Ok(Answer {
                status: answer.status().as_u16(),
                retry_after: retry_after(answer.headers()),
                body,
                is_whole,
            })
        };
        self.runtime.block_on(async {
            let begun = Instant::now();
            let first = begun.checked_add(self.bounds.notice).unwrap_or(begun);
            let mut notices = interval_at(first, self.bounds.notice.max(Duration::from_millis(1)));
            let mut exchange = std::pin::pin!(exchange);
            loop {
                tokio::select! {
                    biased;
                    ended = &mut exchange => return ended,
                    _ = notices.tick() => silent(begun.elapsed()),
                }
            }
        })
    }
}

impl Bounds {
    /// How long one request is waited for.
    pub(super) fn longest(&self) -> Duration {
        self.request.min(self.item)
    }
}

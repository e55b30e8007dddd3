//! Requests to one repository of a registry: authentication, patience, bounds.
//!
//! # Why not a registry client crate
//!
//! The source of `oci-client` 0.18 was held against what is needed here: its errors do not carry `Retry-After` and it does not retry; it
//! buffers answers of any size; it knows no identity tokens; it reads referrers into its own types, so their bytes are lost,
//! and follows no pages; it tells neither the type of a manifest nor whether the registry asked for Basic or for nothing. Every
//! request would have had to go around it. So all of them go through `reqwest` here, and the documents through [`Document`].
//!
//! [`Document`]: crate::domain::oci::Document
//!
//! # Rules
//!
//! - HTTPS, unless the registry was named with `--plain-http`, or is on this machine and speaks no TLS. A redirect never leads from HTTPS to HTTP.
//! - `Authorization` goes to the registry and its token service only; `reqwest` drops it on a redirect to another host. What a token
//!   service is sent never follows a redirect to another origin: a form would be sent along whole.
//! - 429, 500, 502, 503, 504 and connections that break are tried again, later and later, with chance; `Retry-After` is obeyed. Where nobody
//!   takes the connection or says a word, three times; what TLS refuses, never.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::{Method, Response, StatusCode, Url};
use serde::Deserialize;

use super::clients::Clients;
use super::registry_auth::{Challenge, Credential, REGISTRY_CREDENTIALS, check_realm, credential};
use super::registry_error::{REGISTRY, UNREACHED, chain, is_final, said};
use super::registry_host::host_of;
use super::registry_options::RegistryOptions;
use crate::domain::{Class, Clock as _, Error, Result, SystemClock};

/// How often a request is tried.
const ATTEMPTS: u32 = 6;
/// How often where nobody takes the connection, or says a word: a service that starts anew is back soon, a wrong address never is.
const SILENT_ATTEMPTS: u32 = 3;
/// So many tries fail before it is said; what is over in a moment needs no words.
const QUIET: u32 = 3;
/// Longest pause between two tries; a registry that asks for more is asked again by a person.
const PAUSE_MAX: Duration = Duration::from_secs(120);
/// Bytes of a token service's answer.
const TOKEN_BYTES: u64 = 1 << 20;

/// Why no more of an answer comes.
#[derive(Debug)]
pub(super) struct Broken {
    /// In words.
    pub(super) failure: String,
    /// Whether its time was up.
    pub(super) stood_still: bool,
}

/// One repository.
#[derive(Debug)]
pub(super) struct RegistryClient {
    made: Clients,
    base: Url,
    host: String,
    path: String,
    token_realms: Vec<(String, String)>,
    first_pause: Duration,
    told: Option<fn(&str)>,
    authorization: Mutex<Option<HeaderValue>>,
}

impl RegistryClient {
    /// Of a repository: host and path.
    pub(super) fn new(made: Clients, base: Url, (host, path): (String, String), options: &RegistryOptions) -> Self {
        Self {
            made,
            base,
            host,
            path,
            token_realms: options.token_realms.clone(),
            first_pause: options.first_pause,
            told: options.told,
            authorization: Mutex::new(None),
        }
    }

    /// Waits for a future on this thread.
    pub(super) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.made.runtime.block_on(future)
    }

    /// Returns what the repository is called in messages.
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.host, self.path)
    }

    /// Returns an address below the repository.
    pub(super) fn url(&self, below: &str) -> Result<Url> {
        self.base
            .join(below)
            .map_err(|error| Error::new(Class::Internal, "url", format!("{below:?} makes no address: {error}")))
    }

    /// Whether an address belongs to this registry.
    pub(super) fn is_ours(&self, url: &Url) -> bool {
        url.origin() == self.base.origin()
    }

    /// Sends a request until it is answered with something that trying again does not change.
    ///
    /// # Errors
    ///
    /// `E-IO registry` when the registry cannot be reached or stays unable; `E-USAGE registry-credentials` when it lets nobody
    /// or not us in.
    pub(super) async fn send(&self, method: Method, url: Url, headers: HeaderMap) -> Result<Response> {
        let mut answered_challenge = false;
        let mut attempt = 0;
        loop {
            let mut request = self
                .made
                .http
                .request(method.clone(), url.clone())
                .headers(headers.clone());
            let authorization = self.authorization();
            if let Some(value) = &authorization {
                request = request.header(AUTHORIZATION, value.clone());
            }
            attempt += 1;
            let (mut most, mut passing) = (ATTEMPTS, None);
            let (failure, pause) = match self.watch(&method, &url, request.send()).await {
                // A storage service that the registry redirects to knows nothing of our credentials; some answer 403 to HEAD.
                Ok(answer) if !self.is_ours(answer.url()) && answer.status().is_client_error() => return Ok(answer),
                Ok(answer) if answer.status() == StatusCode::UNAUTHORIZED && !answered_challenge => {
                    // Also when a token was sent: it may have expired meanwhile.
                    answered_challenge = true;
                    let (status, headers) = (answer.status(), answer.headers().clone());
                    self.authenticate(status, &headers, &said(answer).await).await?;
                    continue;
                }
                Ok(answer) if matches!(answer.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                    let status = answer.status();
                    return Err(self.denied(status, authorization.is_some(), &said(answer).await));
                }
                Ok(answer) if is_passing(answer.status()) => {
                    let (status, pause) = (answer.status(), retry_after(answer.headers()));
                    let failure = format!("it answers {status}{}", said(answer).await);
                    if let Some(asked) = pause.filter(|asked| *asked > PAUSE_MAX) {
                        return Err(self.later(&failure, asked));
                    }
                    passing = Some(status);
                    (failure, pause)
                }
                Ok(answer) => return Ok(answer),
                Err(error) if is_final(&error) => return Err(self.failed(&chain(&error))),
                Err(error) => {
                    most = attempts_after(&error);
                    (self.ended(&method, &url, &error), None)
                }
            };
            if attempt >= most {
                return Err(self.given_up(&format!("{failure}, {attempt} times"), passing));
            }
            self.tell(attempt, &failure, pause);
            self.pause(attempt, pause).await;
        }
    }

    /// Waits for an answer, and says so while none comes.
    async fn watch<T>(&self, method: &Method, url: &Url, answer: impl Future<Output = T>) -> T {
        let waits = |time: &str| {
            let (host, path, limit) = (host_of(url), url.path(), self.made.waits.patience.answer.as_secs());
            format!("{host} has given no answer to {method} {path} for {time}, of {limit} s at most")
        };
        self.made.waits.watch(&waits, answer).await
    }

    /// What a request ended with: where its time was up, which one it was.
    fn ended(&self, method: &Method, url: &Url, error: &reqwest::Error) -> String {
        match self.made.waits.patience.over(error) {
            Some(over) => format!("{over} ({method} {})", url.path()),
            None => chain(error),
        }
    }

    /// Waits for the next bytes of an answer.
    ///
    /// # Errors
    ///
    /// Why none come.
    pub(super) async fn chunk(&self, answer: &mut Response) -> Result<Option<Bytes>, Broken> {
        let url = answer.url().clone();
        let waits = |time: &str| {
            let (host, path, limit) = (host_of(&url), url.path(), self.made.waits.patience.answer.as_secs());
            format!("{host} has sent nothing more of {path} for {time}, of {limit} s at most")
        };
        let chunk = self.made.waits.watch(&waits, answer.chunk()).await;
        chunk.map_err(|error| Broken {
            failure: self.ended(&Method::GET, &url, &error),
            stood_still: error.is_timeout(),
        })
    }

    /// Says of a long wait that it is one, and of a registry that has failed several times.
    fn tell(&self, attempt: u32, failure: &str, pause: Option<Duration>) {
        tracing::info!(registry.host = %self.host, "registry request is tried again: {failure}");
        let Some(told) = self.told else { return };
        match pause.map(|pause| pause.as_secs()).filter(|seconds| *seconds > 0) {
            Some(seconds) => told(&format!("{}: {failure}; it is asked again in {seconds} s", self.host)),
            None if attempt >= QUIET => told(&format!("{}: {failure}; it is asked again", self.host)),
            None => {}
        }
    }

    /// Waits before another try: what the registry asked for, else twice as long as the last time, give or take a half.
    pub(super) async fn pause(&self, attempt: u32, asked: Option<Duration>) {
        let doubled = self.first_pause.saturating_mul(1 << attempt.saturating_sub(1).min(10));
        let mut random = [0_u8; 2];
        // Without randomness many clients may come back at once, which is no reason to give up.
        crate::crypto::random(&mut random).ok();
        let chance = u32::from(u16::from_le_bytes(random) % 512);
        let jittered = doubled.saturating_mul(256 + chance) / 512;
        let pause = asked.unwrap_or(jittered).min(PAUSE_MAX);
        let waits = |time: &str| {
            let (host, whole) = (&self.host, pause.as_secs().max(1));
            format!("{host} is asked again in a while: {time} of {whole} s are over")
        };
        self.made.waits.watch(&waits, tokio::time::sleep(pause)).await;
    }

    /// Makes the error of a registry that cannot do what was asked.
    pub(super) fn failed(&self, what: &str) -> Error {
        Error::new(Class::Io, REGISTRY, format!("{} cannot be read: {what}", self.name()))
            .expected("a registry that answers, directly or through the proxy that HTTPS_PROXY names")
            .remedy(UNREACHED)
    }

    /// Of a registry that was asked as often as it is; `passing` is what it answered at last, where it answered: then it was reached.
    fn given_up(&self, failure: &str, passing: Option<StatusCode>) -> Error {
        let error = self.failed(failure);
        match passing {
            None => error,
            Some(StatusCode::TOO_MANY_REQUESTS) => error
                .expected("an answer within the registry's limit of requests")
                .remedy(format!(
                    "wait, and try again; where it counts by account, log in first with `docker login {}`",
                    self.host
                )),
            Some(_) => error
                .expected("a registry that is able to answer")
                .remedy("try again later; where it stays so, its own log says why"),
        }
    }

    /// Of a registry that asks for more patience than anybody has who waits for a bundle.
    fn later(&self, failure: &str, asked: Duration) -> Error {
        let found = format!("{} cannot be read: {failure}", self.name());
        Error::new(Class::Io, REGISTRY, found)
            .expected(format!("an answer, or a wait of at most {} s", PAUSE_MAX.as_secs()))
            .remedy(format!(
                "try again in {} s, as it asks; what was fetched so far is kept",
                asked.as_secs()
            ))
    }

    fn denied(&self, status: StatusCode, known: bool, said: &str) -> Error {
        let found = if known {
            format!("{} refuses these credentials ({status}){said}", self.name())
        } else {
            format!("{} wants credentials, and there are none ({status}){said}", self.name())
        };
        Error::new(Class::Usage, REGISTRY_CREDENTIALS, found)
            .expected("a login that may pull")
            .remedy(format!("log in with `docker login {}`", self.host))
    }

    fn authorization(&self) -> Option<HeaderValue> {
        self.authorization
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Answers the challenge of a registry that says this with it.
    async fn authenticate(&self, status: StatusCode, headers: &HeaderMap, said: &str) -> Result<()> {
        let headers = headers
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let challenge = Challenge::parse(headers);
        let credential = credential(&self.host, &self.path)?;
        let value = match (challenge, credential) {
            (None, _) | (Some(Challenge::Basic), Credential::Anonymous) => {
                return Err(self.denied(status, false, said));
            }
            (Some(Challenge::Basic), Credential::Password(user, password)) => basic(&user, &password),
            (Some(Challenge::Basic), Credential::Identity(_)) => return Err(self.denied(status, true, said)),
            (Some(Challenge::Bearer { realm, service, scope }), credential) => {
                let token = self.token(&realm, service, scope, &credential).await?;
                format!("Bearer {token}")
            }
        };
        let mut value =
            HeaderValue::from_str(&value).map_err(|_| self.failed("its token service gives what is no token"))?;
        value.set_sensitive(true);
        *self.authorization.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
        Ok(())
    }

    async fn token(
        &self,
        realm: &str,
        service: Option<String>,
        scope: Option<String>,
        credential: &Credential,
    ) -> Result<String> {
        #[derive(Deserialize)]
        struct Token {
            token: Option<String>,
            access_token: Option<String>,
        }
        let mut url = Url::parse(realm).map_err(|_| self.failed("its token service has no address"))?;
        let secure = url.scheme() == "https" || (self.base.scheme() == "http" && url.scheme() == "http");
        if !secure {
            return Err(self.failed("its token service is not reached by HTTPS"));
        }
        if !matches!(credential, Credential::Anonymous) {
            check_realm(&self.host, &host_of(&url), &self.token_realms)?;
        }
        let scope = scope.unwrap_or_else(|| format!("repository:{}:pull", self.path));
        let mut parameters = vec![("scope", scope)];
        parameters.extend(service.map(|service| ("service", service)));
        let mut attempt = 0;
        let answer = loop {
            attempt += 1;
            let request = match credential {
                Credential::Identity(token) => {
                    let mut form = Url::parse("form:").map_err(|_| self.failed("no form"))?;
                    form.query_pairs_mut()
                        .extend_pairs(&parameters)
                        .append_pair("grant_type", "refresh_token")
                        .append_pair("client_id", "airlock")
                        .append_pair("refresh_token", token);
                    self.made
                        .tokens
                        .post(url.clone())
                        .header("Content-Type", "application/x-www-form-urlencoded")
                        .body(form.query().unwrap_or_default().to_owned())
                }
                Credential::Anonymous | Credential::Password(..) => {
                    if attempt == 1 {
                        url.query_pairs_mut().extend_pairs(&parameters);
                    }
                    let request = self.made.tokens.get(url.clone());
                    match credential {
                        Credential::Password(user, password) => request.basic_auth(user, Some(password)),
                        _ => request,
                    }
                }
            };
            let (mut most, mut passing) = (ATTEMPTS, None);
            let method = match credential {
                Credential::Identity(_) => Method::POST,
                Credential::Anonymous | Credential::Password(..) => Method::GET,
            };
            let (failure, pause) = match self.watch(&method, &url, request.send()).await {
                Ok(answer) if is_passing(answer.status()) => {
                    let (status, pause) = (answer.status(), retry_after(answer.headers()));
                    let failure = format!("its token service answers {status}{}", said(answer).await);
                    if let Some(asked) = pause.filter(|asked| *asked > PAUSE_MAX) {
                        return Err(self.later(&failure, asked));
                    }
                    passing = Some(status);
                    (failure, pause)
                }
                Ok(answer) if answer.status().is_success() => break answer,
                Ok(answer) if answer.status().is_client_error() => {
                    let (status, known) = (answer.status(), !matches!(credential, Credential::Anonymous));
                    return Err(self.denied(status, known, &said(answer).await));
                }
                Ok(answer) => return Err(self.failed(&format!("its token service answers {}", answer.status()))),
                Err(error) if is_final(&error) => return Err(self.failed(&chain(&error))),
                Err(error) => {
                    most = attempts_after(&error);
                    (self.ended(&method, &url, &error), None)
                }
            };
            if attempt >= most {
                return Err(self.given_up(&format!("{failure}, {attempt} times"), passing));
            }
            self.tell(attempt, &failure, pause);
            self.pause(attempt, pause).await;
        };
        let bytes = self.body(answer, TOKEN_BYTES, "a token").await?;
        #[expect(clippy::disallowed_methods, reason = "a token service's answer, bounded")]
        let token: Token =
            serde_json::from_slice(&bytes).map_err(|_| self.failed("its token service gives no token"))?;
        token
            .token
            .or(token.access_token)
            .filter(|token| !token.is_empty())
            .ok_or_else(|| self.failed("its token service gives no token"))
    }

    /// Reads the whole body of an answer, at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// `E-LIMIT size`; `E-IO registry` when the connection breaks.
    pub(super) async fn body(&self, answer: Response, limit: u64, what: &str) -> Result<Vec<u8>> {
        let read = self.read_body(answer, limit, what).await?;
        read.map_err(|broken| self.failed(&broken.failure))
    }

    /// The inner error is one of the connection: another try may go well.
    async fn read_body(&self, mut answer: Response, limit: u64, what: &str) -> Result<Result<Vec<u8>, Broken>> {
        let mut bytes = Vec::new();
        loop {
            let chunk = match self.chunk(&mut answer).await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => return Ok(Ok(bytes)),
                Err(broken) => return Ok(Err(broken)),
            };
            if (bytes.len() as u64).saturating_add(chunk.len() as u64) > limit {
                return Err(Error::new(
                    Class::Limit,
                    "size",
                    format!("{} sends {what} of more than {limit} bytes", self.name()),
                )
                .expected(format!("at most {limit}")));
            }
            bytes.extend_from_slice(&chunk);
        }
    }

    /// Gets a small document, trying again when the connection breaks in its middle. Nothing for 404.
    ///
    /// # Errors
    ///
    /// Those of [`Self::send`] and [`Self::body`]; `E-IO registry` for any other status.
    pub(super) async fn get(
        &self,
        url: Url,
        accept: &str,
        limit: u64,
        what: &str,
    ) -> Result<Option<(Vec<u8>, HeaderMap)>> {
        let mut headers = HeaderMap::new();
        headers.insert(
            ACCEPT,
            HeaderValue::from_str(accept).map_err(|_| Error::new(Class::Internal, "accept", accept))?,
        );
        let mut attempt = 0;
        loop {
            attempt += 1;
            let answer = self.send(Method::GET, url.clone(), headers.clone()).await?;
            match answer.status() {
                StatusCode::OK => {}
                StatusCode::NOT_FOUND => return Ok(None),
                other => {
                    let said = said(answer).await;
                    return Err(self.failed(&format!("it answers {other} for {what}{said}")));
                }
            }
            let headers = answer.headers().clone();
            let broken = match self.read_body(answer, limit, what).await? {
                Ok(bytes) => return Ok(Some((bytes, headers))),
                Err(broken) => broken,
            };
            let most = if broken.stood_still { SILENT_ATTEMPTS } else { ATTEMPTS };
            if attempt >= most {
                return Err(self.failed(&format!("{}, {attempt} times", broken.failure)));
            }
            self.pause(attempt, None).await;
        }
    }
}

/// How often a request is made that ends so.
fn attempts_after(error: &reqwest::Error) -> u32 {
    if error.is_connect() || error.is_timeout() {
        SILENT_ATTEMPTS
    } else {
        ATTEMPTS
    }
}

/// Whether a status may pass: the registry is busy or its parts are.
fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504)
}

/// Reads `Retry-After`: seconds, or a date.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number holds are patience that nobody has.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_second();
    let seconds = date.saturating_sub(SystemClock.now().unix());
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

fn basic(user: &str, password: &str) -> String {
    use base64::Engine as _;
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    format!("Basic {pair}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let header = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(text).unwrap());
            retry_after(&headers)
        };
        assert_eq!(header("7"), Some(Duration::from_secs(7)));
        assert_eq!(header("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert_eq!(header("99999999999999999999999"), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(header("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}

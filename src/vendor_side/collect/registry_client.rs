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
//! - 429, 500, 502, 503, 504 and connections that break are tried again, later and later, with chance; `Retry-After` is obeyed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::redirect::Attempt;
use reqwest::{Method, Response, StatusCode, Url};
use serde::Deserialize;
use tokio::runtime::Runtime;

use super::ca_files::certificates;
use super::registry_auth::{Challenge, Credential, REGISTRY_CREDENTIALS, check_realm, credential};
use super::registry_host::{host_of, is_this_machine};
use crate::domain::{Class, Clock as _, Code, Error, Result, SystemClock};

/// Sub-code of a registry that as a whole cannot be read.
pub(super) const REGISTRY: Code = Code::new("registry");
/// What to do about a registry that does not answer.
pub(super) const UNREACHED: &str = "check the name, the network and --ca-file, and try again";

/// How often a request is tried.
const ATTEMPTS: u32 = 6;
/// Longest pause between two tries, also when the registry asks for more.
const PAUSE_MAX: Duration = Duration::from_secs(120);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a registry on this machine may take to show that it speaks TLS.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may stand still.
const READ_TIMEOUT: Duration = Duration::from_secs(90);
/// Bytes of a token service's answer.
const TOKEN_BYTES: u64 = 1 << 20;

/// How registries are reached.
#[derive(Debug, Clone)]
pub struct RegistryOptions {
    /// Files with further CA certificates, PEM.
    pub ca_files: Vec<PathBuf>,
    /// Hosts (with port) that are reached by plain HTTP.
    pub plain_http: Vec<String>,
    /// Registries, and hosts of their token services (with port) that get their credentials besides those of their own host.
    pub token_realms: Vec<(String, String)>,
    /// Pause before the second try; doubled before each further one.
    pub first_pause: Duration,
}

impl Default for RegistryOptions {
    fn default() -> Self {
        Self {
            ca_files: Vec::new(),
            plain_http: Vec::new(),
            token_realms: Vec::new(),
            first_pause: Duration::from_millis(500),
        }
    }
}

/// The threads and HTTP clients of all registries.
#[derive(Debug, Clone)]
struct Made {
    runtime: Arc<Runtime>,
    http: reqwest::Client,
    /// Follows no redirect to another origin.
    tokens: reqwest::Client,
}

/// The HTTP clients and their threads, made when the first registry is met.
#[derive(Debug)]
pub(super) struct Connections {
    options: RegistryOptions,
    made: Option<Made>,
    /// Hosts of this machine, and whether they are reached by plain HTTP.
    plain: BTreeMap<String, bool>,
}

impl Connections {
    pub(super) fn new(options: RegistryOptions) -> Self {
        Self {
            options,
            made: None,
            plain: BTreeMap::new(),
        }
    }

    /// Makes a client for one repository.
    ///
    /// # Errors
    ///
    /// `E-USAGE ca-file`, `E-IO`.
    pub(super) fn repository(&mut self, host: &str, path: &str) -> Result<RegistryClient> {
        let made = self.made()?;
        let plain = self.options.plain_http.iter().any(|known| known == host)
            || (is_this_machine(host) && self.answers_plainly(host)?);
        // Docker Hub's registry has another name than its images.
        let address = if host == "docker.io" {
            "registry-1.docker.io"
        } else {
            host
        };
        let base = format!("{}://{address}/v2/{path}/", if plain { "http" } else { "https" });
        let base = Url::parse(&base)
            .map_err(|error| Error::new(Class::Usage, REGISTRY, format!("{host:?} is no registry host: {error}")))?;
        Ok(self.client(made, base, host.to_owned(), path.to_owned()))
    }

    /// Fetches a file of a web site, at most `limit` bytes; nothing when it is not there. Nothing is sent along but what
    /// Docker's configuration has for that very host.
    ///
    /// # Errors
    ///
    /// `E-USAGE plain-http` for an address without TLS that nobody allowed; those of [`RegistryClient::get`].
    pub(super) fn get(&mut self, url: &Url, limit: u64, what: &str) -> Result<Option<Vec<u8>>> {
        let made = self.made()?;
        let host = host_of(url);
        if url.scheme() != "https" && !self.options.plain_http.contains(&host) && !is_this_machine(&host) {
            return Err(
                Error::new(Class::Usage, "plain-http", format!("{host} is addressed without TLS"))
                    .expected("an https:// address")
                    .remedy(format!("allow it with --plain-http {host}")),
            );
        }
        let path = url.path().trim_start_matches('/').to_owned();
        let client = self.client(made, url.clone(), host, path);
        let answer = client.wait(client.get(url.clone(), "*/*", limit, what))?;
        Ok(answer.map(|(bytes, _)| bytes))
    }

    fn client(&self, made: Made, base: Url, host: String, path: String) -> RegistryClient {
        RegistryClient {
            made,
            base,
            host,
            path,
            token_realms: self.options.token_realms.clone(),
            first_pause: self.options.first_pause,
            authorization: Mutex::new(None),
        }
    }

    /// Whether a registry on this machine speaks no TLS: asked once, as Docker does.
    fn answers_plainly(&mut self, host: &str) -> Result<bool> {
        if let Some(plain) = self.plain.get(host) {
            return Ok(*plain);
        }
        let made = self.made()?;
        let address = format!("https://{host}/v2/");
        // Inside the runtime, because a timeout starts when the request is made.
        let asked = made
            .runtime
            .block_on(async { made.http.head(address).timeout(PROBE_TIMEOUT).send().await });
        // A certificate that is not trusted is TLS all the same.
        let plain = asked.is_err_and(|error| !is_about_certificate(&error));
        self.plain.insert(host.to_owned(), plain);
        Ok(plain)
    }

    fn made(&mut self) -> Result<Made> {
        if let Some(made) = &self.made {
            return Ok(made.clone());
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("registry")
            .enable_all()
            .build()
            .map_err(|error| Error::new(Class::Io, "io", format!("cannot start a thread: {error}")))?;
        let made = Made {
            runtime: Arc::new(runtime),
            http: self.http(|_| true)?,
            tokens: self.http(is_same_origin)?,
        };
        self.made = Some(made.clone());
        Ok(made)
    }

    /// Makes a client that follows those redirects that `may` allows.
    fn http(&self, may: fn(&Attempt<'_>) -> bool) -> Result<reqwest::Client> {
        // Another part of the process may have chosen a provider; one is as good as the other.
        rustls::crypto::ring::default_provider().install_default().ok();
        let certificates = certificates(&self.options.ca_files)?;
        let redirect = reqwest::redirect::Policy::custom(move |attempt| {
            let secure = attempt.previous().iter().any(|url| url.scheme() == "https");
            if secure && attempt.url().scheme() != "https" {
                attempt.error("a redirect leads from HTTPS to plain HTTP")
            } else if attempt.previous().len() > 10 {
                attempt.error("too many redirects")
            } else if !may(&attempt) {
                attempt.error("a redirect leads to another host than the one that credentials were sent to")
            } else {
                attempt.follow()
            }
        });
        reqwest::Client::builder()
            .user_agent(concat!("airlock/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .redirect(redirect)
            .tls_certs_merge(certificates)
            .build()
            .map_err(|error| {
                Error::new(
                    Class::Usage,
                    "tls",
                    format!("HTTPS cannot be set up: {}", chain(&error)),
                )
                .remedy("install ca-certificates, or check --ca-file")
            })
    }
}

/// One repository.
#[derive(Debug)]
pub(super) struct RegistryClient {
    made: Made,
    base: Url,
    host: String,
    path: String,
    token_realms: Vec<(String, String)>,
    first_pause: Duration,
    authorization: Mutex<Option<HeaderValue>>,
}

impl RegistryClient {
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
            let (failure, pause) = match request.send().await {
                // A storage service that the registry redirects to knows nothing of our credentials; some answer 403 to HEAD.
                Ok(answer) if !self.is_ours(answer.url()) && answer.status().is_client_error() => return Ok(answer),
                Ok(answer) if answer.status() == StatusCode::UNAUTHORIZED && !answered_challenge => {
                    // Also when a token was sent: it may have expired meanwhile.
                    answered_challenge = true;
                    self.authenticate(&answer).await?;
                    continue;
                }
                Ok(answer) if matches!(answer.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                    return Err(self.denied(answer.status(), authorization.is_some()));
                }
                Ok(answer) if is_passing(answer.status()) => {
                    (format!("it answers {}", answer.status()), retry_after(answer.headers()))
                }
                Ok(answer) => return Ok(answer),
                Err(error) if is_final(&error) => return Err(self.failed(&chain(&error))),
                Err(error) => (chain(&error), None),
            };
            if attempt >= ATTEMPTS {
                return Err(self.failed(&format!("{failure}, {attempt} times")));
            }
            tracing::info!(registry.host = %self.host, attempt, "registry request is tried again: {failure}");
            self.pause(attempt, pause).await;
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
        tokio::time::sleep(asked.unwrap_or(jittered).min(PAUSE_MAX)).await;
    }

    /// Makes the error of a registry that cannot do what was asked.
    pub(super) fn failed(&self, what: &str) -> Error {
        Error::new(Class::Io, REGISTRY, format!("{} cannot be read: {what}", self.name()))
            .expected("a registry that answers")
            .remedy(UNREACHED)
    }

    fn denied(&self, status: StatusCode, known: bool) -> Error {
        let found = if known {
            format!("{} refuses these credentials ({status})", self.name())
        } else {
            format!("{} wants credentials, and there are none ({status})", self.name())
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

    async fn authenticate(&self, answer: &Response) -> Result<()> {
        let headers = answer
            .headers()
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let challenge = Challenge::parse(headers);
        let credential = credential(&self.host)?;
        let value = match (challenge, credential) {
            (None, _) | (Some(Challenge::Basic), Credential::Anonymous) => {
                return Err(self.denied(answer.status(), false));
            }
            (Some(Challenge::Basic), Credential::Password(user, password)) => basic(&user, &password),
            (Some(Challenge::Basic), Credential::Identity(_)) => return Err(self.denied(answer.status(), true)),
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
            let (failure, pause) = match request.send().await {
                Ok(answer) if is_passing(answer.status()) => (
                    format!("its token service answers {}", answer.status()),
                    retry_after(answer.headers()),
                ),
                Ok(answer) if answer.status().is_success() => break answer,
                Ok(answer) if answer.status().is_client_error() => {
                    return Err(self.denied(answer.status(), !matches!(credential, Credential::Anonymous)));
                }
                Ok(answer) => return Err(self.failed(&format!("its token service answers {}", answer.status()))),
                Err(error) if is_final(&error) => return Err(self.failed(&chain(&error))),
                Err(error) => (chain(&error), None),
            };
            if attempt >= ATTEMPTS {
                return Err(self.failed(&format!("{failure}, {attempt} times")));
            }
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
    pub(super) async fn body(&self, mut answer: Response, limit: u64, what: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.failed(&chain(&error)))? {
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
        Ok(bytes)
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
                other => return Err(self.failed(&format!("it answers {other} for {what}"))),
            }
            let headers = answer.headers().clone();
            match self.body(answer, limit, what).await {
                Ok(bytes) => return Ok(Some((bytes, headers))),
                Err(error) if error.class() == Class::Io && attempt < ATTEMPTS => self.pause(attempt, None).await,
                Err(error) => return Err(error),
            }
        }
    }
}

fn is_same_origin(attempt: &Attempt<'_>) -> bool {
    attempt
        .previous()
        .last()
        .is_some_and(|before| before.origin() == attempt.url().origin())
}

/// Whether a status may pass: the registry is busy or its parts are.
fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504)
}

/// Reads `Retry-After`: seconds, or a date.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
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

/// Whether trying again changes nothing: neither an address, nor where a redirect leads, nor a certificate.
fn is_final(error: &reqwest::Error) -> bool {
    error.is_redirect() || error.is_builder() || is_about_certificate(error)
}

/// Whether TLS failed because of whom the other side claims to be. The causes are private types; their text is all there is.
fn is_about_certificate(error: &reqwest::Error) -> bool {
    chain(error).contains("certificate")
}

/// Writes an error with its causes: what `reqwest` itself says is seldom the reason. Addresses may hold signatures and are cut.
pub(crate) fn chain(error: &reqwest::Error) -> String {
    let mut text = match error.url().and_then(Url::host_str) {
        Some(host) => format!("the request to {host} failed"),
        None => "the request failed".to_owned(),
    };
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
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
        assert_eq!(header("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}

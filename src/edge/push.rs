//! One registry that takes pushes, by the distribution specification 1.1: authentication, patience, bounds.
//!
//! - Nothing but the configured address is ever connected to: no redirect is followed, no proxy is asked, and where an upload goes on at
//!   another address than the registry's own it ends. The one other host is that of a token service which the configuration names.
//! - 429, 500, 502, 503, 504 and connections that break are tried again, later and later; `Retry-After` is obeyed.
//! - What a registry says of what it holds is compared with what it gives: a manifest by its bytes, a blob by its size.
//! - Blobs go in pieces, so that neither side holds more than one, and a piece is what is tried again.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use reqwest::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderValue, LOCATION, RANGE, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url};
use zeroize::Zeroizing;

use super::patience::{Patience, Waits};
use crate::client_tls;
use crate::config::MirrorSettings;
use crate::container::digest_of;
use crate::domain::{Class, Code, Digest, Error, Result};
use crate::stream::{open_named, read_bounded};

/// Sub-code of a single thing that the registry does not take: everything else may go on.
pub(super) const REFUSED: Code = Code::new("mirror-refused");
/// How often a request is tried.
const ATTEMPTS: u32 = 6;
/// How often where the registry says no word: each try has taken its whole time.
const SILENT_ATTEMPTS: u32 = 3;
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// What to do about a registry that answers that it is not able to.
const UNABLE: &str =
    "wait, or see its limits and its own log; then give the same command again: what is there already is passed over";
/// Header with which a registry says what it has hashed.
const CONTENT_DIGEST: &str = "docker-content-digest";
/// Bytes of a blob that are sent at once.
const PIECE: u64 = 8 << 20;
/// Bytes of an answer that are looked at.
const ANSWER_BYTES: usize = 4 << 20;
/// Bytes of a file with a certificate or a login.
const FILE_BYTES: u64 = 64 << 10;

/// Who logs in.
pub struct Login {
    user: String,
    password: Zeroizing<String>,
}

impl Login {
    /// Reads `USER:PASSWORD` from a file that its owner alone reads.
    ///
    /// # Errors
    ///
    /// `E-USAGE mirror-login`; `E-IO`.
    pub fn read(path: &Path) -> Result<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let wrong = |found: String| {
            Error::new(Class::Usage, "mirror-login", format!("{} {found}", path.display()))
                .expected("one line USER:PASSWORD that nobody else may read")
                .remedy("write USER:PASSWORD into that file, and chmod 600 it")
        };
        let file = open_named(path, "open the login")?;
        let mode = file.metadata().map_err(|e| Error::io("look at", path, e))?.mode();
        if mode & 0o077 != 0 {
            return Err(wrong(format!("may be read by others (mode {:o})", mode & 0o777)));
        }
        let bytes = Zeroizing::new(read_bounded(file, FILE_BYTES, "the login")?);
        let text = Zeroizing::new(String::from_utf8_lossy(&bytes).trim().to_owned());
        match text.split_once(':') {
            Some((user, password)) if !user.is_empty() && !password.is_empty() => Ok(Self {
                user: user.to_owned(),
                password: Zeroizing::new(password.to_owned()),
            }),
            _ => Err(wrong("holds no login".to_owned())),
        }
    }
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// The registry.
#[derive(Debug)]
pub struct Target {
    http: Client,
    base: Url,
    host: String,
    token_host: Option<String>,
    login: Option<Login>,
    /// By repository: what was granted.
    granted: Mutex<HashMap<String, HeaderValue>>,
    waits: Waits,
}

impl Target {
    /// Makes the client of the registry that a configuration names.
    ///
    /// # Errors
    ///
    /// `E-USAGE mirror` when none is named; `E-USAGE mirror-login`; `E-IO`.
    pub fn of(settings: &MirrorSettings) -> Result<Self> {
        Self::with(settings, Patience::default())
    }

    /// As [`Self::of`], with a patience of the caller.
    ///
    /// # Errors
    ///
    /// As [`Self::of`].
    pub fn with(settings: &MirrorSettings, patience: Patience) -> Result<Self> {
        let host = settings.registry.clone().ok_or_else(|| {
            Error::new(Class::Usage, "mirror", "no registry is configured to copy into")
                .expected("[mirror] registry = \"HOST\" in the configuration")
                .remedy("name the registry there; nothing connects before that")
        })?;
        let scheme = if settings.plain_http { "http" } else { "https" };
        let failed = |what: &dyn std::fmt::Display| {
            Error::new(Class::Usage, "mirror", format!("HTTPS cannot be set up: {what}"))
                .expected("a certificate authority that can be read")
                .remedy("check [mirror] authority in the configuration")
        };
        let base = Url::parse(&format!("{scheme}://{host}/v2/")).map_err(|error| failed(&error))?;
        let mut named = Vec::new();
        if let Some(path) = &settings.authority {
            let pem = read_bounded(open_named(path, "open")?, FILE_BYTES, "the authority's certificate")?;
            named = client_tls::certificates(&pem);
            if named.is_empty() {
                return Err(failed(&format!("{} holds no certificate", path.display())));
            }
        }
        let builder = Client::builder()
            .tls_backend_preconfigured(client_tls::client_config(named, None).map_err(|error| failed(&error))?)
            .user_agent(concat!("airlock/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(patience.connection)
            .read_timeout(patience.answer)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none());
        Ok(Self {
            http: builder.build().map_err(|error| failed(&error))?,
            base,
            host,
            token_host: settings.token_host.clone(),
            login: settings.credentials.as_deref().map(Login::read).transpose()?,
            granted: Mutex::default(),
            waits: Waits::new(patience),
        })
    }

    /// Returns the host, with its port.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// What is waited for, in words, where that takes long.
    pub(super) fn waits_for(&self) -> Option<String> {
        self.waits.told(&self.host)
    }

    /// Whether a blob is there, with its size where the registry says one.
    pub(super) async fn has_blob(&self, repository: &str, digest: &Digest, size: u64) -> Result<bool> {
        let url = self.url(&format!("{repository}/blobs/{digest}"))?;
        let answer = self.send(repository, || self.http.head(url.clone())).await?;
        let said = answer
            .headers()
            .get(CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok());
        let said = said.and_then(|text| text.parse::<u64>().ok());
        Ok(answer.status().is_success() && said.is_none_or(|said| said == size))
    }

    /// Whether a manifest is there, byte for byte: not what the registry says of it, but what it gives.
    pub(super) async fn has_manifest(
        &self,
        repository: &str,
        reference: &str,
        (digest, media_type): (&Digest, &str),
    ) -> Result<bool> {
        let given = self.read_manifest(repository, reference, media_type).await?;
        Ok(given.is_some_and(|bytes| digest_of(&bytes) == *digest))
    }

    /// Returns the bytes of a manifest there.
    pub(super) async fn read_manifest(
        &self,
        repository: &str,
        reference: &str,
        media_type: &str,
    ) -> Result<Option<Vec<u8>>> {
        let url = self.url(&format!("{repository}/manifests/{reference}"))?;
        let ask = || self.http.get(url.clone()).header(reqwest::header::ACCEPT, media_type);
        let answer = self.send(repository, ask).await?;
        if !answer.status().is_success() {
            return Ok(None);
        }
        self.body(answer).await.map(Some)
    }

    /// Pushes a blob, unless the registry can take it from another of its repositories.
    pub(super) async fn push_blob(
        &self,
        repository: &str,
        digest: &Digest,
        size: u64,
        from: Option<&str>,
        file: Arc<File>,
        sent: &(dyn Fn(u64) + Sync),
    ) -> Result<bool> {
        let mut url = self.url(&format!("{repository}/blobs/uploads/"))?;
        if let Some(from) = from {
            url.query_pairs_mut()
                .append_pair("mount", &digest.to_string())
                .append_pair("from", from);
        }
        let answer = self
            .send(repository, || self.http.post(url.clone()).header(CONTENT_LENGTH, 0))
            .await?;
        match answer.status() {
            StatusCode::CREATED => return Ok(false),
            StatusCode::ACCEPTED => {}
            _ => return Err(self.refused(answer, &format!("an upload to {repository}")).await),
        }
        let mut place = self.location(&answer)?;
        let mut offset = 0;
        // What fits into one piece goes with the end of the upload.
        while size > PIECE && offset < size {
            let piece = read(&file, offset, PIECE.min(size.saturating_sub(offset))).await?;
            let end = offset.saturating_add(piece.len() as u64);
            let range = format!("{offset}-{}", end.saturating_sub(1));
            let patch = || {
                self.http
                    .patch(place.clone())
                    .header(CONTENT_TYPE, "application/octet-stream")
                    .header(CONTENT_RANGE, &range)
                    .body(piece.clone())
            };
            let answer = self.send(repository, patch).await?;
            if answer.status() != StatusCode::ACCEPTED {
                return Err(self.refused(answer, &format!("a piece of {digest}")).await);
            }
            if let Some(held) = held(&answer).filter(|held| *held != end) {
                return Err(self.contradicts(&format!(
                    "it holds {held} bytes of {digest}, of which it was sent {end}"
                )));
            }
            place = self.location(&answer)?;
            sent(piece.len() as u64);
            offset = end;
        }
        let rest = read(&file, offset, size.saturating_sub(offset)).await?;
        place.query_pairs_mut().append_pair("digest", &digest.to_string());
        let put = || {
            self.http
                .put(place.clone())
                .header(CONTENT_TYPE, "application/octet-stream")
                .header(CONTENT_LENGTH, rest.len())
                .body(rest.clone())
        };
        let answer = self.send(repository, put).await?;
        if answer.status() != StatusCode::CREATED {
            return Err(self.refused(answer, &format!("the blob {digest}")).await);
        }
        // Most say what they have hashed; who does not is asked.
        let said = answer
            .headers()
            .get(CONTENT_DIGEST)
            .and_then(|value| value.to_str().ok());
        let is_said = said.and_then(|text| text.parse().ok()) == Some(*digest);
        if !is_said && !self.has_blob(repository, digest, size).await? {
            return Err(self.contradicts(&format!(
                "it took {digest} into {repository}, and does not have it there"
            )));
        }
        sent(rest.len() as u64);
        Ok(true)
    }

    /// Pushes a manifest under its digest or a tag.
    pub(super) async fn put_manifest(
        &self,
        repository: &str,
        reference: &str,
        media_type: &str,
        bytes: Vec<u8>,
    ) -> Result<()> {
        let bytes = Bytes::from(bytes);
        let url = self.url(&format!("{repository}/manifests/{reference}"))?;
        let put = || {
            self.http
                .put(url.clone())
                .header(CONTENT_TYPE, media_type)
                .body(bytes.clone())
        };
        let answer = self.send(repository, put).await?;
        if answer.status() != StatusCode::CREATED {
            return Err(self.refused(answer, &format!("{repository} {reference}")).await);
        }
        let digest = digest_of(&bytes);
        if !self.has_manifest(repository, reference, (&digest, media_type)).await? {
            let found = format!("it took {digest} as {repository} {reference}, and gives another answer under that");
            return Err(self.contradicts(&found));
        }
        Ok(())
    }

    /// Whether the registry lists by itself what refers to a manifest.
    pub(super) async fn keeps_referrers(&self, repository: &str, subject: &Digest) -> Result<bool> {
        let url = self.url(&format!("{repository}/referrers/{subject}"))?;
        let answer = self.send(repository, || self.http.get(url.clone())).await?;
        Ok(answer.status().is_success())
    }

    fn url(&self, below: &str) -> Result<Url> {
        self.base
            .join(below)
            .map_err(|error| Error::new(Class::Internal, "url", format!("{below:?} makes no address: {error}")))
    }

    /// Where an upload goes on: at this registry, or nowhere.
    fn location(&self, answer: &Response) -> Result<Url> {
        let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let url = location.and_then(|location| answer.url().join(location).ok());
        match url {
            Some(url) if url.origin() == self.base.origin() => Ok(url),
            _ => Err(self
                .failed(&format!(
                    "it sends uploads elsewhere: {}",
                    location.unwrap_or("nowhere")
                ))
                .expected("uploads at the address that is configured")),
        }
    }

    /// Sends a request until it is answered with something that trying again does not change.
    async fn send(&self, repository: &str, make: impl Fn() -> RequestBuilder) -> Result<Response> {
        let (mut asked, mut attempt) = (false, 0);
        loop {
            let mut request = make();
            if let Some(value) = self.granted(repository) {
                request = request.header(AUTHORIZATION, value);
            }
            attempt += 1;
            let (client, request) = request.build_split();
            let request = request.map_err(|error| self.failed(&chain(&error)))?;
            let what = format!("{} {}", request.method(), request.url().path());
            let wait = self.waits.begin(what.clone());
            let sent = client.execute(request).await;
            drop(wait);
            let (mut most, mut is_able) = (ATTEMPTS, true);
            let (failure, pause) = match sent {
                Ok(answer) if answer.status() == StatusCode::UNAUTHORIZED && !asked => {
                    asked = true;
                    self.authenticate(repository, &answer).await?;
                    continue;
                }
                Ok(answer) if matches!(answer.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                    return Err(self.denied(answer.status()));
                }
                Ok(answer) if is_passing(answer.status()) => {
                    let after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
                    let after = after.and_then(|text| text.parse().ok()).map(Duration::from_secs);
                    is_able = false;
                    (format!("it answers {}", self.words(answer).await), after)
                }
                Ok(answer) => return Ok(answer),
                Err(error) if error.is_timeout() => {
                    most = SILENT_ATTEMPTS;
                    let over = self.waits.patience.over(&error).unwrap_or_default();
                    (format!("{over} ({what})"), None)
                }
                Err(error) => {
                    let failure = chain(&error);
                    if let Some(refusal) = self.without_tls(&failure) {
                        return Err(refusal);
                    }
                    // What a certificate says, and what is no address, trying again does not change.
                    if error.is_builder() || failure.contains("certificate") {
                        return Err(self.failed(&failure));
                    }
                    (failure, None)
                }
            };
            if attempt >= most {
                let error = self.failed(&format!("{failure}, {attempt} times"));
                return Err(if is_able { error } else { error.remedy(UNABLE) });
            }
            let doubled = self
                .waits
                .patience
                .pause
                .saturating_mul(1 << attempt.saturating_sub(1).min(10));
            tokio::time::sleep(pause.unwrap_or(doubled).min(PAUSE_MAX)).await;
        }
    }

    fn granted(&self, repository: &str) -> Option<HeaderValue> {
        let granted = self.granted.lock().unwrap_or_else(PoisonError::into_inner);
        granted.get(repository).cloned()
    }

    async fn authenticate(&self, repository: &str, answer: &Response) -> Result<()> {
        let challenges = answer.headers().get_all(WWW_AUTHENTICATE).iter();
        let challenges: Vec<&str> = challenges.filter_map(|value| value.to_str().ok()).collect();
        let bearer = challenges.iter().find_map(|challenge| parameters(challenge, "bearer"));
        let Some(login) = &self.login else {
            return Err(self.denied(answer.status()));
        };
        let value = if let Some(parameters) = bearer {
            format!("Bearer {}", self.token(repository, &parameters, login).await?)
        } else {
            let shown = Zeroizing::new(format!("{}:{}", login.user, login.password.as_str()));
            format!(
                "Basic {}",
                base64::engine::general_purpose::STANDARD.encode(shown.as_bytes())
            )
        };
        let mut value =
            HeaderValue::from_str(&value).map_err(|_| self.failed("its token service gives what is no token"))?;
        value.set_sensitive(true);
        let mut granted = self.granted.lock().unwrap_or_else(PoisonError::into_inner);
        granted.insert(repository.to_owned(), value);
        Ok(())
    }

    async fn token(&self, repository: &str, parameters: &HashMap<String, String>, login: &Login) -> Result<String> {
        #[derive(serde::Deserialize)]
        struct Token {
            token: Option<String>,
            access_token: Option<String>,
        }
        let realm = parameters.get("realm").and_then(|realm| Url::parse(realm).ok());
        let mut url = realm.ok_or_else(|| self.failed("its token service has no address"))?;
        let host = match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (Some(host), None) => host.to_owned(),
            (None, _) => String::new(),
        };
        let is_known = host == self.host || self.token_host.as_ref() == Some(&host);
        if !is_known || (self.base.scheme() == "https" && url.scheme() != "https") {
            return Err(Error::new(
                Class::Usage,
                "mirror-token",
                format!("{} sends logins to {host}", self.host),
            )
            .expected("a token service on the registry's own host, by HTTPS where the registry has it")
            .remedy("where that is right, name its host with [mirror] token_host in the configuration"));
        }
        url.query_pairs_mut()
            .append_pair("scope", &format!("repository:{repository}:pull,push"));
        if let Some(service) = parameters.get("service") {
            url.query_pairs_mut().append_pair("service", service);
        }
        let asked = self.http.request(Method::GET, url);
        let asked = asked
            .basic_auth(&login.user, Some(login.password.as_str()))
            .send()
            .await;
        let answer = asked.map_err(|error| self.failed(&chain(&error)))?;
        if !answer.status().is_success() {
            return Err(self.denied(answer.status()));
        }
        let bytes = self.body(answer).await?;
        #[expect(clippy::disallowed_methods, reason = "an answer of a token service, bounded")]
        let token: Option<Token> = serde_json::from_slice(&bytes).ok();
        token
            .and_then(|token| token.token.or(token.access_token))
            .ok_or_else(|| self.failed("its token service gives what is no token"))
    }

    async fn body(&self, mut answer: Response) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let _wait = self.waits.begin(format!("the rest of {}", answer.url().path()));
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.failed(&chain(&error)))? {
            if bytes.len().saturating_add(chunk.len()) > ANSWER_BYTES {
                return Err(self.failed("it answers more than is looked at"));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    /// Makes the error of something that the registry does not take, in its own words.
    async fn refused(&self, answer: Response, what: &str) -> Error {
        let found = format!("{} does not take {what}: {}", self.host, self.words(answer).await);
        Error::new(Class::Io, REFUSED, found)
    }

    /// A status, and what the registry says with it.
    async fn words(&self, answer: Response) -> String {
        let status = answer.status();
        let said = self.body(answer).await.unwrap_or_default();
        let said: String = String::from_utf8_lossy(said.trim_ascii()).chars().take(300).collect();
        format!("{status} {said}").trim_end().to_owned()
    }

    /// Of a registry whose answers do not agree with each other.
    fn contradicts(&self, what: &str) -> Error {
        Error::new(Class::Io, REFUSED, format!("{} contradicts itself: {what}", self.host))
    }

    /// Of a connection without TLS where TLS is meant; nothing of another failure. The cause is a private type.
    fn without_tls(&self, failure: &str) -> Option<Error> {
        (self.base.scheme() == "https" && failure.contains("corrupt message")).then(|| {
            Error::new(Class::Io, "mirror", format!("{} does not speak TLS", self.host))
                .expected("HTTPS, unless the configuration says otherwise")
                .remedy("where it has plain HTTP, write plain_http = true under [mirror] in the configuration; nothing was sent")
        })
    }

    fn failed(&self, what: &str) -> Error {
        Error::new(Class::Io, "mirror", format!("{} cannot be written to: {what}", self.host))
            .expected("a registry that answers at the address that is configured")
            .remedy("check [mirror] in the configuration and the registry; then give the same command again: what is there already is passed over")
    }

    fn denied(&self, status: StatusCode) -> Error {
        let found = match &self.login {
            Some(login) => format!("{} does not let {} push ({status})", self.host, login.user),
            None => format!("{} wants a login, and none is configured ({status})", self.host),
        };
        Error::new(Class::Usage, "mirror-login", found)
            .expected("a login that may push")
            .remedy("write USER:PASSWORD into a file of mode 600, and name it with [mirror] credentials in the configuration")
    }
}

/// Reads a piece of a file beside the runtime's threads: bytes that further tries share.
async fn read(file: &Arc<File>, offset: u64, length: u64) -> Result<Bytes> {
    let file = file.clone();
    let read = tokio::task::spawn_blocking(move || {
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        file.read_exact_at(&mut bytes, offset).map(|()| Bytes::from(bytes))
    });
    let read = read
        .await
        .map_err(|error| Error::new(Class::Internal, "mirror", format!("a reader ended: {error}")))?;
    read.map_err(|error| Error::io("read", Path::new("a blob"), error))
}

/// How many bytes of an upload a registry says to hold.
fn held(answer: &Response) -> Option<u64> {
    let text = answer.headers().get(RANGE)?.to_str().ok()?;
    let last: u64 = text.rsplit_once('-')?.1.parse().ok()?;
    last.checked_add(1)
}

fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504)
}

/// Returns the parameters of a challenge of a scheme.
fn parameters(challenge: &str, scheme: &str) -> Option<HashMap<String, String>> {
    let (found, rest) = challenge.split_once(' ')?;
    if !found.eq_ignore_ascii_case(scheme) {
        return None;
    }
    let mut parameters = HashMap::new();
    let mut rest = rest.trim();
    while let Some((name, after)) = rest.split_once('=') {
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        parameters.insert(name.trim_matches([',', ' ']).to_ascii_lowercase(), value.to_owned());
        rest = next.trim_start_matches([',', ' ']);
    }
    Some(parameters)
}

/// What a failure says, down to its cause.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

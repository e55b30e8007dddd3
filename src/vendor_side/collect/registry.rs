//! Images from one repository of a registry (OCI distribution specification 1.1).

use std::collections::HashMap;
use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::stream::{self, StreamExt as _};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, LINK};
use reqwest::{Method, StatusCode, Url};
use sha2::{Digest as _, Sha256};

use super::connections::Connections;
use super::origin::{Found, Origin};
use super::registry_blob::RegistryBlob;
use super::registry_client::RegistryClient;
use crate::domain::oci::{DOCKER_INDEX, DOCKER_MANIFEST, Document, OCI_INDEX, OCI_MANIFEST};
use crate::domain::{Class, Digest, Error, Hash, Result, Tag, limits};

/// Pages of one list of referrers.
const PAGES: usize = 100;
/// Questions that are asked at the same time.
const PARALLEL: usize = 8;
const DIGEST_HEADER: &str = "docker-content-digest";

/// A repository of a registry.
#[derive(Debug)]
pub(super) struct Registry {
    client: Arc<RegistryClient>,
    /// Answers to questions that were asked ahead; each is used once.
    answers: Mutex<Answers>,
}

#[derive(Debug, Default)]
struct Answers {
    manifests: HashMap<String, Result<Option<Found>>>,
    referrers: HashMap<Digest, Result<Vec<Digest>>>,
}

impl Registry {
    /// Names the repository; nothing is asked yet.
    ///
    /// # Errors
    ///
    /// Those of [`Connections::repository`].
    pub(super) fn new(connections: &mut Connections, host: &str, path: &str) -> Result<Self> {
        Ok(Self {
            client: Arc::new(connections.repository(host, path)?),
            answers: Mutex::default(),
        })
    }

    /// Asks for a manifest, by tag or digest, and keeps a copy of the answer.
    pub(super) fn ask_manifest(&self, reference: &str) -> Result<Option<Found>> {
        if let Some(known) = self.answers().manifests.get(reference) {
            return copy(known);
        }
        let answer = self.client.wait(self.get_manifest(reference));
        self.answers().manifests.insert(reference.to_owned(), copy(&answer));
        answer
    }

    /// Asks for what refers to a digest, and keeps a copy of the answer.
    pub(super) fn ask_referrers(&self, subject: &Digest) -> Result<Vec<Digest>> {
        if let Some(known) = self.answers().referrers.get(subject) {
            return copy(known);
        }
        let answer = self.client.wait(self.get_referrers(subject));
        self.answers().referrers.insert(*subject, copy(&answer));
        answer
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn manifest_of(&self, reference: &str) -> Result<Option<Found>> {
        let known = self.answers().manifests.remove(reference);
        known.unwrap_or_else(|| self.client.wait(self.get_manifest(reference)))
    }

    async fn get_manifest(&self, reference: &str) -> Result<Option<Found>> {
        let accept = [OCI_INDEX, OCI_MANIFEST, DOCKER_INDEX, DOCKER_MANIFEST].join(", ");
        let url = self.client.url(&format!("manifests/{reference}"))?;
        let Some((bytes, headers)) = self
            .client
            .get(url, &accept, limits::MANIFEST_BYTES, "a manifest")
            .await?
        else {
            return Ok(None);
        };
        let held = Digest(Hash(Sha256::digest(&bytes).into()));
        // Other algorithms in this header say nothing about the sha256 digest that airlock goes by.
        if let Some(said) = header(&headers, DIGEST_HEADER).and_then(|text| text.parse::<Digest>().ok())
            && said != held
        {
            return Err(Error::new(
                Class::Integrity,
                "source",
                format!(
                    "{} sends the manifest {reference} as {said}, but it has the digest {held}",
                    self.client.name()
                ),
            )
            .expected("content that matches its digest")
            .remedy("check the registry, and what stands between it and here"));
        }
        Ok(Some(Found {
            bytes,
            media_type: media_type(&headers),
        }))
    }

    async fn get_referrers(&self, subject: &Digest) -> Result<Vec<Digest>> {
        let mut url = self.client.url(&format!("referrers/{subject}"))?;
        let mut found = Vec::new();
        for _ in 0..PAGES {
            let answer = self.client.send(Method::GET, url.clone(), HeaderMap::new()).await?;
            // A registry without the API answers 404; some answer otherwise. The tag schema is looked at in any case.
            if answer.status() != StatusCode::OK {
                if answer.status().is_client_error() || answer.status() == StatusCode::NOT_IMPLEMENTED {
                    return Ok(found);
                }
                let what = format!("it answers {} for the referrers of {subject}", answer.status());
                return Err(self.client.failed(&what));
            }
            let headers = answer.headers().clone();
            if media_type(&headers).as_deref() != Some(OCI_INDEX) {
                return Ok(found);
            }
            let bytes = self
                .client
                .body(answer, limits::MANIFEST_BYTES, "a list of referrers")
                .await?;
            let page = Document::parse(&bytes, OCI_INDEX)?;
            found.extend(page.manifests.iter().map(|member| member.digest));
            match next_page(&headers, &url) {
                Some(next) if self.client.is_ours(&next) => url = next,
                Some(_) => return Err(self.client.failed("its list of referrers goes on at another host")),
                None => return Ok(found),
            }
        }
        Err(Error::new(
            Class::Limit,
            "referrers",
            format!("{subject} has more than {PAGES} pages of referrers"),
        ))
    }

    /// Returns what is wrong with a blob, as far as asking can tell: registries that answer `HEAD` with something else than
    /// 200 and 404 are believed to have it, and found out when it is read.
    async fn check(&self, digest: Digest, size: u64) -> Result<Option<String>> {
        let url = self.client.url(&format!("blobs/{digest}"))?;
        let answer = self.client.send(Method::HEAD, url, HeaderMap::new()).await?;
        match answer.status() {
            StatusCode::NOT_FOUND => Ok(Some(format!("{digest} is not there"))),
            StatusCode::OK => {
                let found = header(answer.headers(), CONTENT_LENGTH.as_str()).and_then(|text| text.parse::<u64>().ok());
                Ok(found
                    .filter(|found| *found != size)
                    .map(|found| format!("{digest} has {found} bytes instead of {size}")))
            }
            _ => Ok(None),
        }
    }
}

impl Origin for Registry {
    fn manifest(&self, digest: &Digest) -> Result<Option<Found>> {
        self.manifest_of(&digest.to_string())
    }

    fn tag(&self, tag: &Tag) -> Result<Option<Found>> {
        self.manifest_of(tag.as_str())
    }

    fn referrers(&self, subject: &Digest) -> Result<Vec<Digest>> {
        let known = self.answers().referrers.remove(subject);
        known.unwrap_or_else(|| self.client.wait(self.get_referrers(subject)))
    }

    fn missing(&self, blobs: &[(Digest, u64)]) -> Result<Vec<String>> {
        let answers: Vec<Result<Option<String>>> = self.client.wait(
            stream::iter(blobs.iter().copied())
                .map(|(digest, size)| self.check(digest, size))
                .buffered(PARALLEL)
                .collect(),
        );
        answers.into_iter().filter_map(Result::transpose).collect()
    }

    fn describe(&self) -> String {
        self.client.name()
    }

    fn is_near(&self) -> bool {
        false
    }

    fn open(&self, digest: &Digest, size: u64) -> Result<Box<dyn Read + Send>> {
        Ok(Box::new(RegistryBlob::open(Arc::clone(&self.client), *digest, size)?))
    }
}

/// The same answer once more; what went wrong in the same words.
fn copy<T: Clone>(answer: &Result<T>) -> Result<T> {
    let error = match answer {
        Ok(answer) => return Ok(answer.clone()),
        Err(error) => error,
    };
    let mut again = error.retold("", "");
    if let Some(expected) = error.expectation() {
        again = again.expected(expected);
    }
    Err(match error.advice() {
        Some(advice) => again.remedy(advice),
        None => again,
    })
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Returns the content type without its parameters.
fn media_type(headers: &HeaderMap) -> Option<String> {
    let text = header(headers, CONTENT_TYPE.as_str())?;
    Some(text.split(';').next().unwrap_or_default().trim().to_owned())
}

/// Reads `Link: <address>; rel="next"`, relative to the page it came with.
pub(super) fn next_page(headers: &HeaderMap, page: &Url) -> Option<Url> {
    let (address, parameters) = header(headers, LINK.as_str())?.strip_prefix('<')?.split_once('>')?;
    parameters.contains("next").then(|| page.join(address).ok()).flatten()
}

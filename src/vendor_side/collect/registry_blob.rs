//! A blob of a registry as a stream that survives cut connections: reading goes on with `Range` where it ended.
//!
//! Digest and size of the whole are compared by the one who reads: the writer of the bundle.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use reqwest::header::{CONTENT_RANGE, HeaderMap, HeaderValue, RANGE};
use reqwest::{Method, Response, StatusCode};

use super::registry_client::{Broken, RegistryClient};
use crate::domain::{Class, Digest, Error, Result};

/// How often in a row a download may break without a byte of progress.
const BREAKS: u32 = 6;

/// A download.
pub(super) struct RegistryBlob {
    client: Arc<RegistryClient>,
    digest: Digest,
    size: u64,
    position: u64,
    answer: Option<Response>,
    /// What was received and not yet read: the chunk and how much of it is read.
    received: (Bytes, usize),
    breaks: u32,
}

impl RegistryBlob {
    /// Starts a download.
    ///
    /// # Errors
    ///
    /// `E-CONTENT missing`; those of [`RegistryClient::send`].
    pub(super) fn open(client: Arc<RegistryClient>, digest: Digest, size: u64) -> Result<Self> {
        let mut blob = Self {
            client,
            digest,
            size,
            position: 0,
            answer: None,
            received: (Bytes::new(), 0),
            breaks: 0,
        };
        blob.request()?;
        Ok(blob)
    }

    /// Asks for everything from the current position on.
    fn request(&mut self) -> Result<()> {
        let url = self.client.url(&format!("blobs/{}", self.digest))?;
        let mut headers = HeaderMap::new();
        if self.position > 0 {
            let range = format!("bytes={}-", self.position);
            headers.insert(RANGE, HeaderValue::from_str(&range).expect("digits are a legal header"));
        }
        let client = Arc::clone(&self.client);
        let answer = client.wait(client.send(Method::GET, url, headers))?;
        let start = match answer.status() {
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT => range_start(&answer)
                .filter(|start| *start == self.position)
                .ok_or_else(|| client.failed("it sends another part than was asked for"))?,
            StatusCode::NOT_FOUND => {
                return Err(Error::new(
                    Class::Content,
                    "missing",
                    format!("{} does not hold {}", client.name(), self.digest),
                ));
            }
            other => return Err(client.failed(&format!("it answers {other} for {}", self.digest))),
        };
        self.answer = Some(answer);
        self.skip(self.position.saturating_sub(start))
    }

    /// Passes over bytes that are known already, from a registry that cannot begin in the middle.
    fn skip(&mut self, mut count: u64) -> Result<()> {
        while count > 0 {
            match self.receive() {
                Ok(Some(chunk)) => {
                    let passed = usize::try_from(count).unwrap_or(usize::MAX).min(chunk.len());
                    count = count.saturating_sub(passed as u64);
                    self.received = (chunk, passed);
                }
                Ok(None) => return Err(self.client.failed("a download ends too early")),
                Err(broken) => return Err(self.client.failed(&broken.failure)),
            }
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<Option<Bytes>, Broken> {
        match &mut self.answer {
            Some(answer) => self.client.wait(self.client.chunk(answer)),
            None => Ok(None),
        }
    }

    /// Goes on after a break.
    fn resume(&mut self, Broken { failure, stood_still }: &Broken) -> Result<()> {
        loop {
            self.answer = None;
            // Each silence has taken its whole time already.
            self.breaks = self.breaks.saturating_add(if *stood_still { 2 } else { 1 });
            if self.breaks > BREAKS {
                return Err(self.client.failed(&format!(
                    "{failure}, again and again behind its first {} bytes",
                    self.position
                )));
            }
            tracing::info!(blob.digest = %self.digest, position = self.position, "a download goes on: {failure}");
            let client = Arc::clone(&self.client);
            client.wait(client.pause(self.breaks, None));
            match self.request() {
                Err(error) if error.class() == Class::Io => {}
                outcome => return outcome,
            }
        }
    }
}

impl Read for RegistryBlob {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let rest = self.received.0.get(self.received.1..).unwrap_or_default();
            if !rest.is_empty() {
                let count = rest.len().min(buffer.len());
                if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
                    to.copy_from_slice(from);
                }
                self.received.1 = self.received.1.saturating_add(count);
                self.position = self.position.saturating_add(count as u64);
                self.breaks = 0;
                return Ok(count);
            }
            let broken = match self.receive() {
                Ok(Some(chunk)) => {
                    self.received = (chunk, 0);
                    continue;
                }
                Ok(None) if self.position >= self.size => return Ok(0),
                Ok(None) => Broken {
                    failure: "a download ends too early".to_owned(),
                    stood_still: false,
                },
                Err(broken) => broken,
            };
            self.resume(&broken).map_err(io::Error::other)?;
        }
    }
}

/// Reads the first byte's number from `Content-Range: bytes 5-9/10`.
fn range_start(answer: &Response) -> Option<u64> {
    let text = answer.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    text.strip_prefix("bytes ")?.split_once('-')?.0.parse().ok()
}

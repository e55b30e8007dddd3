//! The body of a request, chunk by chunk, within a size and a pace (threat model A05, R12).

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt as _;
use tokio::time::{Instant, Sleep};

use super::bad_body::BadBody;

/// Longest body: the hub's limit, which agents are made for.
pub(super) const BODY_BYTES: u64 = 50 << 20;
/// What must arrive in every stall period.
const STALL_BYTES: u64 = 64 << 10;
/// Bytes of a refused body that are read and thrown away, so that the client is there when the answer comes.
const LINGER_BYTES: u64 = 64 << 20;
/// How long they may take.
const LINGER: Duration = Duration::from_secs(10);

/// A body that is read once.
#[derive(Debug)]
pub(super) struct BodyReader {
    body: Body,
    left: u64,
    stall: Duration,
    timer: std::pin::Pin<Box<Sleep>>,
    /// Bytes of the present stall period.
    received: u64,
}

impl BodyReader {
    /// Looks at what the head says of the body, before any of it is read.
    ///
    /// # Errors
    ///
    /// [`BadBody::Encoding`], [`BadBody::TooLarge`], and `Shape` for a content type that is none of JSON; the body is handed back.
    pub(super) fn open(headers: &HeaderMap, body: Body, stall: Duration) -> Result<Self, (BadBody, Box<Self>)> {
        let reader = Self {
            body,
            left: BODY_BYTES,
            stall,
            timer: Box::pin(tokio::time::sleep(stall)),
            received: 0,
        };
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        let length = text(header::CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
        let media_type = text(header::CONTENT_TYPE).map(|value| value.split(';').next().unwrap_or_default().trim());
        let bad = if text(header::CONTENT_ENCODING).is_some_and(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
            BadBody::Encoding
        } else if length.is_some_and(|length| length > BODY_BYTES) {
            BadBody::TooLarge
        } else if media_type.is_some_and(|media_type| !media_type.eq_ignore_ascii_case("application/json")) {
            BadBody::Shape("the content type is not application/json")
        } else {
            return Ok(reader);
        };
        Err((bad, Box::new(reader)))
    }

    /// Returns the next chunk; nothing at the end.
    ///
    /// # Errors
    ///
    /// [`BadBody::TooLarge`]; [`BadBody::Broken`] when it came too slowly or broke off.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, BadBody> {
        loop {
            let frame = tokio::select! {
                biased;
                frame = self.body.frame() => frame,
                () = self.timer.as_mut() => {
                    if self.received < STALL_BYTES {
                        return Err(BadBody::Broken);
                    }
                    self.received = 0;
                    self.timer.as_mut().reset(Instant::now() + self.stall);
                    continue;
                }
            };
            let Some(frame) = frame else { return Ok(None) };
            // Trailers mean nothing here.
            let Ok(bytes) = frame.map_err(|_| BadBody::Broken)?.into_data() else {
                continue;
            };
            let length = bytes.len() as u64;
            self.received = self.received.saturating_add(length);
            self.left = self.left.checked_sub(length).ok_or(BadBody::TooLarge)?;
            return Ok(Some(bytes));
        }
    }

    /// Reads the rest and keeps nothing; returns how many bytes came.
    ///
    /// # Errors
    ///
    /// As [`BodyReader::next`].
    pub(super) async fn skip(&mut self) -> Result<u64, BadBody> {
        let mut count = 0_u64;
        while let Some(bytes) = self.next().await? {
            count = count.saturating_add(bytes.len() as u64);
        }
        Ok(count)
    }

    /// Reads on for a while after a refusal, so that a client that is still sending sees the answer and no broken connection: it
    /// would send the same again for ever.
    pub(super) async fn linger(mut self) {
        self.left = LINGER_BYTES;
        self.stall = LINGER;
        tokio::time::timeout(LINGER, self.skip()).await.ok();
    }
}

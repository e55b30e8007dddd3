//! Error bodies of the registry (OCI distribution-spec, error codes): `{"errors":[{"code","message"}]}`.
//!
//! Messages are fixed texts: nothing of the request comes back, nothing of other repositories shows, and what went wrong
//! inside stands in the log. Who may read everything is told whose a tag is that is hidden.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};

use super::in_flight::Full;
use super::query::BadQuery;
use super::registry_route::NoRoute;
use crate::appliance::registry::Missing;
use crate::domain::{Class, Error, shown};

/// An answer that is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OciError {
    status: StatusCode,
    code: &'static str,
    message: Cow<'static, str>,
    /// Of a manifest that a release leaves out on purpose.
    left_out: Option<Arc<str>>,
}

/// Says of a manifest that is not here that it was left out on purpose, and of which platform it is.
const LEFT_OUT: &str = "airlock-left-out";

impl OciError {
    pub(super) const DENIED: Self = Self::fixed(
        StatusCode::FORBIDDEN,
        "DENIED",
        "this address may not read here; the site's configuration says which may",
    );
    /// Credentials must come first, or those that came are not good. The same for everything, whatever is here.
    pub(super) const UNAUTHORIZED: Self = Self::fixed(
        StatusCode::UNAUTHORIZED,
        "UNAUTHORIZED",
        "credentials are needed: any user, and as password an agent's token, or what `airlock access add` has shown",
    );
    /// The request came under a name that is not this appliance's.
    pub(super) const UNKNOWN_HOST: Self = Self::fixed(
        StatusCode::MISDIRECTED_REQUEST,
        "DENIED",
        "this appliance does not answer under that name; ask under one of tls.names or agents.address in its configuration, or under \
         the address that you connect to",
    );
    /// The request names no host, several, or something that is none.
    pub(super) const BAD_HOST: Self = Self::fixed(
        StatusCode::BAD_REQUEST,
        "DENIED",
        "the request does not name exactly one host; a client or proxy between sends a Host header that is none",
    );
    /// The request came through a proxy, and needs more than an address.
    pub(super) const FORWARDED: Self = Self::fixed(
        StatusCode::FORBIDDEN,
        "DENIED",
        "a proxy passed this request on, so nobody knows from where; ask directly, or with credentials where the site wants them",
    );
    pub(super) const UNSUPPORTED: Self = Self::fixed(
        StatusCode::METHOD_NOT_ALLOWED,
        "UNSUPPORTED",
        "this registry is filled by imports; it takes no uploads and deletes nothing",
    );
    pub(super) const URI_TOO_LONG: Self = Self::fixed(
        StatusCode::URI_TOO_LONG,
        "NAME_INVALID",
        "the address is longer than any name here",
    );
    pub(super) const BODY: Self = Self::fixed(
        StatusCode::PAYLOAD_TOO_LARGE,
        "UNSUPPORTED",
        "requests here have no body",
    );
    pub(super) const RANGE: Self = Self::fixed(
        StatusCode::RANGE_NOT_SATISFIABLE,
        "RANGE_INVALID",
        "the range lies behind the end of the blob",
    );
    pub(super) const MANIFEST_UNKNOWN: Self = Self::fixed(
        StatusCode::NOT_FOUND,
        "MANIFEST_UNKNOWN",
        "no such manifest in this repository",
    );
    /// This peer has as many answers in memory as it may.
    const TOO_MANY: Self = Self::fixed(
        StatusCode::TOO_MANY_REQUESTS,
        "TOOMANYREQUESTS",
        "answers of this address wait to be taken; take them, then ask again",
    );
    /// Nobody else than peers that showed credentials has a seat now.
    pub(super) const NO_SEAT: Self = Self::fixed(
        StatusCode::SERVICE_UNAVAILABLE,
        "TOOMANYREQUESTS",
        "every connection for clients without a target's credentials is taken; come again",
    );
    /// There is no connection left for this peer.
    pub(super) const NO_CONNECTION: Self = Self::fixed(
        StatusCode::SERVICE_UNAVAILABLE,
        "TOOMANYREQUESTS",
        "every connection is taken that there is, or that this address may have ([limits] in the appliance's configuration); come again",
    );
    /// All peers together have as many as there is room for.
    const NO_ROOM: Self = Self::fixed(
        StatusCode::SERVICE_UNAVAILABLE,
        "TOOMANYREQUESTS",
        "too many answers wait to be taken; ask again",
    );
    /// The state folder was replaced under the server.
    pub(super) const REPLACED: Self = Self::fixed(
        StatusCode::SERVICE_UNAVAILABLE,
        "UNAVAILABLE",
        "the appliance's state was replaced; come again once its server was started again",
    );
    /// What is said of targets cannot be read, and with it who may read what.
    pub(super) const UNREAD: Self = Self::fixed(
        StatusCode::SERVICE_UNAVAILABLE,
        "UNAVAILABLE",
        "what the releases say of targets cannot be read; the appliance's /readyz says why, and it is tried again by itself",
    );
    const BLOB_UNKNOWN: Self = Self::fixed(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", "no such blob in this repository");
    const NAME_UNKNOWN: Self = Self::fixed(StatusCode::NOT_FOUND, "NAME_UNKNOWN", "no such repository");
    const NAME_INVALID: Self = Self::fixed(StatusCode::BAD_REQUEST, "NAME_INVALID", "this is no repository name");
    const DIGEST_INVALID: Self = Self::fixed(
        StatusCode::BAD_REQUEST,
        "DIGEST_INVALID",
        "a digest is sha256: and 64 lower-case hex digits",
    );
    /// No plain file is called so, or what is has another form.
    pub(super) const NO_FILE: Self = Self::fixed(
        StatusCode::NOT_FOUND,
        "BLOB_UNKNOWN",
        "no such file; plain files are at /files/DOMAIN/PRODUCT/CHANNEL/NAME",
    );
    pub(super) const UNKNOWN: Self = Self::fixed(StatusCode::NOT_FOUND, "UNSUPPORTED", "no such endpoint");
    const BAD_NUMBER: Self = Self::fixed(
        StatusCode::BAD_REQUEST,
        "PAGINATION_NUMBER_INVALID",
        "n is a number of entries",
    );
    const BAD_QUERY: Self = Self::fixed(StatusCode::BAD_REQUEST, "UNSUPPORTED", "the query cannot be read");

    const fn fixed(status: StatusCode, code: &'static str, message: &'static str) -> Self {
        Self {
            status,
            code,
            message: Cow::Borrowed(message),
            left_out: None,
        }
    }

    /// What is missing, in the words of the endpoint that was asked.
    pub(super) fn missing(missing: &Missing, content: Content) -> Self {
        match (missing, content) {
            // Said only to who may read everything.
            (Missing::Hidden { tag, .. }, Content::File) => Self {
                message: Cow::Owned(format!(
                    "no such file for everybody: {tag}; that of {} is for its own clients",
                    tag.stated_by
                )),
                ..Self::NO_FILE
            },
            (_, Content::File) => Self::NO_FILE,
            (Missing::Hidden { listed, tag }, _) => Self {
                message: Cow::Owned(format!(
                    "no such manifest for everybody: {tag}; that of {} is for its own clients",
                    tag.stated_by
                )),
                ..if *listed {
                    Self::MANIFEST_UNKNOWN
                } else {
                    Self::NAME_UNKNOWN
                }
            },
            (Missing::LeftOut { platform }, Content::Manifest) => Self {
                message: Cow::Owned(format!(
                    "left out on purpose: the release was made without the platform {platform} of this image"
                )),
                left_out: Some(platform.clone()),
                ..Self::MANIFEST_UNKNOWN
            },
            (Missing::BadName, _) => Self::NAME_INVALID,
            (Missing::Repository, _) => Self::NAME_UNKNOWN,
            (Missing::Content, Content::Manifest) => Self::MANIFEST_UNKNOWN,
            (Missing::Content | Missing::LeftOut { .. }, Content::Blob) => Self::BLOB_UNKNOWN,
        }
    }

    /// Of two answers that there is nothing the one that comes nearer to what was asked for: the repository is known at least.
    pub(super) fn or_nearer(self, other: Self) -> Self {
        if self.code == Self::MANIFEST_UNKNOWN.code || self.code == Self::BLOB_UNKNOWN.code {
            self
        } else {
            other
        }
    }

    /// Returns the answer as it is written to a connection that ends with it.
    pub(super) fn as_bytes(&self) -> Vec<u8> {
        let body = serde_json::json!({"errors": [{"code": self.code, "message": self.message}]}).to_string();
        let (status, length) = (self.status, body.len());
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nretry-after: 1\r\nconnection: close\r\n\r\n{body}"
        )
        .into_bytes()
    }

    /// Makes the answer.
    pub(super) fn response(&self) -> Response<Body> {
        let body = serde_json::json!({"errors": [{"code": self.code, "message": self.message}]}).to_string();
        let mut response = Response::new(Body::from(shown(&body)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        if let Some(platform) = self
            .left_out
            .as_ref()
            .and_then(|platform| HeaderValue::from_str(platform).ok())
        {
            headers.insert(LEFT_OUT, platform);
        }
        if self.code == Self::TOO_MANY.code {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Basic realm=\"airlock\""),
            );
        }
        response
    }
}

/// What an endpoint is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// Manifests and indexes.
    Manifest,
    /// Everything else.
    Blob,
    /// Plain files, and what they are made of.
    File,
}

impl From<NoRoute> for OciError {
    fn from(no: NoRoute) -> Self {
        match no {
            NoRoute::Unknown => Self::UNKNOWN,
            NoRoute::Name => Self::NAME_INVALID,
            NoRoute::Digest => Self::DIGEST_INVALID,
            NoRoute::Tag => Self::MANIFEST_UNKNOWN,
        }
    }
}

impl From<BadQuery> for OciError {
    fn from(bad: BadQuery) -> Self {
        match bad {
            BadQuery::Number => Self::BAD_NUMBER,
            BadQuery::Form => Self::BAD_QUERY,
        }
    }
}

impl From<Full> for OciError {
    fn from(full: Full) -> Self {
        match full {
            Full::Share => Self::TOO_MANY,
            Full::Total => Self::NO_ROOM,
        }
    }
}

/// A failure of the appliance itself: logged here, once, and answered with class and code alone.
impl From<Error> for OciError {
    fn from(error: Error) -> Self {
        tracing::error!(class = error.class().name(), code = error.code(), %error, "a request failed");
        Self::of(&error)
    }
}

/// A failure that all who waited for the same work are told; it was logged where it was met.
impl From<Arc<Error>> for OciError {
    fn from(error: Arc<Error>) -> Self {
        Self::of(&error)
    }
}

impl OciError {
    fn of(error: &Error) -> Self {
        Self {
            status: if error.class() == Class::Busy {
                StatusCode::SERVICE_UNAVAILABLE
            } else {
                StatusCode::INTERNAL_SERVER_ERROR
            },
            code: "UNKNOWN",
            message: Cow::Owned(format!("{} {}", error.class(), error.code())),
            left_out: None,
        }
    }
}

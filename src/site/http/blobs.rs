//! `/v2/<name>/blobs/<digest>`: bytes of a blob, whole or from somewhere on.

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

use super::access::VisibleContent;
use super::app::App;
use super::manifests::{find, identify, matches_etag, not_modified};
use super::oci_error::{Content, OciError};
use super::range::{self, Wanted};
use super::stored;
use crate::appliance::registry::{Asked, Found, Reference};
use crate::domain::Digest;

/// Answers `GET` and `HEAD`.
pub(super) async fn get(
    visible: VisibleContent,
    app: App,
    asked: Asked,
    digest: Digest,
    request: &Parts,
) -> Result<Response<Body>, OciError> {
    let found = find(&visible, &app, asked, Reference::Digest(digest), Content::Blob).await?;
    send(app, found, request).await
}

/// Sends content that the client may have.
pub(super) async fn send(app: App, found: Found, request: &Parts) -> Result<Response<Body>, OciError> {
    let digest = found.digest;
    let headers = &request.headers;
    if matches_etag(headers, &digest) {
        return Ok(not_modified(&digest));
    }
    let wanted = match headers.get(header::RANGE) {
        Some(value) if request.method == Method::GET && range_counts(headers, &digest) => value
            .to_str()
            .map_or(Wanted::Whole, |value| range::parse(value, found.size)),
        _ => Wanted::Whole,
    };
    let (status, start, end) = match wanted {
        Wanted::Whole => (StatusCode::OK, 0, found.size),
        Wanted::Part(start, end) => (StatusCode::PARTIAL_CONTENT, start, end),
        Wanted::Unsatisfiable => {
            let mut response = OciError::RANGE.response();
            response
                .headers_mut()
                .insert(header::CONTENT_RANGE, content_range(&format!("*/{}", found.size)));
            return Ok(response);
        }
    };
    let length = end.saturating_sub(start);
    let body = stored::body(&app, &found, start, end, request).await?;
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert(header::CONTENT_LENGTH, length.into());
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if status == StatusCode::PARTIAL_CONTENT {
        let last = end.saturating_sub(1);
        headers.insert(
            header::CONTENT_RANGE,
            content_range(&format!("{start}-{last}/{}", found.size)),
        );
    }
    identify(headers, &digest);
    Ok(response)
}

/// Whether `Range` counts: `If-Range` asks for it only while the content is the same (RFC 9110 section 13.1.5).
fn range_counts(headers: &HeaderMap, digest: &Digest) -> bool {
    headers
        .get(header::IF_RANGE)
        .is_none_or(|value| value.to_str().is_ok_and(|value| value == format!("\"{digest}\"")))
}

fn content_range(range: &str) -> HeaderValue {
    HeaderValue::from_str(&format!("bytes {range}")).expect("numbers are plain ASCII")
}

//! `/v2/<name>/manifests/<reference>`: the stored bytes under their stored media type.
//!
//! `Accept` is not looked at (threat model R04): an answer is never converted, so the digest is always the one that was asked
//! for. `Range` is not looked at either: half a manifest is of no use to anybody.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

use super::access::VisibleContent;
use super::app::App;
use super::oci_error::{Content, OciError};
use super::stored;
use crate::appliance::registry::{Asked, Found, Reference, Registry};
use crate::domain::Digest;

/// Answers `GET` and `HEAD`.
pub(super) async fn get(
    visible: VisibleContent,
    app: App,
    asked: Asked,
    reference: Reference,
    request: &Parts,
) -> Result<Response<Body>, OciError> {
    let found = find(&visible, &app, asked, reference, Content::Manifest).await?;
    let media_type = found.media_type.as_deref().ok_or(OciError::MANIFEST_UNKNOWN)?;
    let media_type = HeaderValue::from_str(media_type).map_err(|_| OciError::MANIFEST_UNKNOWN)?;
    if matches_etag(&request.headers, &found.digest) {
        return Ok(not_modified(&found.digest));
    }
    let body = match in_memory(&app, &found, request).await? {
        Some(bytes) => Body::from(bytes),
        None => stored::body(&app, &found, 0, found.size, request).await?,
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, media_type);
    headers.insert(header::CONTENT_LENGTH, found.size.into());
    identify(headers, &found.digest);
    Ok(response)
}

/// Returns a manifest that is short enough to be in memory, one buffer for all who send it; nothing for a longer one, where there is no
/// room at present, and where the head alone was asked for and must be looked up: then the file is the source.
async fn in_memory(app: &App, found: &Found, request: &Parts) -> Result<Option<Bytes>, OciError> {
    let kept = app.registry.manifest_cached(found);
    let bytes = match kept {
        Some(bytes) => bytes,
        None if !Registry::is_kept_in_memory(found) || request.method == Method::HEAD => return Ok(None),
        None => app.sending.manifest(&app.registry, found).await?,
    };
    if request.method == Method::HEAD {
        return Ok(Some(Bytes::new()));
    }
    Ok(app.sending.in_flight.account(&request.extensions).share(&bytes).ok())
}

/// Looks content up: in memory, or beside the runtime's threads.
pub(super) async fn find(
    visible: &VisibleContent,
    app: &App,
    asked: Asked,
    reference: Reference,
    content: Content,
) -> Result<Found, OciError> {
    let registry = &app.registry;
    let (own, public) = (&visible.own, visible.public.as_ref());
    // Of several, one that was not asked yet may know a tag that a later one has in memory.
    let kept = own
        .first()
        .and_then(|own| registry.find_cached(own, &asked, &reference));
    if let Some(found) = kept {
        return Ok(found);
    }
    if own.is_empty()
        && let Some(found) = public.and_then(|whole| registry.find_public_cached(whole, &asked, &reference))
    {
        return Ok(found);
    }
    let (registry, visible) = (Arc::clone(registry), visible.clone());
    app.sending
        .disk(move || {
            let mut missing = OciError::UNAUTHORIZED;
            for own in &visible.own {
                let kept = registry.find_cached(own, &asked, &reference).map(Ok);
                match kept.map_or_else(|| registry.find(own, &asked, &reference), Ok)? {
                    Ok(found) => return Ok(Ok(found)),
                    Err(why) => missing = missing.or_nearer(OciError::missing(&why, content)),
                }
            }
            let public = match &visible.public {
                Some(whole) => registry.find_public(whole, &asked, &reference)?,
                None => None,
            };
            Ok(public.ok_or(missing))
        })
        .await?
}

/// Writes the digest: content under it never changes.
pub(super) fn identify(headers: &mut HeaderMap, digest: &Digest) {
    let text = format!("\"{digest}\"");
    let value = |text: &str| HeaderValue::from_str(text).expect("a digest is plain ASCII");
    headers.insert("docker-content-digest", value(text.trim_matches('"')));
    headers.insert(header::ETAG, value(&text));
}

/// Whether `If-None-Match` names this content (RFC 9110 section 13.1.2).
pub(super) fn matches_etag(headers: &HeaderMap, digest: &Digest) -> bool {
    headers.get_all(header::IF_NONE_MATCH).iter().any(|value| {
        value.to_str().is_ok_and(|value| {
            value.split(',').any(|tag| {
                let tag = tag.trim();
                let tag = tag.strip_prefix("W/").unwrap_or(tag);
                tag == "*" || tag.trim_matches('"') == digest.to_string()
            })
        })
    })
}

/// Answers that the client has it already.
pub(super) fn not_modified(digest: &Digest) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    identify(response.headers_mut(), digest);
    response
}

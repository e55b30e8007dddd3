//! Lists: repositories, tags, referrers. At most 1,000 entries a page, whatever is asked (threat model R08).

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use serde_json::{Value, json};

use super::app::{App, blocking, json as json_response};
use super::oci_error::{Content, OciError};
use super::query::{Query, encode};
use crate::appliance::registry::{Asked, Snapshot};
use crate::domain::{Digest, oci};

/// Bytes of annotations on one page of referrers; a single entry may be longer.
const ANNOTATION_BYTES: usize = 1 << 20;

/// Answers `/v2/_catalog`.
pub(super) async fn catalogue(snapshot: Arc<Snapshot>, app: App, query: Query) -> Result<Response<Body>, OciError> {
    let (limit, last) = (query.limit, query.last.clone());
    let mut names = blocking(move || app.registry.catalogue(&snapshot, &last, limit.saturating_add(1))).await?;
    let next = cut(&mut names, limit).map(|last| last.as_str().to_owned());
    let response = json_response(json!({ "repositories": names }).to_string());
    Ok(with_link(response, "/v2/_catalog", &query, next.as_deref()))
}

/// Answers `/v2/<name>/tags/list`.
pub(super) async fn tags(
    snapshot: Arc<Snapshot>,
    app: App,
    asked: Asked,
    query: Query,
) -> Result<Response<Body>, OciError> {
    let (limit, last, name) = (query.limit, query.last.clone(), asked.name.clone());
    let page = blocking(move || app.registry.tags(&snapshot, &asked, &last, limit))
        .await?
        .map_err(|missing| OciError::missing(&missing, Content::Manifest))?;
    let next = page.next.filter(|_| limit > 0).map(|last| last.as_str().to_owned());
    let response = json_response(json!({ "name": name, "tags": page.tags }).to_string());
    Ok(with_link(
        response,
        &format!("/v2/{name}/tags/list"),
        &query,
        next.as_deref(),
    ))
}

/// Answers `/v2/<name>/referrers/<digest>`: an index, empty when nothing refers to the digest.
pub(super) async fn referrers(
    snapshot: Arc<Snapshot>,
    app: App,
    asked: Asked,
    subject: Digest,
    query: Query,
) -> Result<Response<Body>, OciError> {
    let limit = query.limit;
    let last = if query.last.is_empty() {
        None
    } else {
        Some(query.last.parse::<Digest>().map_err(|_| super::query::BadQuery::Form)?)
    };
    let (name, artifact_type) = (asked.name.clone(), query.artifact_type.clone());
    let mut found = blocking(move || {
        let (filter, limit) = (artifact_type.as_deref(), limit.saturating_add(1));
        app.registry
            .referrers(&snapshot, &asked, &subject, filter, last.as_ref(), limit)
    })
    .await?
    .map_err(|missing| OciError::missing(&missing, Content::Manifest))?;
    let mut bytes = 0_usize;
    let fit = found
        .iter()
        .position(|referrer| {
            bytes = bytes.saturating_add(referrer.annotations.len());
            bytes > ANNOTATION_BYTES
        })
        .unwrap_or(found.len());
    let next = cut(&mut found, limit.min(fit.max(1))).map(|last| last.digest.to_string());
    let manifests: Vec<Value> = found
        .iter()
        .map(|referrer| {
            let mut descriptor = json!({
                "mediaType": referrer.media_type, "digest": referrer.digest, "size": referrer.size,
            });
            if let Some(members) = descriptor.as_object_mut() {
                if let Some(artifact_type) = &referrer.artifact_type {
                    members.insert("artifactType".into(), artifact_type.as_str().into());
                }
                let annotations: Option<Value> = referrer.annotations.parse().ok();
                if let Some(annotations) = annotations.filter(|value| value.as_object().is_some_and(|o| !o.is_empty()))
                {
                    members.insert("annotations".into(), annotations);
                }
            }
            descriptor
        })
        .collect();
    let index = json!({ "schemaVersion": 2, "mediaType": oci::OCI_INDEX, "manifests": manifests });
    let mut response = json_response(index.to_string());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(oci::OCI_INDEX));
    if query.artifact_type.is_some() {
        headers.insert("oci-filters-applied", HeaderValue::from_static("artifactType"));
    }
    let path = format!("/v2/{name}/referrers/{subject}");
    Ok(with_link(response, &path, &query, next.as_deref()))
}

/// Cuts a list to its page and returns the last entry when there are more. A page of nothing leads nowhere.
fn cut<T: Clone>(list: &mut Vec<T>, limit: usize) -> Option<T> {
    let more = list.len() > limit;
    list.truncate(limit);
    list.last().filter(|_| more).cloned()
}

/// Adds the address of the next page (RFC 8288), relative, so that no `Host` is repeated.
fn with_link(mut response: Response<Body>, path: &str, query: &Query, next: Option<&str>) -> Response<Body> {
    let Some(last) = next else { return response };
    let mut link = format!("<{path}?last={}", encode(last));
    if query.asked_limit {
        link.push_str(&format!("&n={}", query.limit));
    }
    if let Some(namespace) = &query.namespace {
        link.push_str(&format!("&ns={}", encode(namespace)));
    }
    if let Some(artifact_type) = &query.artifact_type {
        link.push_str(&format!("&artifactType={}", encode(artifact_type)));
    }
    link.push_str(">; rel=\"next\"");
    if let Ok(link) = HeaderValue::from_str(&link) {
        response.headers_mut().insert(header::LINK, link);
    }
    response
}

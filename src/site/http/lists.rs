//! Lists: repositories, tags, referrers. At most 1,000 entries a page, whatever is asked (threat model R08).
//!
//! A list has no source that could be read piece by piece while its client takes it, so room for a page is taken before it is made, and
//! who has none is asked to come again (R14).

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use serde::Serialize;
use serde_json::value::RawValue;

use super::app::{App, json as json_response};
use super::in_flight::{Account, Permit};
use super::oci_error::{Content, OciError};
use super::query::{Query, encode};
use super::union;
use crate::appliance::registry::{Asked, Referrer, ReferrersPage, Snapshot};
use crate::domain::{Digest, RepositoryName, Tag, oci};

/// Bytes of annotations on one page of referrers; a single entry may be longer.
const ANNOTATION_BYTES: usize = 1 << 20;

/// Room for a page and for making it. Only where one entry is longer than all others may be is a page longer.
const PAGE_BYTES: usize = 2 << 20;

#[derive(Serialize)]
struct Repositories {
    repositories: Vec<RepositoryName>,
}

#[derive(Serialize)]
struct Tags {
    name: String,
    tags: Vec<Tag>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index<'a> {
    schema_version: u8,
    media_type: &'static str,
    manifests: Vec<Descriptor<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<&'a str>,
    digest: Digest,
    media_type: &'a str,
    size: u64,
}

/// A page, and the last entry of it where there are more.
type Page = (Vec<u8>, Option<String>);

/// Answers `/v2/_catalog`.
pub(super) async fn catalogue(
    snapshots: Vec<Arc<Snapshot>>,
    app: App,
    account: &Account,
    query: Query,
) -> Result<Response<Body>, OciError> {
    let (limit, last) = (query.limit, query.last.clone());
    let registry = app.registry.clone();
    let making = app.sending.list(account, PAGE_BYTES, move || {
        let mut repositories = union::catalogue(&registry, &snapshots, &last, limit.saturating_add(1))?;
        let next = cut(&mut repositories, limit).map(|last| last.as_str().to_owned());
        Ok((written(&Repositories { repositories }), next))
    });
    let (room, page) = making.await??;
    Ok(answer(room, page, "/v2/_catalog", &query))
}

/// Answers `/v2/<name>/tags/list`.
pub(super) async fn tags(
    snapshots: Vec<Arc<Snapshot>>,
    app: App,
    account: &Account,
    asked: Asked,
    query: Query,
) -> Result<Response<Body>, OciError> {
    let (limit, last) = (query.limit, query.last.clone());
    let path = format!("/v2/{}/tags/list", asked.name);
    let registry = app.registry.clone();
    let making = app.sending.list(account, PAGE_BYTES, move || {
        let listed = union::tags(&registry, &snapshots, &asked, &last, limit)?;
        Ok(listed.map(|page| {
            let next = page.next.filter(|_| limit > 0).map(|last| last.as_str().to_owned());
            let (name, tags) = (asked.name, page.tags);
            (written(&Tags { name, tags }), next)
        }))
    });
    let (room, listed) = making.await??;
    let page = listed.map_err(|missing| OciError::missing(&missing, Content::Manifest))?;
    Ok(answer(room, page, &path, &query))
}

/// Answers `/v2/<name>/referrers/<digest>`: an index, empty when nothing refers to the digest.
pub(super) async fn referrers(
    snapshots: Vec<Arc<Snapshot>>,
    app: App,
    account: &Account,
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
    let path = format!("/v2/{}/referrers/{subject}", asked.name);
    let artifact_type = query.artifact_type.clone();
    let registry = app.registry.clone();
    let making = app.sending.list(account, PAGE_BYTES, move || {
        let page = ReferrersPage {
            artifact_type: artifact_type.as_deref(),
            last: last.as_ref(),
            entries: limit,
            annotation_bytes: ANNOTATION_BYTES,
        };
        let listed = union::referrers(&registry, &snapshots, &asked, &subject, &page)?;
        Ok(listed.map(|(found, more)| {
            let next = found.last().filter(|_| more).map(|last| last.digest.to_string());
            let index = Index {
                schema_version: 2,
                media_type: oci::OCI_INDEX,
                manifests: found.iter().map(Descriptor::from).collect(),
            };
            (written(&index), next)
        }))
    });
    let (room, listed) = making.await??;
    let page = listed.map_err(|missing| OciError::missing(&missing, Content::Manifest))?;
    let mut response = answer(room, page, &path, &query);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(oci::OCI_INDEX));
    if query.artifact_type.is_some() {
        headers.insert("oci-filters-applied", HeaderValue::from_static("artifactType"));
    }
    Ok(response)
}

impl<'a> From<&'a Referrer> for Descriptor<'a> {
    fn from(referrer: &'a Referrer) -> Self {
        // The text that was imported, without making values of it: a thousand small ones take many times its room.
        let annotations: Option<&RawValue> = serde_json::from_str(&referrer.annotations).ok();
        Self {
            annotations: annotations.filter(|annotations| is_filled(annotations.get())),
            artifact_type: referrer.artifact_type.as_deref(),
            digest: referrer.digest,
            media_type: &referrer.media_type,
            size: referrer.size,
        }
    }
}

/// Whether JSON text is an object with members.
fn is_filled(text: &str) -> bool {
    text.strip_prefix('{')
        .is_some_and(|members| !members.trim_start().starts_with('}'))
}

fn written(page: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(page).expect("these values have a JSON form")
}

fn answer(room: Permit, (page, next): Page, path: &str, query: &Query) -> Response<Body> {
    with_link(json_response(room.hold(page)), path, query, next.as_deref())
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

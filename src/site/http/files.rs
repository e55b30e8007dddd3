//! `/files/<trust domain>/<product>/<channel>/<name>`: a plain file as a file, for whoever has no client for OCI artifacts.
//!
//! Which one a name means, and who may have it, is what the registry answers for the repository that the file is: by tag and by digest, under
//! the same policy and credentials. What a vendor says that a file is, is nothing that a browser is to act on under this appliance's name: it
//! is saved, never shown, and nothing is guessed of it.

use std::fmt::Write as _;

use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, Response, header};

use super::access::Access;
use super::app::{App, headers_only};
use super::blobs;
use super::manifests::find;
use super::oci_error::{Content, OciError};
use super::uri::{URI_BYTES, uri_bytes};
use crate::appliance::registry::{FileLayer, Reference, Registry};
use crate::domain::is_media_type;

/// How paths of files begin.
const PREFIX: &str = "/files/";
/// What a file is where nothing usable is said.
const UNKNOWN_TYPE: &str = "application/octet-stream";

/// Answers `GET` and `HEAD`.
pub(super) async fn answer(State(app): State<App>, request: Request) -> Response<Body> {
    let head_only = request.method() == Method::HEAD;
    let response = serve(app, request).await.unwrap_or_else(|error| error.response());
    if head_only { headers_only(response) } else { response }
}

async fn serve(app: App, request: Request) -> Result<Response<Body>, OciError> {
    let access = app.access(&request)?;
    if uri_bytes(request.uri()) > URI_BYTES {
        return Err(OciError::URI_TOO_LONG);
    }
    // Who has shown nothing learns nothing of what could be done here.
    let or_unauthorized = |error| match access {
        Access::Public => OciError::UNAUTHORIZED,
        _ => error,
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(or_unauthorized(OciError::UNSUPPORTED));
    }
    if !request.body().is_end_stream() {
        return Err(or_unauthorized(OciError::BODY));
    }
    let (parts, _) = request.into_parts();
    let path = parts.uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let (asked, reference) = Registry::plain_file(path).ok_or_else(|| or_unauthorized(OciError::NO_FILE))?;
    let visible = app.visible_content(&access, &asked)?;
    let manifest = find(&visible, &app, asked.clone(), reference, Content::File).await?;
    // No plain file's manifest is longer.
    let media_type = manifest.media_type.clone().ok_or(OciError::NO_FILE)?;
    if !Registry::is_kept_in_memory(&manifest) {
        return Err(OciError::NO_FILE);
    }
    let bytes = match app.registry.manifest_cached(&manifest) {
        Some(bytes) => bytes,
        None => app.sending.manifest(&app.registry, &manifest).await?,
    };
    let file = FileLayer::of_plain(&bytes, &media_type).map_err(|_| OciError::NO_FILE)?;
    let found = find(&visible, &app, asked, Reference::Digest(file.digest), Content::File).await?;
    let mut response = blobs::send(app, found, &parts).await?;
    describe(&mut response, &file);
    Ok(response)
}

/// Says what the file is and how it is called, where it is answered.
fn describe(response: &mut Response<Body>, file: &FileLayer) {
    if !response.status().is_success() {
        return;
    }
    let media_type = Some(file.media_type.as_str()).filter(|text| is_media_type(text));
    let headers = response.headers_mut();
    let mut insert = |name, text: &str| {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(name, value);
        }
    };
    insert(header::CONTENT_TYPE, media_type.unwrap_or(UNKNOWN_TYPE));
    insert(
        header::CONTENT_DISPOSITION,
        &disposition(file.title.as_deref().unwrap_or_default()),
    );
    insert(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    insert(header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox");
}

/// Says that a file is to be saved, and under which name (RFC 6266): for clients of any age.
fn disposition(title: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || "._-+ ()".contains(c) {
            c
        } else {
            '_'
        }
    };
    let mut text = format!(
        "attachment; filename=\"{}\"",
        title.chars().map(plain).collect::<String>()
    );
    text += "; filename*=UTF-8''";
    for byte in title.bytes() {
        if byte.is_ascii_alphanumeric() || b"._-+".contains(&byte) {
            text.push(char::from(byte));
        } else {
            write!(text, "%{byte:02X}").expect("a text takes everything");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_says_nothing_but_a_name() {
        assert_eq!(
            disposition("Größe \"1\"; x=y (EN).pdf"),
            "attachment; filename=\"Gr__e _1__ x_y (EN).pdf\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%221%22%3B%20x%3Dy%20%28EN%29.pdf"
        );
        assert_eq!(
            disposition("a.txt"),
            "attachment; filename=\"a.txt\"; filename*=UTF-8''a.txt"
        );
    }
}

//! What went wrong on the way to a registry, in words.

use reqwest::{Response, Url};
use serde::Deserialize;

use super::registry_auth::{REGISTRY_CREDENTIALS, TOKEN_REALM};
use super::resolver::UNKNOWN_HOST;
use crate::domain::{Code, Error};

/// Sub-code of a registry that as a whole cannot be read.
pub(super) const REGISTRY: Code = Code::new("registry");
/// What to do about a registry that does not answer.
pub(super) const UNREACHED: &str = "check the name, the network and --ca-file, and try again";

/// What the TLS library says of an answer that is none of its own. Its text is all there is.
const NO_TLS: &str = "corrupt message";
/// Bytes of an answer that are read for what it says.
const SAID_BYTES: usize = 1 << 16;
/// Characters of it that are shown.
const SHOWN: usize = 300;

/// Whether trying again changes nothing: neither an address, nor where a redirect leads, nor a certificate, nor that there is no TLS.
pub(super) fn is_final(error: &reqwest::Error) -> bool {
    let is_final = error.is_redirect() || error.is_builder() || is_about_certificate(error);
    is_final || chain(error).contains(NO_TLS) || unknown_host(error).is_some()
}

/// Whether TLS failed because of whom the other side claims to be. The causes are private types; their text is all there is.
pub(super) fn is_about_certificate(error: &reqwest::Error) -> bool {
    let text = chain(error);
    text.contains("certificate") || text.contains("received fatal alert")
}

/// Writes an error with its causes: what `reqwest` itself says is seldom the reason. Addresses may hold signatures and are cut.
pub(crate) fn chain(error: &reqwest::Error) -> String {
    if let Some(unknown) = unknown_host(error) {
        return unknown;
    }
    let mut text = match error.url().and_then(Url::host_str) {
        Some(host) => format!("the request to {host} failed"),
        None => "the request failed".to_owned(),
    };
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

/// What the resolver says of a name that has no address, where that is why. A proxy's error keeps it as text alone.
fn unknown_host(error: &reqwest::Error) -> Option<String> {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let text = error.to_string();
        if let Some(at) = text.find(UNKNOWN_HOST) {
            return text.get(at..).map(str::to_owned);
        }
        cause = error.source();
    }
    None
}

/// What a registry itself says of its refusal, behind a colon; nothing where it says nothing.
pub(super) async fn said(mut answer: Response) -> String {
    #[derive(Deserialize)]
    struct Failures {
        errors: Vec<Failure>,
    }
    #[derive(Deserialize)]
    struct Failure {
        code: Option<String>,
        message: Option<String>,
    }
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > SAID_BYTES {
            return String::new();
        }
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "a registry's answer, bounded, shown to a person"
    )]
    let failures: Option<Failures> = serde_json::from_slice(&bytes).ok();
    let text = match failures {
        Some(failures) => {
            let one = |failure: Failure| failure.message.filter(|text| !text.is_empty()).or(failure.code);
            let texts: Vec<String> = failures.errors.into_iter().filter_map(one).collect();
            texts.join("; ")
        }
        // A page for browsers says nothing that helps here.
        None => String::from_utf8(bytes)
            .ok()
            .filter(|text| !text.trim_start().starts_with('<'))
            .unwrap_or_default(),
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    let text: String = words.join(" ").chars().take(SHOWN).collect();
    if text.is_empty() { text } else { format!(": {text}") }
}

/// Whether an error says that a registry as a whole cannot be read.
pub(crate) fn is_of_registry(error: &Error) -> bool {
    error.is(REGISTRY) || error.is(REGISTRY_CREDENTIALS) || error.is(TOKEN_REALM)
}

//! Answers in the form that agents know: one line of text, and the headers of the hub's rate limits.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};

use super::bad_body::BadBody;
use super::limiter::Allowance;
use crate::domain::shown;
use crate::http::in_flight::Account;
use crate::protocol::distr::{RATE_LIMIT, RATE_LIMIT_REMAINING, RATE_LIMIT_RESET};

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const YAML: HeaderValue = HeaderValue::from_static("application/yaml");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An answer.
pub(super) type Reply = Response<Body>;

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(Body::empty());
    *reply.status_mut() = status;
    if status != StatusCode::NO_CONTENT {
        reply
            .headers_mut()
            .insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    reply
}

/// An error: one line of text.
pub(super) fn error(status: StatusCode, line: &str) -> Reply {
    let mut reply = with_type(Body::from(shown(line) + "\n"), TEXT);
    *reply.status_mut() = status;
    let nosniff = HeaderValue::from_static("nosniff");
    reply.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    reply
}

/// 400 for a body that will never be right.
pub(super) fn bad_body(bad: &BadBody) -> Reply {
    if *bad == BadBody::Broken {
        // Nobody is there to read it, or nobody in time.
        return closing(error(StatusCode::REQUEST_TIMEOUT, &bad.text()));
    }
    let reply = error(StatusCode::BAD_REQUEST, &bad.text());
    if *bad == BadBody::TooLarge {
        closing(reply)
    } else {
        reply
    }
}

/// 429.
pub(super) fn too_many() -> Reply {
    let mut reply = error(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests");
    reply
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
    reply
}

/// 405 with the one method that there is.
pub(super) fn wrong_method(allowed: &'static str) -> Reply {
    let mut reply = empty(StatusCode::METHOD_NOT_ALLOWED);
    reply
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(allowed));
    reply
}

/// A document in YAML.
pub(super) fn yaml(text: String, account: &Account) -> Reply {
    held(text, YAML, account)
}

/// Text for a shell or a person.
pub(super) fn text(text: String, account: &Account) -> Reply {
    held(text, TEXT, account)
}

/// A text, as far as its peer has room for it: it may hold certificates of the site's own, of any length.
fn held(text: String, media_type: HeaderValue, account: &Account) -> Reply {
    match account.hold(text.into_bytes()) {
        Ok(bytes) => with_type(bytes.into(), media_type),
        Err(_) => too_many(),
    }
}

/// A document in JSON.
pub(super) fn json(body: impl Into<Body>) -> Reply {
    with_type(body.into(), JSON)
}

fn with_type(body: Body, media_type: HeaderValue) -> Reply {
    let mut reply = Response::new(body);
    reply.headers_mut().insert(header::CONTENT_TYPE, media_type);
    reply
}

fn closing(mut reply: Reply) -> Reply {
    reply
        .headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("close"));
    reply
}

/// Adds what the limiter said; `now` is seconds since 1970.
pub(super) fn with_allowance(mut reply: Reply, allowance: Allowance, now: i64) -> Reply {
    let reset = now.saturating_add(i64::from(allowance.seconds));
    let headers = reply.headers_mut();
    let mut put = |name: &'static str, value: HeaderValue| headers.insert(HeaderName::from_static(name), value);
    put(RATE_LIMIT, allowance.limit.into());
    put(RATE_LIMIT_REMAINING, allowance.remaining.into());
    put(RATE_LIMIT_RESET, reset.into());
    reply
}

/// What a failure of the appliance itself is answered with: its class and code.
pub(super) fn failure(found: &crate::domain::Error) -> Reply {
    use crate::domain::Class;
    let line: Cow<'static, str> = format!("{} {}", found.class(), found.code()).into();
    match found.class() {
        Class::Busy => too_many(),
        Class::State | Class::Space | Class::Io => error(StatusCode::SERVICE_UNAVAILABLE, &line),
        _ => error(StatusCode::INTERNAL_SERVER_ERROR, &line),
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn an_error_is_one_line_whatever_it_quotes() {
        let reply = error(StatusCode::BAD_REQUEST, "no \u{1b}[2K\nHTTP/1.1 200\u{202e}");
        let body = reply.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "no \\u001b[2K\\u000aHTTP/1.1 200\\u202e\n".as_bytes());
    }
}

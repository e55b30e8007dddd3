//! What a request shows of who asks: Basic, and for dockerd what it got from the token service.

use axum::http::{HeaderMap, header};
use base64::Engine as _;

/// What nobody in particular shows in place of a token.
pub(super) const ANONYMOUS: &str = "public";

/// Credentials of a request, as far as they are of a kind that counts here.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Credentials {
    Absent,
    Password(String),
    Malformed,
}

/// Reads `Authorization`. Any user name will do; the password is the token. Another scheme than Basic, or no password, is as good as
/// nothing; dockerd alone may show as a bearer what it got from the token service.
pub(super) fn credentials(headers: &HeaderMap) -> Credentials {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Credentials::Absent;
    };
    if values.next().is_some() {
        return Credentials::Malformed;
    }
    match bearer(headers, value.as_bytes()) {
        Some(word) if word == ANONYMOUS => return Credentials::Absent,
        Some(token) => return Credentials::Password(token),
        None => {}
    }
    let Some(password) = basic(value.as_bytes()) else {
        return Credentials::Absent;
    };
    match password {
        Ok((_, password)) if password.is_empty() => Credentials::Absent,
        Ok((_, password)) => Credentials::Password(password),
        Err(()) => Credentials::Malformed,
    }
}

/// Reads user and password of HTTP Basic; nothing when the scheme is another one.
pub(super) fn basic(value: &[u8]) -> Option<Result<(String, String), ()>> {
    let (scheme, rest) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let read = || {
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(rest.trim_ascii())
            .ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let (user, password) = text.split_once(':')?;
        Some((user.to_owned(), password.to_owned()))
    };
    Some(read().ok_or(()))
}

/// The password of HTTP Basic; nothing when there is none.
pub(super) fn password(headers: &HeaderMap) -> Option<String> {
    let (_, password) = basic(headers.get(header::AUTHORIZATION)?.as_bytes())?.ok()?;
    Some(password)
}

/// Whether dockerd asks.
pub(super) fn is_dockerd(headers: &HeaderMap) -> bool {
    headers
        .get(header::USER_AGENT)
        .is_some_and(|agent| agent.as_bytes().starts_with(b"docker/"))
}

/// The token that dockerd shows as a bearer; nothing when there is none.
fn bearer(headers: &HeaderMap, value: &[u8]) -> Option<String> {
    let (scheme, token) = value.split_at_checked(7)?;
    (is_dockerd(headers) && scheme.eq_ignore_ascii_case(b"bearer "))
        .then(|| String::from_utf8_lossy(token.trim_ascii()).into_owned())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_basic_with_a_password_shows_something() {
        let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
        let password = |text: &str| Credentials::Password(text.into());
        for (values, expected) in [
            (vec![], Credentials::Absent),
            (vec![format!("Basic {}", encode("-:a:b"))], password("a:b")),
            (vec![format!("bAsIc  {}", encode("user:t"))], password("t")),
            (vec![format!("Basic {}", encode("-:"))], Credentials::Absent),
            (vec![format!("Basic {}", encode("-"))], Credentials::Malformed),
            (vec!["Basic %%%".into()], Credentials::Malformed),
            (vec!["Basic ".into()], Credentials::Malformed),
            (vec!["Basic".into()], Credentials::Absent),
            (vec!["Bearer abc".into()], Credentials::Absent),
            (
                vec![format!("Basic {}", encode("-:a")), "Bearer x".into()],
                Credentials::Malformed,
            ),
        ] {
            let mut headers = HeaderMap::new();
            for value in &values {
                headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            }
            assert_eq!(credentials(&headers), expected, "{values:?}");
        }
    }
}

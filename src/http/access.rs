//! What a request may read from the registry (D18, D19; threat model R07 to R10, R13).
//!
//! - Who shows an agent's token sees what that agent's product holds, in every mode and from anywhere.
//! - Who shows nothing sees everything where the policy names its address, and nothing elsewhere.
//! - Agent and autoheal images are for everybody, by digest: engines pull them before there is a token. Neither tags nor lists of their
//!   repositories are.
//!
//! Every client asks once without credentials before it asks with them: that 401 is no event. Its body is always the same, and tells
//! nothing of what is here.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, header};
use base64::Engine as _;

use super::oci_error::OciError;
use super::router::{App, Peer};
use super::token;
use crate::appliance::fleet::Identity;
use crate::appliance::registry::{Asked, Snapshot};

/// Who asks.
#[derive(Debug, Clone)]
pub(super) enum Access {
    /// Somebody at an address that may read everything.
    Everything,
    /// An agent, or an engine with its credentials.
    Agent(Arc<Identity>),
    /// Somebody who may read what is public.
    Public,
}

/// The content that a request is answered from.
#[derive(Debug, Clone)]
pub(super) struct VisibleContent {
    /// Asked first; nothing for who may read only what is public.
    pub(super) own: Option<Arc<Snapshot>>,
    /// Where public content is looked for when that has nothing.
    pub(super) public: Option<Arc<Snapshot>>,
}

/// Credentials of a request, as far as they are of a kind that counts here.
#[derive(Debug, PartialEq, Eq)]
enum Credentials {
    Absent,
    Password(String),
    Malformed,
}

impl App {
    /// Finds out who asks.
    ///
    /// # Errors
    ///
    /// [`OciError::UNAUTHORIZED`] for credentials that are not good; [`OciError::DENIED`] where credentials would not help.
    pub(super) fn access(&self, request: &Request) -> Result<Access, OciError> {
        let allowed = request
            .extensions()
            .get::<Peer>()
            .is_some_and(|Peer(address)| self.read.allows(address.ip()));
        let Some(hub) = &self.hub else {
            return if allowed {
                Ok(Access::Everything)
            } else {
                Err(OciError::DENIED)
            };
        };
        match credentials(request.headers()) {
            Credentials::Password(token) => hub.identify(&token).map(Access::Agent).ok_or(OciError::UNAUTHORIZED),
            Credentials::Malformed => Err(OciError::UNAUTHORIZED),
            Credentials::Absent if allowed => Ok(Access::Everything),
            Credentials::Absent => Ok(Access::Public),
        }
    }

    /// Returns what content a repository is looked for in.
    ///
    /// # Errors
    ///
    /// [`OciError::UNAUTHORIZED`] when credentials must come first.
    pub(super) fn visible_content(&self, access: &Access, asked: &Asked) -> Result<VisibleContent, OciError> {
        let whole = self.registry.snapshot();
        let own = match access {
            Access::Everything => {
                return Ok(VisibleContent {
                    own: Some(whole),
                    public: None,
                });
            }
            Access::Agent(identity) => Some(whole.view(&identity.scope)),
            Access::Public => None,
        };
        let public = self.registry.may_be_public(&whole, asked).then_some(whole);
        if own.is_none() && public.is_none() {
            return Err(OciError::UNAUTHORIZED);
        }
        Ok(VisibleContent { own, public })
    }

    /// Returns what lists are made from: of repositories, tags, referrers.
    ///
    /// # Errors
    ///
    /// [`OciError::UNAUTHORIZED`] when credentials must come first.
    pub(super) fn overview(&self, access: &Access) -> Result<Arc<Snapshot>, OciError> {
        match access {
            Access::Everything => Ok(self.registry.snapshot()),
            Access::Agent(identity) => Ok(self.registry.snapshot().view(&identity.scope)),
            Access::Public => Err(OciError::UNAUTHORIZED),
        }
    }
}

/// Reads `Authorization`. Any user name will do; the password is the token. Another scheme than Basic, or no password, is as good as
/// nothing; dockerd alone may show as a bearer what it got from the token service.
fn credentials(headers: &HeaderMap) -> Credentials {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Credentials::Absent;
    };
    if values.next().is_some() {
        return Credentials::Malformed;
    }
    match token::bearer(headers, value.as_bytes()) {
        Some(word) if word == token::ANONYMOUS => return Credentials::Absent,
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

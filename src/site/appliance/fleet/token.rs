//! Tokens of agents: compact JWTs, signed by this appliance with HMAC-SHA-256 and for one target (R09, R10).
//!
//! Algorithm and key are fixed in code. Every claim is required and typed, and a token of another appliance, of another kind, or
//! of an earlier credential generation is none. Tokens live for years: agents that must log in while nobody answers may hang (D11).
//!
//! # Clocks
//!
//! What ends a token is its key and the credential generation of its target. Its times go by this machine's clock, which may be wrong,
//! and by no vendor's date (threat model 2.6):
//!
//! - `nbf` is 0: nothing here issues a token for later, and one must count after the clock went back, or was set right.
//! - `exp` is five years after the clock, or after this version of airlock was built where the clock stands before that: an agent, which
//!   compares it with its own clock, can then use what a dead clock issued. A clock that has passed `exp` has the agent log in again.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::appliance::keys::Keys;
use crate::appliance::present::built;
use crate::domain::{SiteId, Timestamp, Uuid};

/// How long a token lives: five years.
const LIFE_SECONDS: i64 = 5 * 365 * 86_400;
/// The header of every token: `{"alg":"HS256","typ":"JWT"}`.
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";
/// No token of ours is longer.
const BYTES: usize = 2048;
const AUDIENCE: &str = "agent";

/// A token, for the agent that logged in.
pub struct Token(Zeroizing<String>);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: String,
}

/// Unknown claims are refused: every token here was written here.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    aud: Vec<String>,
    exp: i64,
    r#gen: u64,
    iat: i64,
    iss: String,
    nbf: i64,
    org: Uuid,
    sub: Uuid,
}

/// What a good token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bearer {
    pub(super) target: Uuid,
    pub(super) generation: u64,
}

/// Returns the organisation that tokens name: agents and the hub want one.
fn organisation(site: &SiteId) -> Uuid {
    Uuid::derived("organisation", &[site.as_str()])
}

impl Token {
    /// Issues a token by the clock.
    pub(super) fn issue(keys: &Keys, site: &SiteId, bearer: Bearer, clock: Timestamp) -> Self {
        let now = clock.max(built());
        let claims = Claims {
            aud: vec![AUDIENCE.to_owned()],
            exp: now.plus_seconds(LIFE_SECONDS).unix(),
            r#gen: bearer.generation,
            iat: now.unix(),
            iss: site.to_string(),
            nbf: 0,
            org: organisation(site),
            sub: bearer.target,
        };
        let claims = serde_json::to_string(&claims).expect("claims have a JSON form");
        let mut text = Zeroizing::new(String::with_capacity(BYTES));
        text.push_str(HEADER);
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut text);
        let mac = keys.token_mac(text.as_bytes());
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(mac, &mut text);
        Self(text)
    }

    /// Returns the compact form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Checks a token; the caller checks target and generation.
pub(super) fn verify(keys: &Keys, site: &SiteId, token: &str, now: Timestamp) -> Option<Bearer> {
    if token.len() > BYTES {
        return None;
    }
    let (signed, mac) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
    if !bool::from(keys.token_mac(signed.as_bytes()).ct_eq(&mac)) {
        return None;
    }
    // What follows was signed here; it is checked all the same, so that no later use of the key can be mistaken for a token.
    let header: Header = parse(header)?;
    let claims: Claims = parse(claims)?;
    let good = header.alg == "HS256"
        && header.typ == "JWT"
        && claims.aud == [AUDIENCE]
        && claims.iss == site.as_str()
        && claims.org == organisation(site)
        && claims.nbf <= now.unix()
        && now.unix() < claims.exp;
    good.then_some(Bearer {
        target: claims.sub,
        generation: claims.r#gen,
    })
}

fn parse<T: Serialize + serde::de::DeserializeOwned>(part: &str) -> Option<T> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_str(std::str::from_utf8(&bytes).ok()?).ok()
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;

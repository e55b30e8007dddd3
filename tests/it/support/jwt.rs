//! Forges tokens: any header and any claims, under the appliance's own key or under another.

use std::path::Path;

use airlock::crypto::KeyFile;
use airlock::domain::{Clock, Uuid};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

/// Signs whatever it is told to.
pub(crate) struct Forge {
    key: Vec<u8>,
    site: String,
}

impl Forge {
    /// Takes the key of an appliance's tokens from its state folder.
    pub(crate) fn of(state: &Path, site: &str) -> Self {
        let secret = KeyFile::read(&state.join("identity/token.key"))
            .unwrap()
            .secret()
            .unwrap();
        Self {
            key: mac(secret.as_ref(), b"airlock-token-v1"),
            site: site.to_owned(),
        }
    }

    /// Another key, for the same appliance.
    pub(crate) fn with_key(&self, key: &[u8]) -> Self {
        Self {
            key: key.to_vec(),
            site: self.site.clone(),
        }
    }

    /// The claims of a good token.
    pub(crate) fn claims(&self, target: &Uuid, generation: u64, clock: &dyn Clock) -> Value {
        let now = clock.now().unix();
        json!({"aud": ["agent"], "exp": now + 86_400, "gen": generation, "iat": now, "iss": self.site, "nbf": now - 60,
            "org": Uuid::derived("organisation", &[&self.site]).to_string(), "sub": target.to_string()})
    }

    /// A token with the right header.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.sign(r#"{"alg":"HS256","typ":"JWT"}"#, &claims.to_string())
    }

    /// A token of any texts.
    pub(crate) fn sign(&self, header: &str, claims: &str) -> String {
        let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let mac = mac(&self.key, text.as_bytes());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac))
    }
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = <Hmac<Sha256>>::new_from_slice(key).unwrap();
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

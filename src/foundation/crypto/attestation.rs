//! Statements of other people's formats that are signed here: in-toto, for a proof that others check with their own tools.
//!
//! The payload type is not one of airlock's purposes, so no reader here takes what is signed under it, and no key of a role signs it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::canonical;
use super::envelope::pre_authentication_of;
use super::key::SigningKey;

/// Payload type of in-toto statements.
pub const IN_TOTO: &str = "application/vnd.in-toto+json";

/// Signs a statement and returns the bytes of its DSSE envelope.
pub fn sign_statement(statement: &[u8], key: &SigningKey) -> Vec<u8> {
    let signature = key.sign(&pre_authentication_of(IN_TOTO, statement));
    canonical::to_vec(&json!({
        "payload": STANDARD.encode(statement), "payloadType": IN_TOTO,
        "signatures": [{"keyid": key.public().id(), "sig": STANDARD.encode(signature)}],
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::PayloadType;

    #[expect(clippy::disallowed_methods, reason = "a document of in-toto")]
    #[test]
    fn what_is_signed_is_the_encoding_of_dsse_and_no_purpose_of_ours() {
        let key = SigningKey::from_secret(&[7; 32]);
        let envelope: serde_json::Value = serde_json::from_slice(&sign_statement(b"{}", &key)).unwrap();
        let signature = STANDARD
            .decode(envelope["signatures"][0]["sig"].as_str().unwrap())
            .unwrap();
        let message = b"DSSEv1 28 application/vnd.in-toto+json 2 {}";
        assert!(key.public().verifies(message, signature.as_slice().try_into().unwrap()));
        assert!(PayloadType::ALL.iter().all(|ours| ours.as_str() != IN_TOTO));
        assert!(serde_json::from_value::<crate::crypto::Envelope>(envelope).is_err());
    }
}

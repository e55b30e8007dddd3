//! Tokens that nobody issued (R09), tokens that say something else (R10), and tokens of targets that are gone (A02).

use airlock::appliance::fleet::Removal;
use airlock::domain::{Clock as _, Uuid};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::snapshot::{Snapshot, assert_open, assert_shut, both_modes};
use crate::support::agents::Serving;
use crate::support::desired::{Desired, target_id};
use crate::support::in_process::InProcessAppliance;
use crate::support::jwt::Forge;

fn claims_of(token: &str) -> Value {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_str(std::str::from_utf8(&bytes).unwrap()).unwrap()
}

fn forge(serving: &Serving) -> Forge {
    Forge::of(&serving.instance.state(), serving.hub.site().as_str())
}

fn servings() -> impl Iterator<Item = Serving> {
    both_modes().into_iter().map(|settings| {
        let instance = InProcessAppliance::new();
        instance.release(1, 2, "a");
        Serving::start(instance, settings)
    })
}

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

#[test]
fn r09_no_other_algorithm_key_or_header_opens_any_door() {
    for serving in servings() {
        let token = serving.token("edge-0");
        let (claims, forge) = (claims_of(&token).to_string(), forge(&serving));
        assert_open(
            &serving,
            &forge.sign(HEADER, &claims),
            "the same claims under the same key",
        );
        let before = Snapshot::of(&serving);
        for header in [
            r#"{"alg":"none","typ":"JWT"}"#,
            r#"{"alg":"None","typ":"JWT"}"#,
            r#"{"alg":"HS384","typ":"JWT"}"#,
            r#"{"alg":"HS512","typ":"JWT"}"#,
            r#"{"alg":"RS256","typ":"JWT"}"#,
            r#"{"alg":"ES256","typ":"JWT"}"#,
            r#"{"alg":"EdDSA","typ":"JWT"}"#,
            r#"{"typ":"JWT"}"#,
            r#"{"alg":"HS256","typ":"JWT","alg":"none"}"#,
            r#"{"alg":"HS256","crit":["exp"],"typ":"JWT"}"#,
            r#"{"alg":"HS256","jku":"http://127.0.0.1/keys","typ":"JWT"}"#,
            r#"{"alg":"HS256","jwk":{"k":"AAAA","kty":"oct"},"typ":"JWT"}"#,
            r#"{"alg":"HS256","kid":"../../../dev/null","typ":"JWT"}"#,
            r#"{"alg":"HS256","kid":"x' UNION SELECT 'key","typ":"JWT"}"#,
            r#"{"alg":"HS256","typ":"JWT","x5c":["AAAA"]}"#,
            r#"{"alg":"HS256","typ":"JWT","x5u":"http://127.0.0.1/cert"}"#,
            "",
            "null",
        ] {
            assert_shut(&serving, &forge.sign(header, &claims), header);
        }
        // Keys that an attacker may know or guess, as the secret of the HMAC.
        let site = serving.hub.site().to_string();
        let target = target_id("edge-0").to_string();
        let mut keys: Vec<Vec<u8>> = [&b""[..], &[0; 32], b"secret", site.as_bytes(), target.as_bytes()]
            .map(<[u8]>::to_vec)
            .to_vec();
        if let Some(authority) = &serving.authority {
            let pem = authority.certificate_pem();
            keys.extend([pem.as_bytes().to_vec(), pem.trim_end().as_bytes().to_vec()]);
        }
        for key in keys {
            assert_shut(&serving, &forge.with_key(&key).sign(HEADER, &claims), "another key");
        }
        // Another appliance has the same targets, and another key.
        let other = Serving::two_targets();
        assert_shut(&serving, &other.token("edge-0"), "another appliance's token");
        let (signed, mac) = token.rsplit_once('.').unwrap();
        let (head, body) = signed.split_once('.').unwrap();
        let empty = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        for bad in [
            format!("{signed}."),
            signed.to_owned(),
            format!("{empty}.{body}."),
            format!("{empty}.{body}.{mac}"),
            format!("{token}.{mac}"),
            format!("{signed}.{}", mac.to_lowercase()),
            format!("{signed}.{mac}="),
            format!("{head}.{}.{mac}", URL_SAFE_NO_PAD.encode("{}")),
            format!("{token}{}", "A".repeat(10_000)),
            "a.b.c".to_owned(),
        ] {
            assert_shut(&serving, &bad, &bad[..bad.len().min(60)]);
        }
        before.assert_same(&serving);
        assert_open(&serving, &token, "the token that was issued, afterwards");
    }
}

/// R10: right key, right header, and claims that are missing, of another type, or of another purpose.
#[test]
fn r10_no_other_claims_open_any_door() {
    for serving in servings() {
        let forge = forge(&serving);
        let issued = claims_of(&serving.token("edge-0"));
        let now = serving.instance.clock.now().unix();
        let generation = issued["gen"].as_u64().unwrap();
        let good = forge.claims(&target_id("edge-0"), generation, &serving.instance.clock);
        assert_open(&serving, &forge.token(&good), "good claims of our own");
        let before = Snapshot::of(&serving);
        for member in ["aud", "exp", "gen", "iat", "iss", "nbf", "org", "sub"] {
            let mut claims = good.clone();
            claims.as_object_mut().unwrap().remove(member);
            assert_shut(&serving, &forge.token(&claims), &format!("no {member}"));
            claims[member] = Value::Null;
            assert_shut(&serving, &forge.token(&claims), &format!("{member} is null"));
        }
        let nobody = "11111111-1111-4111-8111-111111111111";
        for (member, value) in [
            ("aud", json!("agent")),
            ("aud", json!("user")),
            ("aud", json!(["user"])),
            ("aud", json!(["user", "agent"])),
            ("aud", json!(["agent", "agent"])),
            ("aud", json!([])),
            ("exp", json!(now)),
            ("exp", json!(now - 1)),
            ("exp", json!((now + 1000).to_string())),
            ("exp", json!(1e10)),
            ("exp", json!(-1)),
            ("nbf", json!(now + 1)),
            ("nbf", json!("0")),
            ("iat", json!(0.5)),
            ("iss", json!("fedcba9876543210fedcba9876543210")),
            ("iss", json!(["0123456789abcdef0123456789abcdef"])),
            ("org", json!(nobody)),
            ("sub", json!(nobody)),
            ("sub", json!(target_id("edge-0").to_string().to_uppercase())),
            ("sub", json!(target_id("edge-0").to_string().replace('-', ""))),
            ("sub", json!([target_id("edge-0").to_string()])),
            ("gen", json!(generation + 1)),
            ("gen", json!(generation.wrapping_sub(1))),
            ("gen", json!(generation.to_string())),
            ("licence", json!({"organisation": "Acme", "sites": 3})),
            ("scope", json!("*")),
        ] {
            let mut claims = good.clone();
            claims[member] = value.clone();
            assert_shut(&serving, &forge.token(&claims), &format!("{member}: {value}"));
        }
        for text in [
            String::new(),
            "[]".into(),
            format!("[{good}]"),
            format!("{good} x"),
            good.to_string().replace("\"sub\"", "\"sub\":\"x\",\"sub\""),
        ] {
            assert_shut(&serving, &forge.sign(HEADER, &text), &text);
        }
        before.assert_same(&serving);
    }
}

/// A02: on the next request, at every door, whether a bundle or the operator took the target away.
#[test]
fn a02_a_removed_target_is_nobody_from_the_next_request_on() {
    for serving in servings() {
        let (gone, stays) = (serving.token("edge-0"), serving.token("edge-1"));
        let secret = serving.secret("edge-0");
        assert_open(&serving, &gone, "before");
        let made = serving.instance.vendor.with_targets(2, |image| {
            let desired = Desired::docker(image, 2, "a");
            desired.without(&["edge-0"]).removing(&[target_id("edge-0")])
        });
        serving.instance.import(&made, false).unwrap();
        serving.hub.refresh().unwrap();
        assert_shut(&serving, &gone, "removed by a bundle");
        assert_eq!(serving.login(&target_id("edge-0"), &secret).status, 401);
        for path in ["resources", "manifest"] {
            assert_eq!(serving.agent(&stays, "GET", path, "").status, 200);
        }
        // By the operator, and back again: the token is dead for good, and the agent logs in anew.
        let other = target_id("edge-1");
        serving.hub.remove_target(&other, Removal::Remove).unwrap();
        assert_shut(&serving, &stays, "removed by the operator");
        serving.hub.remove_target(&other, Removal::Restore).unwrap();
        assert_shut(&serving, &stays, "restored");
        let stays = serving.token("edge-1");
        for path in ["resources", "manifest"] {
            assert_eq!(serving.agent(&stays, "GET", path, "").status, 200);
        }
        // A new secret alone ends nothing; a revocation does.
        serving.hub.issue_secret(&other, false).unwrap();
        serving.hub.refresh().unwrap();
        assert_eq!(serving.agent(&stays, "GET", "resources", "").status, 200);
        serving.hub.issue_secret(&other, true).unwrap();
        serving.hub.refresh().unwrap();
        assert_shut(&serving, &stays, "revoked");
        let unknown = forge(&serving).claims(&Uuid::from_bytes([1; 16]), 1, &serving.instance.clock);
        assert_shut(&serving, &forge(&serving).token(&unknown), "never there");
    }
}

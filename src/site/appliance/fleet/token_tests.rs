//! Which tokens count: those that this appliance issued, unchanged, and none else (R09, R10).

use serde_json::{Value, json};

use super::*;
use crate::domain::Hash;

const SITE: &str = "0123456789abcdef0123456789abcdef";

fn keys() -> (tempfile::TempDir, Keys) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("identity")).unwrap();
    crate::appliance::keys::create(folder.path()).unwrap();
    let keys = Keys::open(folder.path()).unwrap();
    (folder, keys)
}

fn bearer() -> Bearer {
    Bearer {
        target: Uuid::from_bytes([7; 16]),
        generation: 3,
    }
}

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn issued(keys: &Keys) -> Token {
    let site = SITE.parse().unwrap();
    Token::issue(keys, &site, bearer(), at("2026-11-21T10:00:00Z"))
}

fn check(keys: &Keys, token: &str, now: &str) -> Option<Bearer> {
    verify(keys, &SITE.parse().unwrap(), token, at(now))
}

/// A token with any header and claims, signed with the right key.
fn signed(keys: &Keys, header: &Value, claims: &str) -> String {
    let text = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(claims)
    );
    let mac = keys.token_mac(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac))
}

fn claims(token: &Token) -> Value {
    let part = token.as_str().split('.').nth(1).unwrap();
    let bytes = URL_SAFE_NO_PAD.decode(part).unwrap();
    serde_json::from_str(std::str::from_utf8(&bytes).unwrap()).unwrap()
}

#[test]
fn a_token_says_what_agents_read_and_lives_for_years() {
    let (folder, keys) = keys();
    let token = issued(&keys);
    let said = claims(&token);
    assert_eq!(
        said,
        json!({"aud": ["agent"], "exp": at("2031-11-20T10:00:00Z").unix(), "gen": 3, "iat": at("2026-11-21T10:00:00Z").unix(),
            "iss": SITE, "nbf": 0, "org": organisation(&SITE.parse().unwrap()).to_string(),
            "sub": "07070707-0707-0707-0707-070707070707"})
    );
    let header = URL_SAFE_NO_PAD
        .decode(token.as_str().split('.').next().unwrap())
        .unwrap();
    assert_eq!(header, br#"{"alg":"HS256","typ":"JWT"}"#);
    assert_eq!(check(&keys, token.as_str(), "2026-11-21T10:00:00Z"), Some(bearer()));
    // The key is kept, so tokens outlive the process.
    let again = Keys::open(folder.path()).unwrap();
    assert_eq!(check(&again, token.as_str(), "2031-11-20T09:59:59Z"), Some(bearer()));
    assert_eq!(check(&again, token.as_str(), "2031-11-20T10:00:00Z"), None);
    // A clock that went back ends nothing.
    assert_eq!(check(&again, token.as_str(), "1970-01-01T00:00:00Z"), Some(bearer()));
    assert_eq!(format!("{token:?}"), "Token");
}

#[test]
fn f10_a09_whatever_the_clock_said_a_token_counts_until_its_end() {
    let (_folder, keys) = keys();
    let site = SITE.parse().unwrap();
    for (clock, end) in [
        ("1970-01-01T00:00:00Z", "2031-10-31T00:00:00Z"),
        ("2016-11-21T10:00:00Z", "2031-10-31T00:00:00Z"),
        ("2026-11-21T10:00:00Z", "2031-11-20T10:00:00Z"),
        ("2099-01-01T00:00:00Z", "2104-01-01T00:00:00Z"),
    ] {
        let token = Token::issue(&keys, &site, bearer(), at(clock));
        assert_eq!(claims(&token)["exp"], at(end).unix(), "{clock}");
        for now in ["1970-01-01T00:00:00Z", "2026-11-21T09:00:00Z", "2031-10-30T23:59:59Z"] {
            assert_eq!(check(&keys, token.as_str(), now), Some(bearer()), "{clock} {now}");
        }
        assert_eq!(check(&keys, token.as_str(), end), None, "{clock}");
    }
}

#[test]
fn r09_no_other_algorithm_key_or_header() {
    let (_folder, keys) = keys();
    let token = issued(&keys);
    let said = claims(&token).to_string();
    let good = signed(&keys, &json!({"alg": "HS256", "typ": "JWT"}), &said);
    assert_eq!(check(&keys, &good, "2026-11-21T10:00:00Z"), Some(bearer()));
    for header in [
        json!({"alg": "none", "typ": "JWT"}),
        json!({"alg": "HS384", "typ": "JWT"}),
        json!({"alg": "RS256", "typ": "JWT"}),
        json!({"alg": "hs256", "typ": "JWT"}),
        json!({"alg": "HS256", "typ": "at+jwt"}),
        json!({"alg": "HS256"}),
        json!({"alg": "HS256", "typ": "JWT", "kid": "../../x' OR 1=1"}),
        json!({"alg": "HS256", "typ": "JWT", "jwk": {}}),
        json!({"alg": "HS256", "typ": "JWT", "jku": "http://x"}),
        json!({"alg": "HS256", "typ": "JWT", "x5u": "http://x"}),
        json!({"alg": ["HS256"], "typ": "JWT"}),
        json!("HS256"),
    ] {
        assert_eq!(
            check(&keys, &signed(&keys, &header, &said), "2026-11-21T10:00:00Z"),
            None,
            "{header}"
        );
    }
    let (_other_folder, other) = self::keys();
    let foreign = signed(&other, &json!({"alg": "HS256", "typ": "JWT"}), &said);
    let (body, mac) = token.as_str().rsplit_once('.').unwrap();
    let mut flipped = token.as_str().to_owned();
    let last = flipped.pop().unwrap();
    flipped.push(if last == 'A' { 'Q' } else { 'A' });
    for bad in [
        foreign,
        format!("{body}."),
        body.to_owned(),
        format!("{}=", token.as_str()),
        format!("{}.{mac}", token.as_str()),
        flipped,
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        "é.é.é".to_owned(),
        "x".repeat(5000),
    ] {
        assert_eq!(check(&keys, &bad, "2026-11-21T10:00:00Z"), None, "{bad}");
    }
}

#[test]
fn r10_every_claim_is_there_and_of_its_type() {
    let (_folder, keys) = keys();
    let good = claims(&issued(&keys));
    let header = json!({"alg": "HS256", "typ": "JWT"});
    let refused = |claims: &Value| {
        check(
            &keys,
            &signed(&keys, &header, &claims.to_string()),
            "2026-11-21T10:00:00Z",
        )
        .is_none()
    };
    assert!(!refused(&good));
    for member in ["aud", "exp", "gen", "iat", "iss", "nbf", "org", "sub"] {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(member);
        assert!(refused(&claims), "without {member}");
        for value in [
            json!(null),
            json!("x"),
            json!(1.5),
            json!([]),
            json!({}),
            json!(true),
            json!(-1),
        ] {
            claims[member] = value.clone();
            // A time before 1970 is a whole number all the same; as the start of a token's life it is as good as any.
            let fits = matches!(member, "iat" | "nbf") && value == json!(-1);
            assert_eq!(refused(&claims), !fits, "{member} {value}");
        }
    }
    for (member, value) in [
        ("aud", json!("agent")),
        ("aud", json!(["user"])),
        ("aud", json!(["agent", "user"])),
        ("exp", json!("1955455200")),
        ("exp", json!(1_955_455_200.0)),
        ("nbf", json!(at("2026-11-21T10:00:01Z").unix())),
        ("iss", json!(Hash([0; 32]).to_hex().get(..32).unwrap())),
        ("org", json!("07070707-0707-0707-0707-070707070707")),
        ("licence", json!({})),
    ] {
        let mut claims = good.clone();
        claims[member] = value.clone();
        assert!(refused(&claims), "{member} {value}");
    }
    let text = good.to_string();
    for bad in [
        text.replace("\"gen\":3", "\"gen\":3,\"gen\":3"),
        format!("{text} x"),
        "[]".to_owned(),
        String::new(),
    ] {
        assert_eq!(
            check(&keys, &signed(&keys, &header, &bad), "2026-11-21T10:00:00Z"),
            None,
            "{bad}"
        );
    }
}

#[test]
fn the_key_file_is_private_and_made_once() {
    use std::os::unix::fs::PermissionsExt as _;
    let (folder, keys) = keys();
    let path = folder.path().join("identity/token.key");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(folder.path().join("identity")).unwrap().count(), 1);
    let token = issued(&keys);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = Keys::open(folder.path()).unwrap_err();
    assert_eq!(error.code(), "token-key");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let again = Keys::open(folder.path()).unwrap();
    assert!(check(&again, token.as_str(), "2026-11-21T10:00:00Z").is_some());
}

//! Points 9 to 13: logins and tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::super::sample::{EDGE, MAIL, OTHER, SHOP, Sample, shop_revision, web_repository};
use super::super::served_appliance::{CREDENTIALS, ServedAppliance, basic};
use super::spy_engine::SpyEngine;
use crate::agent::looping::{Agent, Round};
use crate::support::appliance::wait_for;

fn served() -> ServedAppliance {
    ServedAppliance::serving(CREDENTIALS, &Sample::default().draft())
}

fn decode(part: &str) -> Value {
    let bytes = URL_SAFE_NO_PAD.decode(part).unwrap();
    serde_json::from_str(std::str::from_utf8(&bytes).unwrap()).unwrap()
}

/// The six routes of agents, each with a body that is good.
fn routes() -> [(&'static str, &'static str, Option<String>); 6] {
    let status = json!({"revisionId": shop_revision(1).to_string(), "type": "running", "message": "here"});
    [
        ("GET", "resources", None),
        ("GET", "manifest", None),
        ("POST", "status", Some(status.to_string())),
        ("POST", "metrics", Some("{}".into())),
        ("PUT", "logs", Some("[]".into())),
        ("PUT", "deployment-target-logs", Some("[]".into())),
    ]
}

#[test]
fn point_09_a_login_answers_a_token_that_lives_long() {
    let served = served();
    let reply = served.login(EDGE, &served.secret(EDGE));
    assert_eq!(reply.status, 200);
    let token = reply.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(reply.json()["requiresMfa"], false);
    let parts: Vec<&str> = token.split('.').collect();
    assert_eq!(parts.len(), 3);
    assert_eq!(decode(parts[0]), json!({"alg": "HS256", "typ": "JWT"}));
    let claims = decode(parts[1]);
    assert_eq!((&claims["sub"], &claims["aud"]), (&EDGE.into(), &json!(["agent"])));
    let year = 365 * 86_400;
    let issued = claims["iat"].as_i64().unwrap();
    assert!(claims["exp"].as_i64().unwrap() > issued + year, "{claims}");
    assert!(claims["nbf"].as_i64().unwrap() <= issued, "{claims}");
    // Whole seconds, as a number and not as text.
    assert!(claims["exp"].is_i64() || claims["exp"].is_u64());
}

#[test]
fn point_10_a_wrong_secret_is_401_and_locks_nobody_out() {
    let served = served();
    let secret = served.secret(EDGE);
    let wrong = "f".repeat(32);
    // What an agent with an old secret sends in a quarter of a minute.
    for _ in 0..3 {
        assert_eq!(served.login(EDGE, &wrong).status, 401);
    }
    assert_eq!(served.login(EDGE, &secret).status, 200);
    // Far more than that: still no answer but 401, or 429 with the time to wait; the right secret and the token go on.
    let token = served.token(OTHER);
    for _ in 0..20 {
        let reply = served.login(OTHER, &wrong);
        assert!(
            reply.status == 401 || (reply.status == 429 && reply.header("retry-after").is_some()),
            "{}",
            reply.status
        );
    }
    assert_eq!(served.agent("GET", "resources", &token, None).status, 200);
    assert_eq!(
        served.login(EDGE, &secret).status,
        200,
        "another target notices nothing"
    );
    assert_eq!(served.send("POST", "/api/v1/agent/login", &[], None).status, 401);
    assert_eq!(served.login("not-a-uuid", &secret).status, 400);
}

#[test]
fn point_11_all_six_routes_take_the_token_and_401_leads_to_a_new_one() {
    let served = served();
    let secret = served.secret(EDGE);
    let token = served.token(EDGE);
    for (method, route, body) in routes() {
        let good = served.agent(method, route, &token, body.as_deref());
        assert!((200..300).contains(&good.status), "{route}: {}", good.status);
        let (rest, signature) = token.rsplit_once('.').unwrap();
        let spoilt = format!("{rest}.{}", signature.chars().rev().collect::<String>());
        for bad in [spoilt.as_str(), "abc", ""] {
            let reply = served.agent(method, route, bad, body.as_deref());
            assert_eq!(reply.status, 401, "{route} with {bad:?}");
        }
        let reply = served.send(
            method,
            &format!("/api/v1/agent/{route}"),
            &[],
            body.as_deref().map(str::as_bytes),
        );
        assert_eq!(reply.status, 401, "{route} without a token");
    }
    // The secret of before this test's token: replaced by the next one.
    assert_eq!(served.login(EDGE, &secret).status, 401);
    let manifest = served.get(&format!(
        "/api/v1/connect?targetId={EDGE}&targetSecret={}",
        served.secret(EDGE)
    ));
    let manifest = String::from_utf8(manifest.body).unwrap();
    let folder = crate::support::appliance::scratch();
    let mut agent = Agent::start(&manifest, SpyEngine::default(), folder.path().into(), [].into()).unwrap();
    assert_eq!((agent.round(), agent.client.logins), (Round::Done, 1));
    // Every token of the target ends; the agent logs in again by itself, once, and repeats the request.
    let dead = served.login(EDGE, &agent.settings.secret).json()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let secret = revoked(&served);
    wait_for("the end of the tokens", || {
        std::thread::sleep(std::time::Duration::from_millis(100));
        served.agent("GET", "resources", &dead, None).status == 401
    });
    agent.client.replace_secret(&secret);
    assert_eq!((agent.round(), agent.client.logins), (Round::Done, 2));
    assert_eq!(agent.troubles, Vec::<String>::new());
}

/// Issues a new secret and ends every token of before.
fn revoked(served: &ServedAppliance) -> String {
    let output = served.airlock(&["--format", "json", "target", "secret", EDGE, "--revoke", "--yes"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let document: Value = serde_json::from_str(&String::from_utf8(output.stdout).unwrap()).unwrap();
    document["secret"].as_str().unwrap().to_owned()
}

#[test]
fn point_12_a_token_reaches_nothing_of_another_target() {
    let served = served();
    let (edge, other) = (served.token(EDGE), served.token(OTHER));
    let ids = |token: &str| -> Vec<Value> {
        let resources = served.resources(token);
        let list = resources["deployments"].as_array().unwrap().iter();
        list.map(|deployment| deployment["id"].clone()).collect()
    };
    assert_eq!(ids(&edge), [Value::from(SHOP)]);
    assert_eq!(ids(&other), [Value::from(MAIL)]);
    let manifest = served.agent("GET", "manifest", &other, None);
    let manifest = String::from_utf8(manifest.body).unwrap();
    assert!(manifest.contains(OTHER) && !manifest.contains(EDGE));
    let status =
        json!({"revisionId": shop_revision(1).to_string(), "type": "error", "message": "not mine"}).to_string();
    assert_eq!(served.agent("POST", "status", &other, Some(&status)).status, 400);
    let record = json!([{
        "id": "00000000-0000-0000-0000-000000000000", "deploymentId": SHOP,
        "deploymentRevisionId": shop_revision(1).to_string(), "resource": "web-1",
        "timestamp": "2026-11-21T01:00:00.5+01:00", "severity": "Log", "body": "not-mine-either",
    }]);
    assert_eq!(
        served.agent("PUT", "logs", &other, Some(&record.to_string())).status,
        204
    );
    let stored = super::super::stored::text(&served);
    assert!(
        !stored.contains("not mine") && !stored.contains("not-mine-either"),
        "{stored}"
    );
}

#[test]
fn point_13_the_token_is_the_registrys_password_under_any_name() {
    let served = served();
    let token = served.token(EDGE);
    let path = format!("/v2/{}/manifests/1.0", web_repository());
    for user in ["-", "whoever", EDGE] {
        let credentials = basic(user, &token);
        let headers = [("Authorization", credentials.as_str())];
        assert_eq!(served.send("GET", "/v2/", &headers, None).status, 200, "{user}");
        assert_eq!(served.send("GET", &path, &headers, None).status, 200, "{user}");
    }
    let secret = served.secret(EDGE);
    for password in [secret.as_str(), "wrong", ""] {
        let credentials = basic("-", password);
        let reply = served.send("GET", &path, &[("Authorization", &credentials)], None);
        assert_eq!(reply.status, 401, "{password:?}");
    }
    // What went through the server's log names no token.
    assert!(!served.log().contains(&token));
}

//! The registry for agents of several products: nothing of others shows (R02, R08), nothing can be written (R07), and no answer
//! repeats what a request said (R11, R13).

use airlock::http::Settings;

use super::snapshot::{Snapshot, both_modes};
use crate::support::agents::{Serving, basic, credentials};
use crate::support::bundles::{Made, REPOSITORY};
use crate::support::client::Reply;
use crate::support::desired::Desired;
use crate::support::in_process::InProcessAppliance;
use crate::support::site::digest;

const OTHER: &str = "registry.test/erp/core";

/// `crm` with a target is live, and so is `erp`; a second release of `crm` is imported and not live.
struct Fixture {
    serving: Serving,
    token: String,
    own: Made,
    erp: Made,
    waiting: Made,
}

fn fixture(settings: Settings) -> Fixture {
    let instance = InProcessAppliance::new();
    let own = instance.vendor.with_targets(1, |image| Desired::docker(image, 1, "a"));
    let erp = instance
        .vendor
        .bundle_of("erp", OTHER, 1, &[b"of another product".to_vec()]);
    let waiting = instance
        .vendor
        .with_layers_of("crm", 2, &[b"not live yet".to_vec()], |image| {
            Desired::docker(image, 1, "b")
        });
    instance.import(&own, false).unwrap();
    instance.import(&erp, false).unwrap();
    instance.import(&waiting, true).unwrap();
    let serving = Serving::start(instance, settings);
    let token = serving.token("edge-0");
    Fixture {
        serving,
        token,
        own,
        erp,
        waiting,
    }
}

impl Fixture {
    fn get(&self, path: &str, shown: bool) -> Reply {
        let header = basic("-", &self.token);
        let headers: &[(&str, &str)] = if shown { &[("Authorization", &header)] } else { &[] };
        self.serving.send("GET", path, headers, b"")
    }
}

/// What an answer says, without the name that was asked for.
fn plain(reply: &Reply, asked: &[&str]) -> (u16, Vec<(String, String)>, String) {
    let mut body = String::from_utf8(reply.body.clone()).unwrap();
    for part in asked {
        body = body.replace(part, "?");
    }
    let mut headers = reply.stable_headers();
    headers.retain(|(name, _)| name != "content-length");
    (reply.status, headers, body)
}

#[test]
fn r02_what_a_repository_does_not_reach_is_not_there() {
    for settings in both_modes() {
        let closed = settings.read == credentials().read;
        let fixture = fixture(settings);
        let nothing = digest(b"nowhere at all").to_string();
        let (erp, waiting) = (fixture.erp.layers[0].to_string(), fixture.waiting.layers[0].to_string());
        let ask = |repository: &str, digest: &str| {
            let reply = fixture.get(&format!("/v2/{repository}/blobs/{digest}"), true);
            plain(&reply, &[repository, digest])
        };
        let missing = ask(REPOSITORY, &nothing);
        assert_eq!(missing.0, 404);
        // By a repository that does not reach it; not live yet.
        assert_eq!(ask(REPOSITORY, &erp), missing);
        assert_eq!(ask(REPOSITORY, &waiting), missing);
        assert_eq!(ask(REPOSITORY, &fixture.waiting.manifest.to_string()), missing);
        // Another product's repository: there for who may read everything, and nowhere for a token of this product.
        let foreign = ask(OTHER, &erp);
        let manifest = |tag: &str| fixture.get(&format!("/v2/{OTHER}/manifests/{tag}"), true);
        if closed {
            assert_eq!(foreign, ask("registry.test/none/core", &erp));
            assert_eq!(foreign.0, 404);
            for tag in ["latest", &fixture.erp.manifest.to_string()] {
                let none = fixture.get(&format!("/v2/registry.test/none/core/manifests/{tag}"), true);
                assert_eq!(
                    plain(&manifest(tag), &[OTHER, tag]),
                    plain(&none, &["registry.test/none/core", tag])
                );
            }
            for list in ["tags/list", &format!("referrers/{}", fixture.erp.manifest)] {
                let none = fixture.get(&format!("/v2/registry.test/none/core/{list}"), true);
                let shown = fixture.get(&format!("/v2/{OTHER}/{list}"), true);
                assert_eq!(
                    plain(&shown, &[OTHER]),
                    plain(&none, &["registry.test/none/core"]),
                    "{list}"
                );
            }
        }
        // The twins: its own, by the repository that reaches it.
        let layer = fixture.own.layers[0].to_string();
        assert_eq!(ask(REPOSITORY, &layer).0, 200);
        assert_eq!(
            fixture
                .get(&format!("/v2/{REPOSITORY}/manifests/{}", fixture.own.manifest), true)
                .status,
            200
        );
        if !closed {
            assert_eq!(
                fixture.get(&format!("/v2/{OTHER}/blobs/{erp}"), false).body,
                b"of another product"
            );
        }
    }
}

#[test]
fn r07_no_method_on_any_route_changes_anything() {
    for settings in both_modes() {
        let closed = settings.read == credentials().read;
        let fixture = fixture(settings);
        let before = Snapshot::of(&fixture.serving);
        let (manifest, layer) = (fixture.own.manifest.to_string(), fixture.own.layers[0].to_string());
        let header = basic("-", &fixture.token);
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            for path in [
                "/v2/".to_owned(),
                "/v2/_catalog".to_owned(),
                format!("/v2/{REPOSITORY}/blobs/uploads/"),
                format!("/v2/{REPOSITORY}/blobs/uploads/?mount={layer}&from={OTHER}"),
                format!("/v2/{REPOSITORY}/blobs/uploads/?digest={layer}"),
                format!("/v2/{REPOSITORY}/blobs/{layer}"),
                format!("/v2/{REPOSITORY}/manifests/latest"),
                format!("/v2/{REPOSITORY}/manifests/{manifest}"),
                format!("/v2/{REPOSITORY}/tags/list"),
                format!("/v2/{REPOSITORY}/tags/latest"),
                format!("/v2/{REPOSITORY}/referrers/{manifest}"),
            ] {
                let shown = fixture
                    .serving
                    .send(method, &path, &[("Authorization", &header)], b"{}");
                assert_eq!(
                    (shown.status, shown.code().as_str()),
                    (405, "UNSUPPORTED"),
                    "{method} {path}"
                );
                let none = fixture
                    .serving
                    .send(method, &path, &[("X-HTTP-Method-Override", "GET")], b"{}");
                let expected = if closed { 401 } else { 405 };
                assert_eq!(none.status, expected, "{method} {path}");
            }
            for path in [
                "connect",
                "pre-connect",
                "agent/login",
                "agent/manifest",
                "agent/resources",
                "agent/nothing",
                "targets",
            ] {
                if (method, path) == ("POST", "agent/login") {
                    continue;
                }
                let reply = fixture.serving.send(method, &format!("/api/v1/{path}"), &[], b"{}");
                assert!(matches!(reply.status, 401 | 404 | 405), "{method} {path}: {reply:?}");
            }
        }
        before.assert_same(&fixture.serving);
        assert_eq!(
            fixture.get(&format!("/v2/{REPOSITORY}/manifests/latest"), true).status,
            200
        );
    }
}

#[test]
fn r08_lists_show_what_a_token_may_pull_and_no_more() {
    let fixture = fixture(credentials());
    let names = |query: &str| {
        let reply = fixture.get(&format!("/v2/_catalog{query}"), true);
        assert_eq!(reply.status, 200, "{query}: {reply:?}");
        let list = reply.json()["repositories"].as_array().unwrap().clone();
        list.into_iter()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let all = names("");
    assert!(
        all.contains(&REPOSITORY.to_owned()) && !all.iter().any(|name| name.contains("erp")),
        "{all:?}"
    );
    assert_eq!(names("?n=9223372036854775807"), all);
    assert_eq!(names("?n=1000"), all);
    assert_eq!(names("?n=1").len(), 1);
    assert!(names(&format!("?last={}", "z".repeat(2000))).is_empty());
    assert!(!names("?last=registry.test/e").iter().any(|name| name.contains("erp")));
    for query in ["?n=-1", "?n=x", "?n=1.5", "?n=99999999999999999999999"] {
        let status = fixture.get(&format!("/v2/_catalog{query}"), true).status;
        assert!(matches!(status, 200 | 400), "{query}");
        assert_eq!(fixture.get(&format!("/v2/_catalog{query}"), false).status, 401);
    }
    assert_eq!(
        fixture
            .get(&format!("/v2/{OTHER}/tags/list?n=9223372036854775807"), true)
            .status,
        404
    );
    let tags = fixture
        .get(&format!("/v2/{REPOSITORY}/tags/list?n=9223372036854775807"), true)
        .json();
    assert!(tags["tags"].as_array().unwrap().iter().all(|tag| tag != "v2"), "{tags}");
}

/// R11 and R13: what challenges, redirects and scripts say comes from the configuration.
#[test]
fn r11_r13_no_answer_repeats_a_host() {
    for settings in both_modes() {
        let fixture = fixture(settings);
        let secret = fixture.serving.secret("edge-0");
        let id = crate::support::desired::target_id("edge-0");
        let forwarded = [
            ("X-Forwarded-Host", "evil.example"),
            ("X-Forwarded-Proto", "gopher"),
            ("Forwarded", "host=evil.example;proto=gopher"),
        ];
        let others = [
            ("X-Original-URL", "/evil.example"),
            ("Origin", "https://evil.example"),
            ("Referer", "https://evil.example/"),
        ];
        for path in [
            "/v2/".to_owned(),
            "/v2/_catalog".to_owned(),
            format!("/v2/{REPOSITORY}/manifests/latest"),
            format!("/api/v1/connect?targetId={id}&targetSecret={secret}"),
            format!("/api/v1/pre-connect?targetId={id}&targetSecret={secret}"),
            "/healthz".to_owned(),
        ] {
            let with = fixture.serving.send("GET", &path, &others, b"");
            let proxied = fixture.serving.send("GET", &path, &forwarded, b"");
            let without = fixture.serving.send("GET", &path, &[], b"");
            let shown = |reply: &Reply| {
                let mut headers = reply.stable_headers();
                headers.retain(|(name, _)| !name.starts_with("x-ratelimit"));
                (reply.status, headers, reply.body.clone())
            };
            assert_eq!(shown(&with), shown(&without), "{path}");
            // What a proxy passed on comes from nobody in particular (R15); nothing else is different.
            if path.starts_with("/v2/") {
                assert_eq!(proxied.status, 401, "{path}");
            } else {
                assert_eq!(shown(&proxied), shown(&without), "{path}");
            }
            for reply in [with, proxied] {
                assert!(reply.header("location").is_none());
                assert!(!String::from_utf8_lossy(&reply.body).contains("evil"), "{path}");
            }
        }
    }
}

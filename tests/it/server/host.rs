//! R11, R15: under which names the server answers, on every path; and that what a proxy passed on is nobody of this machine.

use std::io::{BufReader, Write as _};

use super::served::{Served, until};
use crate::support::agents::basic;
use crate::support::bundles::REPOSITORY;
use crate::support::client::{Reply, connect, read_reply};
use crate::support::site::digest;

/// Every kind of path there is, and some that there are not.
fn paths(served: &Served) -> Vec<String> {
    vec![
        "/v2/".into(),
        format!("/v2/{REPOSITORY}/manifests/latest"),
        served.layer_path(),
        format!("/v2/{REPOSITORY}/tags/list"),
        "/v2/_catalog".into(),
        "/v2/token".into(),
        "/v2/crm/web/manifests/latest?ns=registry.test".into(),
        "/charts/shop/index.yaml".into(),
        "/api/v1/agent/resources".into(),
        "/api/v1/connect?targetId=x".into(),
        "/healthz".into(),
        "/readyz".into(),
        "/".into(),
        "/elsewhere".into(),
    ]
}

/// Sends a head as it is given; nothing is added.
fn ask(served: &Served, line: &str, headers: &[String]) -> Reply {
    let mut stream = connect(served.address);
    let mut text = format!("{line} HTTP/1.1\r\nConnection: close\r\n");
    for header in headers {
        text += &format!("{header}\r\n");
    }
    stream.write_all(format!("{text}\r\n").as_bytes()).unwrap();
    read_reply(&mut BufReader::new(stream), line.starts_with("HEAD")).unwrap()
}

fn host(name: &str) -> Vec<String> {
    vec![format!("Host: {name}")]
}

const NAMES: &str = "[tls]\nnames = [\"airlock.plant.example\"]\n[agents]\naddress = \"agents.plant.example:5443\"\n";

#[test]
fn r15_a_name_that_was_made_to_lead_here_gets_nothing_on_any_path() {
    let served = Served::with(NAMES, &[]);
    let port = served.address.port();
    for path in paths(&served) {
        let good = ask(&served, &format!("GET {path}"), &host(&served.address.to_string()));
        assert!(
            ![400, 421].contains(&good.status) || path.contains("targetId"),
            "{path} {good:?}"
        );
        for (name, status) in [
            ("evil.example".to_owned(), 421),
            (format!("evil.example:{port}"), 421),
            (format!("localhost.evil.example:{port}"), 421),
            (format!("127.0.0.1.evil.example:{port}"), 421),
            (format!("127.0.0.2:{port}"), 421),
            (format!("0.0.0.0:{port}"), 421),
            ("2130706433".into(), 421),
            (format!("user@127.0.0.1:{port}"), 400),
            ("[fe80::1%25eth0]".into(), 400),
            ("127.0.0.1:port".into(), 400),
        ] {
            for method in ["GET", "HEAD", "POST"] {
                let reply = ask(&served, &format!("{method} {path}"), &host(&name));
                assert_eq!(reply.status, status, "{method} {path} {name}");
                let shown = String::from_utf8_lossy(&reply.body).into_owned();
                assert!(
                    !format!("{:?}{shown}", reply.headers).contains("evil"),
                    "{path} {shown}"
                );
                assert!(method == "HEAD" || !shown.is_empty(), "{path}: a sentence says why");
            }
        }
        let twice = [host(&served.address.to_string()), host("evil.example")].concat();
        assert_eq!(ask(&served, &format!("GET {path}"), &twice).status, 400, "{path}");
        assert_eq!(ask(&served, &format!("GET {path}"), &[]).status, 400, "{path}");
        let absolute = format!("GET http://evil.example{path}");
        assert_eq!(
            ask(&served, &absolute, &host(&served.address.to_string())).status,
            421,
            "{path}"
        );
        assert_eq!(ask(&served, &absolute, &host("evil.example")).status, 421, "{path}");
    }
}

#[test]
fn r15_every_way_that_clients_name_this_appliance_is_known() {
    let served = Served::with(NAMES, &[]);
    let address = served.address;
    for name in [
        address.to_string(),
        "127.0.0.1".into(),
        format!("localhost:{}", address.port()),
        "LOCALHOST".into(),
        "airlock.plant.example:5443".into(),
        "Airlock.Plant.Example".into(),
        "airlock.plant.example.:5443".into(),
        "agents.plant.example:5443".into(),
        "[::ffff:127.0.0.1]:5000".into(),
    ] {
        let path = format!("/v2/{REPOSITORY}/manifests/latest");
        let reply = ask(&served, &format!("GET {path}"), &host(&name));
        assert_eq!(
            (reply.status, digest(&reply.body)),
            (200, served.made.manifest),
            "{name}"
        );
        // As an engine with a mirror asks: the name of the image's own registry stands in the query.
        let mirror = "GET /v2/crm/web/manifests/latest?ns=registry.test";
        assert_eq!(
            digest(&ask(&served, mirror, &host(&name)).body),
            served.made.manifest,
            "{name}"
        );
        let absolute = format!("GET http://{name}{path}");
        assert_eq!(ask(&served, &absolute, &host(&name)).status, 200, "{name}");
    }
}

/// What proxies add.
const FORWARDED: [&str; 9] = [
    "Forwarded: for=127.0.0.1",
    "Forwarded: ",
    "X-Forwarded-For: 127.0.0.1",
    "X-Forwarded-Host: localhost",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Port: 443",
    "x-forwarded-server: proxy",
    "X-Real-IP: 127.0.0.1",
    "Via: 1.1 proxy",
];

#[test]
fn r15_what_a_proxy_passed_on_is_nobody_of_this_machine() {
    for config in ["", "[registry]\nread = \"networks\"\nnetworks = [\"127.0.0.0/8\"]\n"] {
        let served = Served::with(config, &[]);
        let own = host(&served.address.to_string());
        let token = served.token();
        let bearer = basic("-", &token);
        for forwarded in FORWARDED {
            let headers = [own.clone(), vec![forwarded.to_owned()]].concat();
            for path in [
                "/v2/".to_owned(),
                format!("/v2/{REPOSITORY}/manifests/latest"),
                "/v2/_catalog".into(),
                served.layer_path(),
            ] {
                let reply = ask(&served, &format!("GET {path}"), &headers);
                assert_eq!(reply.status, 401, "{forwarded} {path}");
                assert!(
                    reply.json()["errors"][0]["message"]
                        .as_str()
                        .unwrap()
                        .contains("credentials are needed")
                );
            }
            let reply = ask(&served, "GET /readyz", &headers);
            assert_eq!(reply.status, 403, "{forwarded}");
            assert!(String::from_utf8_lossy(&reply.body).contains("a proxy passed this request on"));
            assert_eq!(ask(&served, "GET /healthz", &headers).status, 200);
            // Credentials are good from anywhere.
            let with = [headers.clone(), vec![format!("Authorization: {bearer}")]].concat();
            let reply = ask(&served, &format!("GET /v2/{REPOSITORY}/manifests/latest"), &with);
            assert_eq!(
                (reply.status, digest(&reply.body)),
                (200, served.made.manifest),
                "{forwarded}"
            );
            let with = [headers, vec![format!("Authorization: Bearer {token}")]].concat();
            assert_eq!(
                ask(&served, "GET /api/v1/agent/resources", &with).status,
                200,
                "{forwarded}"
            );
        }
        // The same without a proxy, and headers that are none of one.
        let headers = [
            own,
            vec![
                "User-Agent: containerd/2.0".into(),
                "X-Request-Id: 7".into(),
                "Accept: */*".into(),
            ],
        ]
        .concat();
        for path in [
            "/v2/".to_owned(),
            format!("/v2/{REPOSITORY}/manifests/latest"),
            "/v2/_catalog".into(),
        ] {
            assert_eq!(ask(&served, &format!("GET {path}"), &headers).status, 200, "{path}");
        }
        until("ready", || {
            (ask(&served, "GET /readyz", &headers).status == 200).then_some(())
        });
    }
}

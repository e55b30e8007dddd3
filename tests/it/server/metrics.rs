//! `/metrics`: what it counts, who may ask, and that alert rules and boards are made of its names and labels alone.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Read as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use airlock::http::Settings;

use crate::support::agents::{Serving, credentials};
use crate::support::appliance::{read, wait_for};
use crate::support::bundles::REPOSITORY;
use crate::support::client::{get, request};
use crate::support::desired::target_id;
use crate::support::in_process::InProcessAppliance;

fn free() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A server with two targets that tells its numbers.
fn serving() -> (Serving, SocketAddr) {
    let instance = InProcessAppliance::new();
    instance.release(1, 2, "a");
    let settings = Settings {
        metrics: Some(free()),
        ..Settings::default()
    };
    let serving = Serving::start(instance, settings);
    let address = serving.running.metrics_address().unwrap();
    (serving, address)
}

/// Every number of the page by its line.
fn page(address: SocketAddr) -> BTreeMap<String, i64> {
    let reply = get(address, "/metrics");
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    let text = String::from_utf8(reply.body).unwrap();
    let (mut numbers, mut told) = (BTreeMap::new(), BTreeSet::new());
    for line in text.lines() {
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            assert!(told.insert(kind.split(' ').next().unwrap().to_owned()), "{kind} twice");
        } else if !line.starts_with('#') {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(
                told.contains(name.split('{').next().unwrap()),
                "{line} comes before its kind"
            );
            assert!(
                numbers.insert(name.to_owned(), value.parse().unwrap()).is_none(),
                "{line} twice"
            );
        }
    }
    numbers
}

#[test]
fn what_is_asked_and_answered_is_counted() {
    let (serving, address) = serving();
    let before = page(address);
    let number =
        |page: &BTreeMap<String, i64>, name: &str| *page.get(name).unwrap_or_else(|| panic!("{name}: {page:#?}"));
    for (name, expected) in [
        ("airlock_releases_live", 1),
        ("airlock_releases_waiting", 0),
        ("airlock_alarms", 0),
        ("airlock_targets{state=\"heard\"}", 0),
        ("airlock_targets{state=\"never\"}", 2),
        ("airlock_imports_total{result=\"imported\"}", 1),
        ("airlock_imports_total{result=\"refused\"}", 0),
        ("airlock_pulls_total{kind=\"manifest\"}", 0),
        ("airlock_logins_refused_total", 0),
        ("airlock_connections_limit", 4096),
        ("airlock_check_ok{check=\"releases\"}", 1),
        ("airlock_check_ok{check=\"audit\"}", 1),
        ("airlock_clock_steps_total", 0),
        ("airlock_part_unread{part=\"status\"}", 0),
        ("airlock_part_unread{part=\"disk\"}", 0),
    ] {
        assert_eq!(number(&before, name), expected, "{name}");
    }
    assert!(number(&before, "airlock_disk_free_bytes") > 0 && number(&before, "airlock_disk_size_bytes") > 0);
    // No TLS: there is no certificate to tell of.
    assert!(!before.contains_key("airlock_certificate_end_timestamp_seconds"));

    let manifest = get(serving.address, &format!("/v2/{REPOSITORY}/manifests/latest"));
    let good = i64::from(manifest.status == 200);
    assert_eq!(get(serving.address, "/v2/none/at/all/manifests/1").status, 404);
    assert_eq!(serving.login(&target_id("edge-0"), "wrong").status, 401);
    let token = serving.token("edge-0");
    serving.agent(&token, "GET", "resources", "");
    // What an agent's call was is written down together with others.
    wait_for("the contact", || {
        page(address).get("airlock_targets{state=\"heard\"}") == Some(&1)
    });
    let after = page(address);
    let grown = |name: &str| number(&after, name) - number(&before, name);
    assert_eq!(grown("airlock_pulls_total{kind=\"manifest\"}"), good);
    assert_eq!(grown("airlock_answers_total{route=\"registry\",class=\"2xx\"}"), good);
    assert_eq!(
        grown("airlock_answers_total{route=\"registry\",class=\"4xx\"}"),
        2 - good
    );
    assert_eq!(grown("airlock_answers_total{route=\"agents\",class=\"4xx\"}"), 1);
    assert_eq!(grown("airlock_logins_refused_total"), 1);
    assert_eq!(grown("airlock_targets{state=\"heard\"}"), 1);
    assert!(grown("airlock_body_bytes_total") >= i64::try_from(manifest.body.len()).unwrap());
    // Nothing that a client made is a label.
    assert!(
        after
            .keys()
            .all(|name| !name.contains("none") && !name.contains(&target_id("edge-0").to_string()))
    );
}

/// Nothing else is answered there, and not under the name of somebody else; and elsewhere there are no numbers.
/// Who connects and says nothing keeps nobody out: the oldest of them gives way.
#[test]
fn silent_connections_give_way_to_whoever_asks() {
    let (_serving, address) = serving();
    let mut silent: Vec<TcpStream> = (0..40).map(|_| TcpStream::connect(address).unwrap()).collect();
    page(address);
    // The first were cut off; the last are there yet, so that nobody waited until they had used up their time.
    assert_eq!(silent[0].read(&mut [0]).unwrap_or(0), 0);
    let last = silent.last_mut().unwrap();
    last.set_nonblocking(true).unwrap();
    assert_eq!(last.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn the_page_is_at_its_own_address_alone() {
    let (serving, address) = serving();
    assert_eq!(get(address, "/v2/").status, 404);
    assert_eq!(get(address, "/readyz").status, 404);
    assert_eq!(request(address, "POST", "/metrics", &[]).status, 405);
    let foreign = crate::support::client::raw(
        address,
        b"GET /metrics HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
        false,
    );
    assert_eq!(foreign.unwrap().status, 421);
    assert_eq!(get(address, "/metrics").status, 200);
    assert_eq!(get(serving.address, "/metrics").status, 404);
    let instance = serving.stop();
    let quiet = Serving::start(instance, Settings::default());
    assert_eq!(quiet.running.metrics_address(), None);
}

#[expect(clippy::disallowed_methods, reason = "committed files of the project")]
fn observability(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("observability").join(name);
    assert!(!read(&path).is_empty());
    std::fs::read_to_string(path).unwrap()
}

/// The names of airlock's in a text.
fn names(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with("airlock_"))
        .map(str::to_owned)
        .collect()
}

/// With everything on that has a number: HTTPS, agents, a record that was told.
#[test]
fn every_number_of_alerts_and_boards_is_told() {
    let instance = InProcessAppliance::new();
    instance.release(1, 2, "a");
    let settings = Settings {
        metrics: Some(free()),
        ..credentials()
    };
    let serving = Serving::start(instance, settings);
    let address = serving.running.metrics_address().unwrap();
    let text = String::from_utf8(get(address, "/metrics").body).unwrap();
    let explained = names(&text);
    // What there is only once something went wrong, or was reported.
    let rare = [
        "airlock_panics_total",
        "airlock_status_missing_records",
        "airlock_status_held_bytes",
    ];
    for file in ["alerts.yaml", "grafana.json"] {
        let used = names(&observability(file));
        assert!(used.len() > 10, "{file}");
        for name in used {
            assert!(
                explained.contains(&name) || rare.contains(&name.as_str()),
                "{file} names {name}"
            );
        }
    }
    // Values of labels that rules ask for, too.
    let rules = observability("alerts.yaml");
    for part in rules.split("airlock_").skip(1) {
        let Some((name, rest)) = part.split_once('{') else {
            continue;
        };
        if !name.bytes().all(|c| c.is_ascii_lowercase() || c == b'_') {
            continue;
        }
        let label = rest.split('}').next().unwrap();
        let told = text
            .lines()
            .any(|line| line.starts_with(&format!("airlock_{name}{{")) && line.contains(label));
        assert!(told, "airlock_{name}{{{label}}}");
    }
    serde_json::from_str::<serde_json::Value>(&observability("grafana.json")).unwrap();
}

//! A start serves content first, and tells nobody anything of targets before all of that was read (D11).

use std::sync::Arc;
use std::time::Duration;

use airlock::appliance::fleet::{Hub, Login, SiteView};
use airlock::appliance::live::{Live, Watcher};
use airlock::appliance::registry::Registry;

use crate::support::agents::{Serving, basic};
use crate::support::appliance::wait_for;
use crate::support::bundles::REPOSITORY;
use crate::support::client::get;
use crate::support::desired::target_id;
use crate::support::in_process::InProcessAppliance;
use crate::support::status::wait;

/// An appliance with two targets, and the token of one of them.
fn with_token() -> (InProcessAppliance, String) {
    let instance = InProcessAppliance::new();
    instance.release(1, 2, "a");
    let hub = instance.hub();
    let target = target_id("edge-0");
    let secret = hub.issue_secret(&target, false).unwrap();
    hub.refresh().unwrap();
    let Login::Token(token) = hub.login(&target, secret.as_str()).unwrap() else {
        panic!("the secret was just issued");
    };
    (instance, token.as_str().to_owned())
}

/// Makes one product's name unreadable, or puts it right.
fn set_product(instance: &InProcessAppliance, product: &str) -> String {
    let db = rusqlite::Connection::open(instance.state().join("airlock.db")).unwrap();
    let before = db
        .query_row("SELECT product FROM owner LIMIT 1", [], |row| row.get(0))
        .unwrap();
    db.execute("UPDATE owner SET product = ?", [product]).unwrap();
    before
}

#[test]
fn content_is_there_at_once_and_targets_once_they_were_read() {
    let (instance, token) = with_token();
    let live = Live::begin(&Arc::new(instance.appliance()), Duration::ZERO).unwrap();
    let registry = Registry::new(&live).unwrap();
    let view = SiteView::new("127.0.0.1:5000", false, SiteView::INTERVAL, None).unwrap();
    let hub = Hub::new(&live, view).unwrap();
    assert_eq!(registry.snapshot().active().count(), 1);
    assert!(!live.is_whole() && hub.identify(&token).is_none() && hub.targets().is_empty());
    let _watcher = Watcher::start(&live).unwrap();
    assert!(wait(live.whole()) && live.is_whole());
    assert!(hub.identify(&token).is_some());
    assert_eq!(hub.targets().len(), 2);
}

#[test]
fn agents_wait_for_the_targets_and_are_answered() {
    let (instance, token) = with_token();
    let serving = Serving::begin(instance);
    // The first of all requests.
    let reply = serving.agent(&token, "GET", "resources", "");
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.json()["deployments"].as_array().unwrap().len(), 1);
}

#[test]
fn while_targets_cannot_be_read_content_is_served_and_no_agent_is_refused() {
    let (instance, token) = with_token();
    let product = set_product(&instance, "no name");
    let serving = Serving::begin(instance);
    let reply = serving.agent(&token, "GET", "resources", "");
    assert_eq!((reply.status, reply.body.as_slice()), (503, &b"E-STATE targets\n"[..]));
    assert_eq!(get(serving.address, &format!("/v2/{REPOSITORY}/tags/list")).status, 200);
    // Who shows credentials would be told that they are not good.
    let asked = serving.send("GET", "/v2/", &[("Authorization", &basic("any", &token))], b"");
    assert_eq!((asked.status, asked.code().as_str()), (503, "UNAVAILABLE"));
    // It hears of it a moment after those who ask.
    wait_for("a word of the targets", || {
        let ready = get(serving.address, "/readyz");
        (ready.status, &ready.json()["checks"]["releases"] == "ok") == (503, false)
    });
    // Once it can be read again nobody has to start anything.
    set_product(&serving.instance, &product);
    wait_for("the targets", || {
        serving.agent(&token, "GET", "resources", "").status == 200
    });
    wait_for("a good word", || get(serving.address, "/readyz").status == 200);
}

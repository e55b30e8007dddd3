//! The pull log: who asked for which content, and what came of it, for whoever asks for such lines.

use crate::support::appliance::{Serving, read, wait_for};
use crate::support::client::get;
use crate::support::site::Site;

const A: &str = "docker.io/library/a";

#[test]
fn every_request_for_content_is_a_line_at_its_own_level() {
    let site = Site::new();
    let manifest = b"{}";
    site.release("erp", 1).tag(A, "v1", manifest).live();
    let log = site.path().join("log");
    let serving = Serving::start_logging(site.path(), &log);
    let good = format!("/v2/{A}/manifests/v1");
    let none = format!("/v2/{A}/manifests/v2");
    assert_eq!(get(serving.address, &good).status, 200);
    assert_eq!(get(serving.address, &none).status, 404);
    assert_eq!(get(serving.address, "/healthz").status, 200);
    let lines = || {
        let text = String::from_utf8(read(&log)).unwrap();
        let lines = text.lines().filter(|line| line.contains("a request for content"));
        lines.map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    wait_for("the lines", || lines().len() >= 2);
    let lines = lines();
    let found = |path: &str, rest: &str| {
        let line = lines.iter().find(|line| line.contains(&format!("path=\"{path}\"")));
        let line = line.unwrap_or_else(|| panic!("{path}: {lines:#?}"));
        assert!(line.contains("DEBUG") && line.contains(rest), "{line}");
        assert!(line.contains("peer=127.0.0.1 who=\"-\" method=GET"), "{line}");
    };
    found(&good, &format!("status=200 bytes={}", manifest.len()));
    found(&none, "status=404");
    assert!(!lines.iter().any(|line| line.contains("healthz")), "{lines:#?}");
}

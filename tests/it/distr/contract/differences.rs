//! Where the appliance answers otherwise than the recorded hub, on purpose, each with its reason.
//!
//! A test names the rows that show in its recording; what fits no row fails it, and so does a row that shows no more.

use serde_json::Value;

use super::compare::Mismatch;

/// A difference that is meant.
struct Difference {
    name: &'static str,
    reason: &'static str,
    covers: fn(&Mismatch) -> bool,
}

const DIFFERENCES: &[Difference] = &[
    Difference {
        name: "no-store",
        reason: "answers that may hold secrets say that nobody shall keep them (threat model A04)",
        covers: |m| api(m) && matches!(m.field.as_str(), "header cache-control" | "header referrer-policy"),
    },
    Difference {
        name: "whole-seconds",
        reason: "signed documents write times in whole seconds; agents do not read this one",
        covers: |m| m.field == "$.version.createdAt",
    },
    Difference {
        name: "own-words",
        reason: "one line for people, which agents only log; it says nothing of which targets there are",
        covers: |m| {
            api(m)
                && m.status >= 400
                && matches!(
                    m.field.as_str(),
                    "text" | "header content-type" | "header x-content-type-options"
                )
        },
    },
    Difference {
        name: "successes-are-free",
        reason: "only failed logins count: an agent whose clock is wrong logs in before every request (A09)",
        covers: |m| m.path.ends_with("/login") && m.status == 429 && m.answers("200 "),
    },
    Difference {
        name: "json-only",
        reason: "a body that does not call itself JSON is none: no form of a browser gets through; agents always say it",
        covers: |m| m.path.ends_with("/metrics") && m.field == "status" && m.answers("400 ") && m.says("content type"),
    },
    Difference {
        name: "interval",
        reason: "a time that does not divide 30 s, because of the agents' deadlock (D11)",
        covers: |m| m.field.ends_with(".DISTR_INTERVAL") && m.ours == "5.37s",
    },
    Difference {
        name: "agent-image",
        reason: "agents and autoheal come from the bundle, by digest, from the appliance itself",
        covers: |m| {
            m.field.rsplit('.').next() == Some("image")
                && m.ours
                    .as_str()
                    .is_some_and(|image| image.starts_with(&m.host) && image.contains("@sha256:"))
        },
    },
    Difference {
        name: "pod-template",
        reason: "the version stands in the pod template, so that a new one always replaces the pod",
        covers: |m| m.field.ends_with(".spec.template.metadata.annotations") && m.theirs.is_null(),
    },
    Difference {
        name: "chart-address",
        reason: "repositories keep the host that they come from (D8); classic charts are served by the appliance (D9)",
        covers: |m| {
            m.field.ends_with(".chartUrl")
                && (m.ours
                    == m.theirs.as_str().unwrap_or_default().replacen(
                        &m.host,
                        &format!("{}/registry.example", m.host),
                        1,
                    )
                    || (m.theirs == super::mirror::RECORDED_CHARTS
                        && m.ours == format!("http://{}/charts/registry.example/acme-lab/charts/classic", m.host)))
        },
    },
    Difference {
        name: "script-words",
        reason: "our own sentence as comment; every line that does something is the hub's",
        covers: |m| {
            m.path.ends_with("/pre-connect")
                && m.status == 200
                && m.field == "text"
                && commands(&m.theirs) == commands(&m.ours)
        },
    },
    Difference {
        name: "oci-errors",
        reason: "the specification wants errors as application/json with its own codes; the hub labels them text, and has plain text for 401",
        covers: |m| {
            registry(m)
                && m.status >= 400
                && (matches!(
                    m.field.as_str(),
                    "text" | "header content-type" | "header x-content-type-options"
                ) || m.field.starts_with("$.errors[0]."))
        },
    },
    Difference {
        name: "challenge",
        reason: "the realm is ours, and wrong credentials are asked for again as the specification of HTTP wants; dockerd is told of a token \
                 service, by which it pulls agent images without credentials",
        covers: |m| {
            registry(m)
                && m.field == "header www-authenticate"
                && m.ours
                    .as_str()
                    .is_some_and(|value| value.starts_with("Basic realm=") || value.starts_with("Bearer realm="))
        },
    },
    Difference {
        name: "more-headers",
        reason: "what clients can use to resume, to cache and to check, on every answer that it fits",
        covers: |m| {
            registry(m)
                && m.theirs.is_null()
                && matches!(
                    m.field.as_str(),
                    "header etag"
                        | "header accept-ranges"
                        | "header docker-distribution-api-version"
                        | "header content-range"
                )
        },
    },
    Difference {
        name: "base-body",
        reason: "the base path answers an empty JSON object, as most registries do; clients look at its status",
        covers: |m| {
            m.path == "/v2/" && m.status == 200 && matches!(m.field.as_str(), "text" | "length" | "header content-type")
        },
    },
    Difference {
        name: "blob-type",
        reason: "content is octets to a registry; the hub guesses from the first bytes",
        covers: |m| {
            m.path.contains("/blobs/") && m.field == "header content-type" && m.ours == "application/octet-stream"
        },
    },
    Difference {
        name: "open-ranges",
        reason: "an open range is a range; the hub cannot read it",
        covers: |m| m.path.contains("/blobs/") && m.status == 416 && m.answers("206 "),
    },
    Difference {
        name: "no-redirect",
        reason: "no answer leads away from the appliance: there is no other host",
        covers: |m| m.status == 307 && m.answers("200 "),
    },
    Difference {
        name: "not-modified",
        reason: "a client that names what it has is told that it has it",
        covers: |m| m.status == 200 && m.path.contains("/manifests/") && m.answers("304 "),
    },
    Difference {
        name: "tags",
        reason: "the recorded hub stood on a database that it does not support, where lists of tags fail",
        covers: |m| m.path.ends_with("/tags/list") && m.status == 500 && m.answers("200 "),
    },
    Difference {
        name: "referrers",
        reason: "signatures and bills of materials are found as the specification says; the hub has this off",
        covers: |m| m.path.contains("/referrers/") && m.answers("200 "),
    },
    Difference {
        name: "read-only",
        reason: "nothing is ever written here, whoever asks: another method, and no question of rights",
        covers: |m| registry(m) && m.status == 403 && m.answers("405 "),
    },
    Difference {
        name: "repositories",
        reason: "there are no organisations: a name that is not there is not found, and a digest that is none is invalid",
        covers: |m| {
            registry(m)
                && matches!(
                    (m.path.as_str(), m.status),
                    ("/v2/other/web/manifests/1.0", 403)
                        | ("/v2/web/manifests/1.0", 400)
                        | ("/v2/acme-lab/web/manifests/sha256:zz", 404)
                        | ("/", 401)
                )
                && (m.answers("404 ") || m.answers("400 "))
        },
    },
    Difference {
        name: "scoped-blobs",
        reason: "a digest is found in the repositories that hold it, and in no other (D18)",
        covers: |m| m.path.starts_with("/v2/acme-lab/whatever/blobs/") && m.answers("404 "),
    },
    Difference {
        name: "own-name",
        reason: "ns= chooses among the hosts that images come from, and the appliance is none of them; the hub ignores it",
        covers: |m| m.recording == "m-registry-curl" && m.path == "/v2/acme-lab/web/manifests/1.0" && m.answers("404 "),
    },
    Difference {
        name: "catalogue",
        reason: "names with their hosts, and everything that the bundle carries",
        covers: |m| m.path == "/v2/_catalog",
    },
    Difference {
        name: "no-access-tokens",
        reason: "the hub's personal access tokens do not exist here; the recorded request with one is refused",
        covers: |m| m.recording == "m-registry-curl" && m.path == "/v2/" && m.status == 200 && m.answers("401 "),
    },
    Difference {
        name: "charts-travel",
        reason: "a release cannot name a chart that it does not carry, so the missing one of the recording is there",
        covers: |m| m.recording == "kube-c-missing-chart" && m.path.ends_with("/manifests/9.9.9") && m.answers("200 "),
    },
];

fn api(mismatch: &Mismatch) -> bool {
    mismatch.path.starts_with("/api/")
}

fn registry(mismatch: &Mismatch) -> bool {
    !api(mismatch)
}

/// Lines of a script that are no comments.
fn commands(script: &Value) -> Vec<&str> {
    let lines = script.as_str().unwrap_or_default().lines();
    lines
        .filter(|line| line.starts_with("#!") || !line.starts_with('#'))
        .collect()
}

impl Mismatch {
    /// Whether our answer has another status, this one.
    fn answers(&self, status: &str) -> bool {
        self.field == "status" && self.ours.as_str().is_some_and(|answer| answer.starts_with(status))
    }

    fn says(&self, text: &str) -> bool {
        self.ours.as_str().is_some_and(|answer| answer.contains(text))
    }
}

/// The name of the difference that a mismatch belongs to.
pub(super) fn name(mismatch: &Mismatch) -> Option<&'static str> {
    DIFFERENCES
        .iter()
        .find(|difference| (difference.covers)(mismatch))
        .map(|difference| difference.name)
}

/// All names, each with a reason.
pub(super) fn all() -> impl Iterator<Item = &'static str> {
    DIFFERENCES.iter().map(|difference| {
        assert!(difference.reason.len() > 20, "{} has no reason", difference.name);
        difference.name
    })
}

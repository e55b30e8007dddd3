//! Sends what recorded agents sent, to our appliance, and compares what comes back.
//!
//! The requests come in the recorded order, on as many connections, each kept open as the recorded one was. Ids are the recorded
//! ones; tokens, secrets, digests and hosts are mapped. Whenever the recorded hub states something new for a target, a release
//! that states the same is imported into the running appliance first. Where the recording was made with the hub away, the
//! appliance is killed and comes back on the same port.

use std::collections::{BTreeMap, BTreeSet};

use airlock::domain::Uuid;
use serde_json::Value;

use super::compare::{Mismatch, compare};
use super::differences;
use super::mirror::{Mirror, RECORDED_HUB, RECORDED_REGISTRY, States, first_states};
use super::recording::{Exchange, Recording, text};
use super::served_appliance::{CREDENTIALS, ServedAppliance, basic};
use super::wire::Connection;

/// What is special about a recording.
#[derive(Default)]
pub(super) struct How {
    /// Another recording whose first target is there too, for requests about what belongs to somebody else.
    pub(super) with: Option<&'static str>,
    /// The recorded hub was away: connections cut and 503 by the proxy.
    pub(super) outage: bool,
    /// The target was deleted while its agent held a token.
    pub(super) deleted: bool,
}

/// A replay under way.
struct Replay {
    recording: Recording,
    kubernetes: bool,
    mirror: Mirror,
    served: ServedAppliance,
    states: States,
    connections: BTreeMap<String, Connection>,
    /// Ours, by placeholder.
    tokens: BTreeMap<String, String>,
    secrets: BTreeMap<String, String>,
    /// A token of each target for questions of the test's own.
    own: BTreeMap<String, String>,
    mismatches: Vec<Mismatch>,
}

/// Replays a recording; the named differences must be exactly those that show.
#[track_caller]
pub(super) fn replay(name: &str, how: &How, expected: &[&str]) {
    let mut replay = Replay::new(name, how);
    for place in 0..replay.recording.exchanges.len() {
        replay.step(place, how);
    }
    replay.count_connections(how);
    let mut found = BTreeSet::new();
    let mut unnamed = Vec::new();
    for mismatch in &replay.mismatches {
        match differences::name(mismatch) {
            Some(name) => {
                found.insert(name);
            }
            None => unnamed.push(mismatch.to_string()),
        }
    }
    assert!(
        unnamed.is_empty(),
        "{name}: {} unnamed differences from the recorded hub:\n{}",
        unnamed.len(),
        unnamed.join("\n")
    );
    let expected: BTreeSet<&str> = expected.iter().copied().collect();
    assert_eq!(found, expected, "{name}: the differences that show");
}

impl Replay {
    fn new(name: &str, how: &How) -> Self {
        let recording = Recording::read(name);
        let kubernetes = name.starts_with("kube");
        let mirror = Mirror::new();
        let mut states = first_states(&recording);
        if let Some(other) = how.with {
            states.extend(first_states(&Recording::read(other)));
        }
        let mut served = ServedAppliance::new(CREDENTIALS);
        served.install(&mirror.draft(&states, kubernetes, BTreeSet::new()));
        served.serve();
        let mut replay = Self {
            recording,
            kubernetes,
            mirror,
            served,
            states,
            connections: BTreeMap::new(),
            tokens: BTreeMap::new(),
            secrets: BTreeMap::new(),
            own: BTreeMap::new(),
            mismatches: Vec::new(),
        };
        replay.own = replay
            .states
            .keys()
            .map(|target| (target.clone(), replay.served.token(target)))
            .collect();
        replay.hold_tokens(how);
        if how.deleted {
            let removed = replay.everything();
            replay.states.clear();
            let draft = replay.mirror.draft(&replay.states, kubernetes, removed);
            replay.served.install(&draft);
            let own: Vec<String> = replay.own.values().cloned().collect();
            crate::support::appliance::wait_for("the end of the targets", || {
                std::thread::sleep(std::time::Duration::from_millis(100));
                own.iter()
                    .all(|token| replay.served.agent("GET", "resources", token, None).status == 401)
            });
        }
        replay
    }

    /// Gets the tokens that the recorded agents had before the first recorded request.
    fn hold_tokens(&mut self, how: &How) {
        let issued: BTreeSet<String> = self.recording.exchanges.iter().filter_map(issued_token).collect();
        let held: BTreeSet<String> = self
            .recording
            .exchanges
            .iter()
            .filter(|exchange| {
                how.deleted || (200..400).any(|status| exchange.answered(status)) || exchange.answered(404)
            })
            .filter_map(Exchange::token)
            .filter(|token| !issued.contains(token))
            .collect();
        for token in held {
            let target = self.recording.tokens.get(&token).cloned();
            // Sent by an agent whose token the recording does not describe: any target's will do.
            let target = target.or_else(|| self.states.keys().next().cloned()).unwrap();
            let own = self.served.token(&target);
            self.tokens.insert(token, own);
        }
    }

    fn step(&mut self, place: usize, how: &How) {
        let cut = self.recording.exchanges[place].answer.is_none();
        let by_proxy = self.recording.exchanges[place].by_proxy;
        if how.outage
            && (cut
                || self.recording.exchanges[place]
                    .answer
                    .as_ref()
                    .is_some_and(|answer| answer.status == 503))
        {
            if self.served.serves() {
                self.served.kill();
            }
            return;
        }
        if cut {
            return;
        }
        if !self.served.serves() {
            self.served.serve();
        }
        self.follow_state(place);
        self.learn_secrets(place);
        let exchange = &self.recording.exchanges[place];
        let answer = exchange.answer.as_ref().unwrap();
        let (target, headers, body) = self.request(exchange, by_proxy && answer.status == 401);
        let connection = self
            .connections
            .entry(exchange.connection.clone())
            .or_insert_with(|| self.served.connection());
        let reply = connection.send(&exchange.method, &target, &headers, body.as_deref());
        if by_proxy {
            // What the proxy made up: we answer a bad token alike, and take what it refused for its own reasons.
            let expected = if answer.status == 401 { 401 } else { 204 };
            assert_eq!(reply.status, expected, "{} {}", self.recording.name, exchange.time);
            return;
        }
        if let (Some(placeholder), 200) = (issued_token(exchange), reply.status) {
            let token = text(&reply.json()["token"]);
            self.tokens.insert(placeholder, token);
        }
        let exchange = &self.recording.exchanges[place];
        let ours = |text: &str| self.ours(text);
        self.mismatches.extend(compare(
            &self.recording.name,
            exchange,
            &reply,
            &ours,
            &self.served.address().to_string(),
        ));
    }

    /// A connection that the recorded hub kept open stays open here too.
    fn count_connections(&mut self, how: &How) {
        let again = self.connections.iter().filter(|(_, connection)| connection.opened > 1);
        for (name, connection) in again.filter(|_| !how.outage) {
            self.mismatches.push(Mismatch {
                recording: self.recording.name.clone(),
                time: name.clone(),
                method: String::new(),
                path: String::new(),
                status: 0,
                field: "connection".into(),
                theirs: 1.into(),
                ours: connection.opened.into(),
                host: String::new(),
            });
        }
    }

    /// Imports a release that states what the recorded hub is about to state, unless it does already.
    fn follow_state(&mut self, place: usize) {
        let Some((target, body)) = self.state_by(place) else {
            return;
        };
        if self.states.get(&target) == Some(&body) {
            return;
        }
        let before = self.everything();
        self.states.insert(target.clone(), body.clone());
        let after = self.everything();
        let removed = before.difference(&after).copied().collect();
        let draft = self.mirror.draft(&self.states, self.kubernetes, removed);
        self.served.install(&draft);
        let wanted = gist(&body);
        self.served
            .wait_for_resources(&self.own[&target], |found| gist(found) == wanted);
    }

    /// The state of a target that an exchange shows: by what the hub states, by a status that it takes, by a manifest.
    fn state_by(&self, place: usize) -> Option<(String, Value)> {
        let exchange = &self.recording.exchanges[place];
        let answer = exchange.answer.as_ref().filter(|_| exchange.answered(200))?;
        if exchange.path == "/api/v1/connect" {
            let version =
                &answer.body.as_ref()?["yaml"][0]["services"]["agent"]["environment"]["DISTR_AGENT_VERSION_ID"];
            let target = Uuid::parse_lenient(&secret_in(exchange)?.0).unwrap().to_string();
            if version.is_null() || self.states[&target]["version"]["id"] == *version {
                return None;
            }
            let later = self.recording.exchanges[place..].iter().find_map(|later| {
                let body = later.answer.as_ref()?.body.as_ref()?;
                (later.path == "/api/v1/agent/resources" && body["version"]["id"] == *version).then(|| body.clone())
            });
            return Some((target, later?));
        }
        let target = exchange.token().and_then(|token| self.recording.tokens.get(&token))?;
        match exchange.path.as_str() {
            "/api/v1/agent/resources" => Some((target.clone(), answer.body.clone()?)),
            "/api/v1/agent/status" => {
                // The answer that first stated this revision was left out of the recording.
                let revision = exchange.body.as_ref()?.get("revisionId")?.clone();
                let text = revision.as_str()?.to_owned();
                let stated = self.recording.exchanges.iter().any(|other| {
                    let body = other.answer.as_ref().and_then(|answer| answer.body.as_ref());
                    body.is_some_and(|body| body.to_string().contains(&text))
                });
                let mut state = self.states[target].clone();
                let deployment = state.pointer_mut("/deployments/0")?;
                if stated || deployment["revisionId"] == revision {
                    return None;
                }
                deployment["revisionId"] = revision;
                Some((target.clone(), state))
            }
            _ => None,
        }
    }

    /// Targets and deployments of the present state.
    fn everything(&self) -> BTreeSet<Uuid> {
        let mut found: BTreeSet<Uuid> = BTreeSet::new();
        for (target, state) in &self.states {
            found.insert(target.parse().unwrap());
            let deployments = state["deployments"].as_array().map_or(&[][..], Vec::as_slice);
            found.extend(
                deployments
                    .iter()
                    .map(|deployment| text(&deployment["id"]).parse::<Uuid>().unwrap()),
            );
        }
        found
    }

    /// Issues a secret when the recording comes to one that its hub accepts; any other stays a wrong one.
    fn learn_secrets(&mut self, place: usize) {
        let exchange = &self.recording.exchanges[place];
        let Some((_, placeholder)) = secret_in(exchange) else {
            return;
        };
        if self.secrets.contains_key(&placeholder) {
            return;
        }
        let accepted = self.recording.exchanges.iter().find_map(|other| {
            let (target, secret) = secret_in(other)?;
            (secret == placeholder && other.answered(200)).then_some(target)
        });
        let secret = match accepted {
            Some(target) => {
                let target = Uuid::parse_lenient(&target).unwrap().to_string();
                let secret = self.served.secret(&target);
                // What was tried before a new secret does not count against it: from here on the server knows that it is another one.
                assert_eq!(self.served.login(&target, &secret).status, 200);
                secret
            }
            None => "00112233445566778899aabbccddeeff".to_owned(),
        };
        self.secrets.insert(placeholder, secret);
    }

    /// The request in our world: target, headers, body.
    fn request(&self, exchange: &Exchange, spoil: bool) -> (String, Vec<(String, String)>, Option<Vec<u8>>) {
        let mut target = self.ours(&exchange.path);
        if let Some(query) = &exchange.query {
            target += &format!("?{}", self.ours(query));
        }
        let mut headers = Vec::new();
        for (name, value) in &exchange.headers {
            if let Some(given) = value.get("basic") {
                let (user, password) = (text(&given["user"]), self.credential(&text(&given["password"]), spoil));
                headers.push((name.clone(), basic(&user, &password)));
            } else if let Some(list) = value.as_array() {
                headers.extend(list.iter().map(|value| (name.clone(), text(value))));
            } else {
                let value = text(value);
                let value = match value.split_once(' ') {
                    Some((scheme, token)) if token.starts_with("<jwt-") => {
                        format!("{scheme} {}", self.credential(token, spoil))
                    }
                    _ => self.ours(&value),
                };
                headers.push((name.clone(), value));
            }
        }
        if exchange.via == "hub" && !exchange.path.ends_with("connect") {
            // Left out of the recordings; the agents' library always sends it.
            headers.push(("Accept-Encoding".into(), "gzip".into()));
        }
        let body = exchange.body.as_ref().map(|body| match body {
            Value::String(raw) => raw.clone().into_bytes(),
            body if body.get("omitted_bytes").is_some() => self.log_batch(exchange, body),
            body => self.ours(&body.to_string()).into_bytes(),
        });
        (target, headers, body)
    }

    /// A batch of container logs as large as one that was too large to be written down.
    fn log_batch(&self, exchange: &Exchange, body: &Value) -> Vec<u8> {
        let bytes = usize::try_from(body["omitted_bytes"].as_u64().unwrap()).unwrap();
        let target = &self.recording.tokens[&exchange.token().unwrap()];
        let deployment = &self.states[target]["deployments"][0];
        let mut batch = Vec::with_capacity(bytes);
        let mut number = 0;
        while batch.len() < bytes {
            batch.push(if number == 0 { b'[' } else { b',' });
            let record = serde_json::json!({
                "id": "00000000-0000-0000-0000-000000000000", "deploymentId": deployment["id"],
                "deploymentRevisionId": deployment["revisionId"], "resource": "web-1",
                "timestamp": "2026-11-21T01:30:00.123456789Z", "severity": "Log", "body": format!("line {number}"),
            });
            batch.extend(record.to_string().into_bytes());
            number += 1;
        }
        batch.push(b']');
        batch
    }

    /// A secret, a token, or a token that was never issued.
    fn credential(&self, placeholder: &str, spoil: bool) -> String {
        if placeholder.starts_with("<jwt-") && (spoil || !self.tokens.contains_key(placeholder)) {
            let token = self.own.values().next().unwrap();
            let (rest, signature) = token.rsplit_once('.').unwrap();
            let other: String = signature.chars().rev().collect();
            return format!("{rest}.{other}");
        }
        self.ours(placeholder)
    }

    /// A recorded text in our world.
    fn ours(&self, text: &str) -> String {
        let address = self.served.address().to_string();
        let mut text = text
            .replace(RECORDED_REGISTRY, &address)
            .replace(RECORDED_HUB, &address);
        for (placeholder, ours) in self.tokens.iter().chain(&self.secrets) {
            text = text.replace(placeholder, ours);
        }
        if text.contains("sha256:") {
            for (recorded, ours) in &self.mirror.digests {
                text = text.replace(recorded, &ours.to_string());
            }
        }
        text
    }
}

/// What tells one desired state from another.
fn gist(body: &Value) -> Vec<Value> {
    let deployments = body["deployments"].as_array().map_or(&[][..], Vec::as_slice);
    let flags = [
        &body["version"]["id"],
        &body["metricsEnabled"],
        &body["deploymentLogsEnabled"],
    ];
    let flags = flags.into_iter().cloned();
    flags
        .chain(deployments.iter().map(|deployment| deployment["revisionId"].clone()))
        .collect()
}

/// The placeholder of the token that a recorded login returned.
fn issued_token(exchange: &Exchange) -> Option<String> {
    let answer = exchange.answer.as_ref().filter(|answer| answer.status == 200)?;
    let body = answer.body.as_ref().filter(|_| exchange.path.ends_with("/login"))?;
    Some(text(&body["token"]))
}

/// The target that a request names and the secret's placeholder that it gives.
fn secret_in(exchange: &Exchange) -> Option<(String, String)> {
    if let Some((user, password)) = exchange.basic() {
        return Some((user, password)).filter(|(_, password)| password.starts_with("<target-secret-"));
    }
    let query = exchange.query.as_deref()?;
    let member = |name: &str| {
        let (_, rest) = query.split_once(&format!("{name}="))?;
        rest.split('&').next().map(str::to_owned)
    };
    let secret = member("targetSecret").filter(|secret| secret.starts_with("<target-secret-"))?;
    Some((member("targetId")?, secret))
}

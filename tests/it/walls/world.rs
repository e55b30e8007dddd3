//! A's whole observable world: every question that anybody may ask about A's names, digests and UUIDs, with its answer.
//!
//! Two worlds compare by question, so that a difference says who is told what now, and what it was before. Lists of everything are
//! reduced to what is A's; a refusal is its status and code, because its words may name what is hidden.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use airlock::appliance::{Appliance, Authority, Options};
use airlock::domain::{Digest, Timestamp};
use airlock::http::TlsSettings;
use base64::Engine as _;
use serde_json::Value;

use super::neighbour::{
    AGENT, AUTOHEAL, CLASSIC_CHART, Issue, KUBERNETES_AGENT, NEVER, Neighbour, OCI_CHART, PLAIN, SHARED, WEB,
};
use super::stage::{Mode, Passes, Stage, now};
use super::wire::Wire;
use crate::support::agents::basic;
use crate::support::client::Reply;
use crate::support::site::digest;
use crate::support::tls;

/// Tags that are asked for: those that A has at some time, and those by which others try.
const TAGS: [(&str, &[&str]); 9] = [
    (WEB, &["7.0", "8.0", "9.0", "b-agent", "latest", "stable"]),
    (PLAIN, &["b", "m"]),
    (AGENT, &["3.1.0", "b-agent", "latest"]),
    (AUTOHEAL, &["3.1.0", "b-agent"]),
    (KUBERNETES_AGENT, &["3.1.0", "b-agent"]),
    (OCI_CHART, &["1.0.0", "2.0.0"]),
    (CLASSIC_CHART, &["0", "7.0.0", "7.1.0", "9.9.9"]),
    (SHARED, &["1"]),
    (NEVER, &["1", "latest"]),
];
/// Archives of A's charts, past and present.
const ARCHIVES: [(&str, &[&str]); 2] = [
    (CLASSIC_CHART, &["erp-7.0.0.tgz", "erp-7.1.0.tgz"]),
    (OCI_CHART, &["shop-1.0.0.tgz"]),
];

/// Questions about content, the same for every look.
pub(super) struct Questions {
    /// Repository, and the rest of the path.
    content: Vec<(&'static str, String)>,
    subjects: Vec<Digest>,
    ids: Vec<String>,
    domain: String,
}

/// Questions and answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct World(BTreeMap<String, String>);

/// How much is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Everything.
    Whole,
    /// What can follow from names alone: content by digest and bundles to come are left out.
    Names,
    /// Of that, what clients ask for themselves: no lists.
    Clients,
}

/// One look at a running appliance.
struct Look<'a> {
    depth: Depth,
    stage: &'a Stage,
    questions: &'a Questions,
    passes: &'a Passes,
    answers: BTreeMap<String, String>,
}

impl Questions {
    pub(super) fn of(a: &Neighbour) -> Self {
        let mut content = Vec::new();
        let goods: Vec<_> = Issue::ALL.map(|issue| a.content(issue)).into();
        let web = Neighbour::web(&mut a.content(Issue::First));
        for (repository, tags) in TAGS {
            for tag in tags {
                content.push((repository, format!("manifests/{tag}")));
            }
            let mut digests: Vec<(Digest, Vec<Digest>)> = goods
                .iter()
                .flat_map(|goods| {
                    let named = goods.named(repository).into_iter();
                    named.map(|manifest| (manifest, goods.blobs_of(&manifest)))
                })
                .collect();
            digests.sort();
            digests.dedup();
            for (manifest, blobs) in digests {
                content.push((repository, format!("manifests/{manifest}")));
                content.extend(blobs.iter().map(|blob| (repository, format!("blobs/{blob}"))));
            }
        }
        for tag in about_tags(&web) {
            content.push((WEB, format!("manifests/{tag}")));
        }
        let plain = Neighbour::plain(&mut a.content(Issue::First), airlock::domain::oci::OCI_MANIFEST);
        Self {
            content,
            subjects: vec![web, plain],
            ids: a.ids().iter().map(ToString::to_string).collect(),
            domain: a.vendor.domain().to_string(),
        }
    }
}

/// The tags by which tools find what refers to an image.
pub(super) fn about_tags(subject: &Digest) -> [String; 3] {
    let hex = subject.0.to_hex();
    [
        format!("sha256-{hex}"),
        format!("sha256-{hex}.sig"),
        format!("sha256-{hex}.att"),
    ]
}

impl World {
    /// Asks about an appliance on which this release of A is live.
    pub(super) fn of(
        (stage, depth): (&Stage, Depth),
        a: &Neighbour,
        questions: &Questions,
        passes: &Passes,
        issue: Issue,
    ) -> Self {
        let mut look = Look {
            depth,
            stage,
            questions,
            passes,
            answers: BTreeMap::new(),
        };
        look.content();
        look.agents(a);
        look.certificates();
        if depth != Depth::Clients {
            look.lists();
            look.charts();
            look.program();
        }
        if depth == Depth::Whole {
            look.verdicts(a, issue);
        }
        Self(look.answers)
    }

    /// Every question that is answered in another way afterwards, unless that is allowed.
    pub(super) fn differences(&self, after: &Self, allowed: impl Fn(&str) -> bool) -> Vec<String> {
        let questions = self.0.keys().chain(after.0.keys());
        let mut questions: Vec<_> = questions.filter(|question| !allowed(question)).collect();
        questions.sort();
        questions.dedup();
        let said = |world: &Self, question: &String| world.0.get(question).map_or("nothing", String::as_str).to_owned();
        questions
            .into_iter()
            .filter(|question| self.0.get(*question) != after.0.get(*question))
            .map(|question| {
                let (before, after) = (said(self, question), said(after, question));
                format!("{question}\n        was {}\n        is  {}", cut(&before), cut(&after))
            })
            .collect()
    }

    /// What is answered to a question.
    pub(super) fn answer(&self, question: &str) -> &str {
        &self.0[question]
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

fn cut(text: &str) -> String {
    text.chars().take(300).collect()
}

/// Status, types, digest and bytes of an answer; of a refusal status and code.
fn told(reply: &Reply) -> String {
    if reply.status >= 400 {
        let json: Option<Value> = std::str::from_utf8(&reply.body)
            .ok()
            .and_then(|text| serde_json::from_str(text).ok());
        let code = json.and_then(|json| json["errors"][0]["code"].as_str().map(str::to_owned));
        return format!("{} {}", reply.status, code.unwrap_or_default());
    }
    let header = |name| reply.header(name).unwrap_or("-");
    format!(
        "{} {} {} {} bytes, {}",
        reply.status,
        header("content-type"),
        header("docker-content-digest"),
        header("content-length"),
        &digest(&reply.body).0.to_hex()[..12]
    )
}

/// The three ways to name content of a repository.
fn forms(repository: &str, rest: &str) -> Vec<(&'static str, String)> {
    let (host, path) = repository.split_once('/').unwrap();
    let mut forms = vec![
        ("host", format!("/v2/{repository}/{rest}")),
        ("ns", format!("/v2/{path}/{rest}?ns={host}")),
    ];
    // A shared host is nobody's home: what a name without host means there is for others to say.
    if repository != SHARED {
        forms.push(("bare", format!("/v2/{path}/{rest}")));
    }
    forms
}

impl Look<'_> {
    fn note(&mut self, question: String, answer: String) {
        let known = self.answers.insert(question, answer);
        assert!(known.is_none(), "a question is asked once");
    }

    fn basic(&self, name: &str) -> String {
        basic("-", &self.passes.tokens[name])
    }

    /// Who asks where: read mode, words for it, credentials.
    fn askers(&self) -> Vec<(Mode, &'static str, Option<String>)> {
        let mut askers = vec![
            (Mode::Loopback, "loopback, nobody", None),
            (Mode::Credentials, "credentials, nobody", None),
        ];
        if !self.passes.tokens.is_empty() {
            let token = self.basic("press-1");
            askers.push((Mode::Credentials, "credentials, press-1", Some(token)));
        }
        askers
    }

    fn content(&mut self) {
        for (mode, who, credentials) in self.askers() {
            let everything = who == "loopback, nobody";
            let mut wire = Wire::to(self.stage.address(mode));
            let headers: Vec<(&str, &str)> = credentials.iter().map(|value| ("Authorization", &value[..])).collect();
            for (repository, rest) in &self.questions.content {
                let blob = rest.starts_with("blobs/");
                if self.depth != Depth::Whole && rest.contains("sha256:") {
                    continue;
                }
                for (form, path) in forms(repository, rest) {
                    // Names are found by one rule for all; who may read what is found, by another.
                    if !everything && (form == "ns" || (blob && form == "bare")) {
                        continue;
                    }
                    let reply = wire.get(&path, &headers);
                    self.note(format!("GET {path} ({form}; {who})"), told(&reply));
                    if everything && form == "host" {
                        let reply = wire.send("HEAD", &path, &headers, b"");
                        self.note(format!("HEAD {path} ({who})"), told(&reply));
                    }
                }
            }
        }
    }

    fn lists(&mut self) {
        for (mode, who, credentials) in self.askers() {
            let mut wire = Wire::to(self.stage.address(mode));
            let headers: Vec<(&str, &str)> = credentials.iter().map(|value| ("Authorization", &value[..])).collect();
            for (repository, _) in TAGS {
                for (form, path) in forms(repository, "tags/list") {
                    if form == "ns" && who != "loopback, nobody" {
                        continue;
                    }
                    let reply = wire.get(&path, &headers);
                    let tags = if reply.status == 200 {
                        reply.json()["tags"].to_string()
                    } else {
                        told(&reply)
                    };
                    // Whether a repository without a tag is known at all depends on others' digests.
                    let none = repository == NEVER && matches!(reply.status, 200 | 404) && !tags.contains('"');
                    let tags = if none { "no tags".to_owned() } else { tags };
                    self.note(format!("GET {path} ({form}; {who})"), tags);
                }
            }
            for subject in &self.questions.subjects {
                for repository in [WEB, PLAIN] {
                    for (form, path) in forms(repository, &format!("referrers/{subject}")) {
                        if form == "ns" && who != "loopback, nobody" {
                            continue;
                        }
                        let reply = wire.get(&path, &headers);
                        self.note(format!("GET {path} ({form}; {who})"), listed(&reply, "manifests"));
                    }
                }
            }
            let reply = wire.get("/v2/_catalog?n=1000", &headers);
            let mine = |name: &str| TAGS.iter().any(|(repository, _)| *repository == name && name != NEVER);
            let answer = if reply.status == 200 {
                let all = reply.json();
                let names = all["repositories"].as_array().unwrap().iter();
                let names: Vec<_> = names
                    .filter_map(|name| name.as_str().filter(|name| mine(name)))
                    .collect();
                names.join(" ")
            } else {
                told(&reply)
            };
            self.note(format!("GET /v2/_catalog ({who})"), answer);
        }
    }

    fn charts(&mut self) {
        let mut askers = vec![
            (Mode::Loopback, "loopback, nobody", None),
            (Mode::Credentials, "credentials, nobody", None),
        ];
        if !self.passes.tokens.is_empty() {
            askers.push((Mode::Credentials, "credentials, cluster", Some(self.basic("cluster"))));
        }
        for (mode, who, credentials) in askers {
            let mut wire = Wire::to(self.stage.address(mode));
            let headers: Vec<(&str, &str)> = credentials.iter().map(|value| ("Authorization", &value[..])).collect();
            for (repository, archives) in ARCHIVES {
                let path = format!("/charts/{repository}/index.yaml");
                let reply = wire.get(&path, &headers);
                let mut entries = Vec::new();
                if reply.status == 200 {
                    let index = reply.json();
                    for entry in index["entries"]
                        .as_object()
                        .unwrap()
                        .values()
                        .flat_map(|list| list.as_array().unwrap())
                    {
                        let file = format!(
                            "{}-{}.tgz",
                            entry["name"].as_str().unwrap(),
                            entry["version"].as_str().unwrap()
                        );
                        // Versions that A never had are another's own.
                        if archives.contains(&&file[..]) {
                            entries.push(entry.to_string());
                        }
                    }
                }
                entries.sort();
                self.note(format!("GET {path}, A's versions ({who})"), entries.join(" "));
                for file in archives {
                    let path = format!("/charts/{repository}/{file}");
                    let reply = wire.get(&path, &headers);
                    self.note(format!("GET {path} ({who})"), told(&reply));
                }
            }
        }
    }

    /// What A's agents are told, by the tokens they have and by the secrets they hold.
    fn agents(&mut self, a: &Neighbour) {
        let mut wire = Wire::to(self.stage.address(Mode::Credentials));
        let passes = self.passes;
        for (name, (id, secret)) in &passes.secrets {
            let login = basic(&id.to_string(), secret);
            let reply = wire.send("POST", "/api/v1/agent/login", &[("Authorization", &login)], b"");
            let answer = if reply.status == 200 {
                claims(reply.json()["token"].as_str().unwrap())
            } else {
                told(&reply)
            };
            self.note(format!("login of {name}"), answer);
            for path in ["connect", "pre-connect"] {
                let reply = wire.get(&format!("/api/v1/{path}?targetId={id}&targetSecret={secret}"), &[]);
                self.note(format!("{path} of {name}"), told(&reply));
            }
            let bearer = format!("Bearer {}", passes.tokens[name]);
            let headers = [
                ("Authorization", &bearer[..]),
                ("Content-Type", "application/json"),
                ("User-Agent", "DistrAgentClient/3.1.0"),
            ];
            for path in ["resources", "manifest"] {
                let reply = wire.get(&format!("/api/v1/agent/{path}"), &headers);
                self.note(format!("{path} for the old token of {name}"), told(&reply));
            }
            let report = format!(
                r#"{{"revisionId":"{}","type":"healthy","message":"A stands"}}"#,
                a.revision()
            );
            let reply = wire.send("POST", "/api/v1/agent/status", &headers, report.as_bytes());
            self.note(format!("status by the old token of {name}"), told(&reply));
        }
        let first = self.stage.status.tail(0, 1).unwrap();
        let mut stream = String::new();
        for listed in first {
            write!(
                stream,
                "{:?} {:?} {}",
                listed.source, listed.record.class, listed.record.text
            )
            .unwrap();
        }
        self.note("the first record of A's stream".into(), stream);
    }

    /// What the command line lists of A.
    fn program(&mut self) {
        let json = |arguments: &[&str]| {
            let (good, out, err) = self.stage.program(arguments);
            assert!(good, "{err}");
            serde_json::from_str::<Value>(&out).unwrap()
        };
        let targets = json(&["--format", "json", "target", "list"]);
        let releases = json(&["--format", "json", "release", "list"]);
        let local: Vec<String> = self.passes.secrets.values().map(|(id, _)| id.to_string()).collect();
        for target in targets["targets"].as_array().unwrap() {
            let id = target["id"].as_str().unwrap().to_owned();
            if self.questions.ids.contains(&id) || local.contains(&id) {
                let mut target = target.clone();
                // What agents reported, and when, is theirs.
                for member in ["state", "last_contact", "connected", "agent_reported"] {
                    target.as_object_mut().unwrap().remove(member);
                }
                for deployment in target["deployments"].as_array_mut().unwrap() {
                    for member in ["state", "state_text", "reported", "runs", "runs_revision"] {
                        deployment.as_object_mut().unwrap().remove(member);
                    }
                    // How often it said so: every time it is asked here.
                    if let Some(latest) = deployment["latest"].as_object_mut() {
                        latest.remove("count");
                    }
                }
                self.note(format!("target list: {id}"), target.to_string());
            }
        }
        for release in releases["releases"].as_array().unwrap() {
            let (product, channel) = (&release["product"], &release["channel"]);
            let domain = self.questions.domain.as_str();
            if release["domain"] == domain && product == "erp" && channel == "stable" {
                let name = format!("release list: {}", release["sequence"]);
                self.note(name, release.to_string());
            }
        }
    }

    /// The certificate that is shown now, and when one that would be made now ends.
    fn certificates(&mut self) {
        let authority = &self.stage.authority;
        let config = tls::trusting(authority.certificate_pem());
        let shown = tls::shown(&config, self.stage.tls_address(), "localhost").unwrap();
        self.note("the certificate shown".into(), digest(&shown).to_string());
        let appliance = Appliance::open(&self.stage.state(), self.stage.shared_clock()).unwrap();
        let fresh = Authority::open(&appliance).unwrap();
        let leaf = fresh.issue(&TlsSettings::default().names).unwrap();
        self.note("the last day of a certificate made now".into(), leaf.until.to_string());
        self.note("the authority".into(), fresh.fingerprint().to_string());
    }

    /// What would become of A's next bundles, by a good clock and by a dead one, which lets the floor alone judge.
    fn verdicts(&mut self, a: &Neighbour, issue: Issue) {
        let floor = issue.issued_at();
        let dead: Timestamp = "1970-01-02T00:00:00Z".parse().unwrap();
        let year = 366 * 24 * 3600;
        let hour = 3600;
        let goods = a.content(issue);
        let late = now().plus_seconds(2000 * 24 * hour);
        for (name, at, issued_at, expires) in [
            ("good", now(), now(), now().plus_seconds(24 * hour)),
            ("expired", now(), floor.plus_seconds(-hour), now().plus_seconds(-1)),
            ("issued 49 h ahead", now(), now().plus_seconds(49 * hour), late),
            (
                "that ends before A's floor, by a dead clock",
                dead,
                floor.plus_seconds(-hour),
                floor.plus_seconds(-1),
            ),
            (
                "that ends after A's floor, by a dead clock",
                dead,
                floor.plus_seconds(-hour),
                floor.plus_seconds(1),
            ),
            (
                "issued a year after A's floor, by a dead clock",
                dead,
                floor.plus_seconds(year - hour),
                late,
            ),
            (
                "issued longer after A's floor, by a dead clock",
                dead,
                floor.plus_seconds(year + hour),
                late,
            ),
        ] {
            let statement = super::forge::Statement {
                sequence: 20,
                issued_at,
                expires,
                ..a.statement(issue)
            };
            let options = Options {
                dry_run: true,
                ..Options::default()
            };
            let answer = match self.stage.import_at(&a.vendor.bundle(&statement, &goods), &options, at) {
                Ok(outcome) => format!("{outcome:?}"),
                Err(error) => format!("{} {} at {:?}", error.class(), error.code(), error.step()),
            };
            self.note(format!("dry run of a bundle of A {name}"), answer);
        }
    }
}

/// What a token says.
fn claims(token: &str) -> String {
    let claims = token.split('.').nth(1).unwrap();
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).unwrap();
    String::from_utf8(claims).unwrap()
}

/// The digests of a list, or why there is none.
fn listed(reply: &Reply, member: &str) -> String {
    if reply.status != 200 {
        return told(reply);
    }
    let json = reply.json();
    let list = json[member].as_array().unwrap().iter();
    let digests: Vec<_> = list.filter_map(|entry| entry["digest"].as_str()).collect();
    digests.join(" ")
}

/// Names and content of A that a stranger with this token gets, though nothing of the stranger's own is asked for.
pub(super) fn trespasses(
    stage: &Stage,
    questions: &Questions,
    token: &str,
    own: impl Fn(&Digest) -> bool,
) -> Vec<String> {
    let mut wire = Wire::to(stage.address(Mode::Credentials));
    let header = basic("-", token);
    let mut found = Vec::new();
    for (repository, rest) in &questions.content {
        let by_digest = rest
            .rsplit_once('/')
            .and_then(|(_, reference)| reference.parse::<Digest>().ok());
        // Agent images are for everybody.
        let public = matches!(*repository, AGENT | AUTOHEAL | KUBERNETES_AGENT);
        if public || by_digest.is_some_and(|digest| own(&digest)) {
            continue;
        }
        for (form, path) in forms(repository, rest) {
            let reply = wire.get(&path, &[("Authorization", &header)]);
            let body = digest(&reply.body);
            if reply.status == 200 && !own(&body) {
                found.push(format!(
                    "GET {path} ({form}; another vendor's agent)\n        is  {}",
                    told(&reply)
                ));
            }
        }
    }
    found
}

/// The token that an agent of a target gets for a new secret.
pub(super) fn token_of(stage: &Stage, target: &airlock::domain::Uuid) -> String {
    let secret = stage.hub.issue_secret(target, false).unwrap();
    stage.hub.refresh().unwrap();
    let login = basic(&target.to_string(), secret.as_str());
    let mut wire = Wire::to(stage.address(Mode::Credentials));
    let reply = wire.send("POST", "/api/v1/agent/login", &[("Authorization", &login)], b"");
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["token"].as_str().unwrap().to_owned()
}

//! Prepared appliances with A on them, and copies of these that run: import, servers, agents, one clock for all.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use airlock::appliance::fleet::{Hub, SiteView};
use airlock::appliance::live::Live;
use airlock::appliance::registry::Registry;
use airlock::appliance::status::{Quota, StatusBuffer};
use airlock::appliance::{Appliance, Authority, NewAppliance, Options, Outcome, init};
use airlock::domain::{Clock, FixedClock, Result, Timestamp, Uuid};
use airlock::http::{AgentSettings, ReadPolicy, Running, Server, Services, Settings, TlsSettings};
use tempfile::TempDir;

use super::neighbour::{Issue, NOW, Neighbour};
use super::wire::Wire;
use crate::support::agents::basic;
use crate::support::appliance::{AIRLOCK, import_here, scratch, write};
use crate::support::desired::HUB_SECRET;
use crate::support::site::TestClock;
use crate::support::status::AT_ONCE;

/// Where agents find the appliance: the same for every copy, whatever its ports.
const ADDRESS: &str = "airlock.plant.test";

/// What is on an appliance before the hostile bundle comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Ground {
    /// Nothing: both vendors are pinned.
    Empty,
    /// A's first release, live.
    Live,
    /// As that, and a wider release that waits.
    Standby,
    /// A's second release, live.
    Second,
}

/// What A's agents hold.
pub(super) struct Passes {
    pub(super) secrets: BTreeMap<&'static str, (Uuid, String)>,
    pub(super) tokens: BTreeMap<&'static str, String>,
}

/// A state folder at rest.
pub(super) struct Prepared {
    folder: TempDir,
    pub(super) ground: Ground,
    pub(super) passes: Arc<Passes>,
}

/// A copy of it that runs. Fields end in this order: the servers before what they answer from.
pub(super) struct Stage {
    loopback: Running,
    credentials: Running,
    pub(super) hub: Arc<Hub>,
    pub(super) status: Arc<StatusBuffer>,
    registry: Arc<Registry>,
    pub(super) authority: Arc<Authority>,
    clock: TestClock,
    folder: TempDir,
}

/// The servers that a question may go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Loopback,
    Credentials,
}

impl Ground {
    /// The release of A that is live.
    pub(super) fn issue(self) -> Option<Issue> {
        match self {
            Self::Empty => None,
            Self::Live | Self::Standby => Some(Issue::First),
            Self::Second => Some(Issue::Second),
        }
    }

    /// The one that A sends next.
    pub(super) fn next(self) -> Issue {
        match self {
            Self::Empty => Issue::First,
            Self::Live => Issue::Second,
            Self::Standby => Issue::WiderLater,
            Self::Second => Issue::Third,
        }
    }
}

pub(super) fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn state_in(folder: &TempDir) -> PathBuf {
    folder.path().join("state")
}

impl Prepared {
    /// Makes an appliance that trusts these vendors and has nothing yet.
    pub(super) fn empty(pins: &[airlock::crypto::Chain]) -> Self {
        let folder = scratch();
        let new = NewAppliance {
            name: "plant",
            pins,
            now: now(),
        };
        init(&state_in(&folder), &new).unwrap();
        Self {
            folder,
            ground: Ground::Empty,
            passes: Arc::new(Passes {
                secrets: BTreeMap::new(),
                tokens: BTreeMap::new(),
            }),
        }
    }

    /// Lets A's first release go live, issues secrets, lets agents in.
    pub(super) fn live(&self, a: &Neighbour) -> Self {
        let stage = Stage::of(self);
        stage.import(&a.bundle(Issue::First), &Options::default()).unwrap();
        let local = stage.hub.add_target("press-9", &a.press()).unwrap();
        let mut secrets = BTreeMap::new();
        for (name, id) in [("press-1", a.press()), ("cluster", a.cluster()), ("press-9", local)] {
            let secret = stage.hub.issue_secret(&id, false).unwrap();
            secrets.insert(name, (id, secret.as_str().to_owned()));
        }
        secrets.insert("hub-1", (Neighbour::hub_target(), HUB_SECRET.to_owned()));
        stage.hub.refresh().unwrap();
        let mut wire = Wire::to(stage.address(Mode::Credentials));
        let mut tokens = BTreeMap::new();
        for (name, (id, secret)) in &secrets {
            let header = basic(&id.to_string(), secret);
            let reply = wire.send("POST", "/api/v1/agent/login", &[("Authorization", &header)], b"");
            assert_eq!(reply.status, 200, "{name}: {reply:?}");
            tokens.insert(*name, reply.json()["token"].as_str().unwrap().to_owned());
        }
        let bearer = format!("Bearer {}", tokens["press-1"]);
        let report = format!(
            r#"{{"revisionId":"{}","type":"healthy","message":"A stands"}}"#,
            a.revision()
        );
        let headers = [
            ("Authorization", bearer.as_str()),
            ("Content-Type", "application/json"),
            ("User-Agent", "DistrAgentClient/3.1.0"),
        ];
        let reply = wire.send("POST", "/api/v1/agent/status", &headers, report.as_bytes());
        assert_eq!(reply.status, 200, "{reply:?}");
        Self {
            folder: stage.stop(),
            ground: Ground::Live,
            passes: Arc::new(Passes { secrets, tokens }),
        }
    }

    /// Imports one more of A's releases.
    pub(super) fn and(&self, ground: Ground, a: &Neighbour, issue: Issue, keep_inactive: bool) -> Self {
        let stage = Stage::of(self);
        let options = Options {
            keep_inactive,
            ..Options::default()
        };
        stage.import(&a.bundle(issue), &options).unwrap();
        Self {
            folder: stage.stop(),
            ground,
            passes: self.passes.clone(),
        }
    }
}

impl Stage {
    /// Copies a prepared appliance and serves it, under the read modes `loopback` and `credentials`, the latter with HTTPS.
    pub(super) fn of(prepared: &Prepared) -> Self {
        let folder = scratch();
        let mut copy = Command::new("cp");
        copy.arg("-a").arg(state_in(&prepared.folder)).arg(folder.path());
        assert!(copy.status().unwrap().success());
        let (state, clock) = (state_in(&folder), TestClock::at(now().unix()));
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let appliance = Arc::new(Appliance::open(&state, shared.clone()).unwrap());
        let authority = Arc::new(Authority::open(&appliance).unwrap());
        let pem = Some(authority.certificate_pem());
        let view = SiteView::new(ADDRESS, true, SiteView::INTERVAL, pem).unwrap();
        let live = Live::load(&appliance, Duration::from_secs(3600)).unwrap();
        let hub = Arc::new(Hub::new(&live, view).unwrap());
        let status = Arc::new(StatusBuffer::open_collecting(&appliance, Quota::default(), AT_ONCE).unwrap());
        let registry = Arc::new(Registry::new(&live).unwrap());
        let serve = |read: ReadPolicy, https: bool| {
            let free = SocketAddr::from(([127, 0, 0, 1], 0));
            let settings = Settings {
                listen: vec![free],
                read,
                agents: AgentSettings {
                    address: Some(ADDRESS.into()),
                    plain_http: Some(false),
                    ..AgentSettings::default()
                },
                tls: TlsSettings {
                    listen: https.then_some(free).into_iter().collect(),
                    ..TlsSettings::default()
                },
                ..Settings::default()
            };
            let services = Services::registry(&registry).with_agents(&hub, &status, shared.clone());
            let services = services.with_authority(&authority);
            Server::bind(settings).unwrap().start(services).unwrap()
        };
        Self {
            loopback: serve(ReadPolicy::Loopback, false),
            credentials: serve(ReadPolicy::Credentials, true),
            hub,
            status,
            registry,
            authority,
            clock,
            folder,
        }
    }

    pub(super) fn state(&self) -> PathBuf {
        state_in(&self.folder)
    }

    pub(super) fn address(&self, mode: Mode) -> SocketAddr {
        match mode {
            Mode::Loopback => self.loopback.addresses()[0],
            Mode::Credentials => self.credentials.addresses()[0],
        }
    }

    pub(super) fn tls_address(&self) -> SocketAddr {
        self.credentials.tls_addresses()[0]
    }

    pub(super) fn shared_clock(&self) -> Arc<dyn Clock> {
        Arc::new(self.clock.clone())
    }

    /// Imports a bundle while everything serves; what changed is served when this returns.
    pub(super) fn import(&self, bundle: &[u8], options: &Options) -> Result<Outcome> {
        self.import_at(bundle, options, now())
    }

    /// As [`Stage::import`], on a machine whose clock says something else for as long as that takes.
    pub(super) fn import_at(&self, bundle: &[u8], options: &Options, at: Timestamp) -> Result<Outcome> {
        let path = self.folder.path().join("bundle");
        write(&path, bundle);
        let clock = FixedClock(at);
        let appliance = Appliance::open(&self.state(), Arc::new(clock)).unwrap();
        let imported = import_here(&appliance, &path, options, &clock);
        self.hub.live().refresh().unwrap();
        imported.map(|imported| imported.result)
    }

    /// Runs the program on this appliance: what it says, and whether it succeeded.
    pub(super) fn program(&self, arguments: &[&str]) -> (bool, String, String) {
        let mut command = Command::new(AIRLOCK);
        command.args(arguments).arg("--state").arg(self.state());
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), text(&output.stdout), text(&output.stderr))
    }

    /// Ends the servers and closes everything: the folder at rest.
    fn stop(self) -> TempDir {
        let Self {
            loopback,
            credentials,
            hub,
            status,
            registry,
            folder,
            ..
        } = self;
        loopback.shutdown();
        credentials.shutdown();
        drop((hub, registry));
        Arc::into_inner(status).expect("the servers have let go of it");
        folder
    }
}

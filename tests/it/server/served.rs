//! A server process with two targets and a large layer, an agent of the one, and parts that can be made to panic.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::agents::{basic, request};
use crate::support::appliance::{AIRLOCK, Serving, scratch, write};
use crate::support::bundles::{Made, REPOSITORY};
use crate::support::client::{Reply, get, raw};
use crate::support::desired::{Desired, HUB_SECRET, hub_verifier, revision_id, target_id};
use crate::support::in_process::InProcessAppliance;
use crate::support::site::noise;

/// Longer than anything here may take: whoever waits so long hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server and its agent.
pub(crate) struct Served {
    pub(crate) serving: Serving,
    pub(crate) address: SocketAddr,
    pub(crate) instance: InProcessAppliance,
    pub(crate) made: Made,
    panics: TempDir,
    /// Of the target `edge-0`.
    pub(crate) secret: String,
}

impl Served {
    pub(crate) fn start() -> Self {
        Self::with("", &[])
    }

    /// With a configuration beside the address to listen on, and parts that panic once.
    pub(crate) fn with(config: &str, panics: &[&str]) -> Self {
        let mut command = Command::new(AIRLOCK);
        command.arg("serve");
        Self::of_command(command, config, panics)
    }

    /// As [`Served::with`], started by another command, whose last argument is `serve`.
    pub(crate) fn of_command(mut command: Command, config: &str, panics: &[&str]) -> Self {
        let instance = InProcessAppliance::new();
        let made = release(&instance, 1);
        instance.import(&made, false).unwrap();
        let secret = instance.hub().issue_secret(&target_id("edge-0"), false).unwrap();
        let folder = scratch();
        for part in panics {
            write(&folder.path().join(part), b"");
        }
        let path = folder.path().join("airlock.toml");
        write(&path, format!("listen = [\"127.0.0.1:0\"]\n{config}").as_bytes());
        command.arg("--config").arg(path).arg("--state").arg(instance.state());
        command.env("AIRLOCK_TEST_PANICS", folder.path());
        let serving = Serving::spawn(command);
        Self {
            address: serving.address,
            serving,
            instance,
            made,
            panics: folder,
            secret: secret.as_str().to_owned(),
        }
    }

    fn part(&self, part: &str) -> PathBuf {
        self.panics.path().join(part)
    }

    /// Makes a part panic once.
    pub(crate) fn panic_once(&self, part: &str) {
        write(&self.part(part), b"");
    }

    /// Whether it did.
    pub(crate) fn panicked(&self, part: &str) -> bool {
        !self.part(part).try_exists().unwrap()
    }

    /// Makes a part panic until the end of what `meanwhile` does.
    pub(crate) fn panicking<T>(&self, part: &str, meanwhile: impl FnOnce() -> T) -> T {
        let path = self.part(&format!("{part}.always"));
        write(&path, b"");
        let result = meanwhile();
        std::fs::remove_file(path).unwrap();
        result
    }

    pub(crate) fn ready(&self) -> (u16, Value) {
        let reply = get(self.address, "/readyz");
        (reply.status, reply.json())
    }

    /// Asserts that nothing is wrong, as soon as that is so.
    #[track_caller]
    pub(crate) fn becomes_ready(&self) -> Value {
        until("the server is ready", || {
            let (status, ready) = self.ready();
            (status == 200 && ready["problems"].as_array().unwrap().is_empty()).then_some(ready)
        })
    }

    /// Waits until a part is among the problems, and returns what is said of it.
    #[track_caller]
    pub(crate) fn problem(&self, part: &str) -> Value {
        until(part, || {
            let (status, ready) = self.ready();
            let problems = ready["problems"].as_array().unwrap().clone();
            let found = problems.into_iter().find(|problem| problem["part"] == part)?;
            assert_eq!((status, &ready["status"]), (503, &Value::from("degraded")));
            assert!(found["remedy"].as_str().unwrap().len() > 10, "{found}");
            Some(found)
        })
    }

    /// How often a part panicked.
    pub(crate) fn panics(&self, part: &str) -> u64 {
        let (_, ready) = self.ready();
        let panics = ready["panics"].as_array().unwrap();
        let found = panics.iter().find(|panic| panic["part"] == part);
        found.map_or(0, |panic| panic["count"].as_u64().unwrap())
    }

    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        raw(self.address, &request(method, path, headers, body), false).unwrap()
    }

    pub(crate) fn login(&self, target: &str, secret: &str) -> Reply {
        let header = basic(&target_id(target).to_string(), secret);
        self.send("POST", "/api/v1/agent/login", &[("Authorization", &header)], b"")
    }

    pub(crate) fn token(&self) -> String {
        let reply = self.login("edge-0", &self.secret);
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()["token"].as_str().unwrap().to_owned()
    }

    pub(crate) fn resources(&self, token: &str) -> Reply {
        let bearer = format!("Bearer {token}");
        self.send("GET", "/api/v1/agent/resources", &[("Authorization", &bearer)], b"")
    }

    /// Reports that the deployment is well.
    pub(crate) fn report(&self, token: &str) -> Reply {
        report(self.address, token)
    }

    pub(crate) fn manifest(&self) -> Reply {
        get(self.address, &format!("/v2/{REPOSITORY}/manifests/latest"))
    }

    pub(crate) fn layer_path(&self) -> String {
        format!("/v2/{REPOSITORY}/blobs/{}", self.made.layers[0])
    }
}

/// A release with two targets, the second with a verifier of the hub, and one layer of several pieces.
pub(crate) fn release(instance: &InProcessAppliance, sequence: u64) -> Made {
    let layers = [noise(9 << 20, sequence)];
    instance.vendor.with_layers_of("crm", sequence, &layers, |image| {
        let mut desired = Desired::docker(image, 2, "a");
        desired.target("edge-1").verifier = Some(hub_verifier());
        desired
    })
}

/// The secret of the target `edge-1`, which the hub issued.
pub(crate) const VERIFIED: &str = HUB_SECRET;

pub(crate) fn report(address: SocketAddr, token: &str) -> Reply {
    let bearer = format!("Bearer {token}");
    let revision = revision_id("edge-0", "a");
    let body = format!(r#"{{"message":"well","type":"healthy","revisionId":"{revision}"}}"#);
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let bytes = request("POST", "/api/v1/agent/status", &headers, body.as_bytes());
    raw(address, &bytes, false).unwrap()
}

/// Waits for something, within bounds.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "{what}: waited in vain");
        std::thread::sleep(Duration::from_millis(10));
    }
}

//! A server with agents on it, and the requests that agents make.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use airlock::appliance::fleet::{Hub, SiteView};
use airlock::appliance::live::Live;
use airlock::appliance::registry::Registry;
use airlock::appliance::status::{Quota, RecordClass, StatusBuffer};
use airlock::appliance::{Appliance, Authority};
use airlock::domain::{Clock, Uuid};
use airlock::http::{ReadPolicy, Running, Server, Services, Settings, TlsSettings};
use base64::Engine as _;

use super::client::{Reply, raw};
use super::desired::target_id;
use crate::support::in_process::InProcessAppliance;
use crate::support::status::AT_ONCE;

/// A server over an appliance. Fields end in this order: the server before what it answers from.
pub(crate) struct Serving {
    pub(crate) running: Running,
    pub(crate) address: SocketAddr,
    pub(crate) hub: Arc<Hub>,
    pub(crate) status: Arc<StatusBuffer>,
    pub(crate) authority: Option<Arc<Authority>>,
    pub(crate) instance: InProcessAppliance,
}

impl Serving {
    /// Two docker targets, `edge-0` and `edge-1`, with one application each.
    pub(crate) fn two_targets() -> Self {
        let instance = InProcessAppliance::new();
        instance.release(1, 2, "a");
        Self::start(instance, Settings::default())
    }

    pub(crate) fn start(instance: InProcessAppliance, settings: Settings) -> Self {
        let clock = Arc::new(instance.clock);
        Self::start_at(instance, settings, clock)
    }

    /// As [`Serving::two_targets`], with room for so many MiB of reports.
    pub(crate) fn two_targets_with_quota(mib: u64) -> Self {
        let instance = InProcessAppliance::new();
        instance.release(1, 2, "a");
        let clock = Arc::new(instance.clock);
        Self::start_with(instance, Settings::default(), clock, Quota::from_mib(mib))
    }

    pub(crate) fn start_at(instance: InProcessAppliance, settings: Settings, clock: Arc<dyn Clock>) -> Self {
        Self::start_with(instance, settings, clock, Quota::default())
    }

    /// Ends the server; everything that was open is closed when this returns.
    pub(crate) fn stop(self) -> InProcessAppliance {
        let Self {
            running,
            hub,
            status,
            instance,
            ..
        } = self;
        running.shutdown();
        drop(hub);
        Arc::into_inner(status).expect("the server has let go of it");
        instance
    }

    /// As `airlock serve` starts: targets are loaded while it answers.
    pub(crate) fn begin(instance: InProcessAppliance) -> Self {
        let clock = Arc::new(instance.clock);
        let load = |appliance: &_| Live::begin(appliance, Duration::from_secs(3600)).unwrap();
        Self::start_from(instance, Settings::default(), clock, Quota::default(), load)
    }

    fn start_with(instance: InProcessAppliance, settings: Settings, clock: Arc<dyn Clock>, quota: Quota) -> Self {
        let load = |appliance: &_| Live::load(appliance, Duration::from_secs(3600)).unwrap();
        Self::start_from(instance, settings, clock, quota, load)
    }

    fn start_from(
        instance: InProcessAppliance,
        settings: Settings,
        clock: Arc<dyn Clock>,
        quota: Quota,
        load: impl FnOnce(&Arc<Appliance>) -> Arc<Live>,
    ) -> Self {
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        let settings = Settings {
            listen: vec![free],
            ..settings
        };
        let bound = Server::bind(settings).unwrap();
        let appliance = Arc::new(Appliance::open(&instance.state(), clock).unwrap());
        let authority = (!bound.tls_addresses().is_empty()).then(|| Arc::new(Authority::open(&appliance).unwrap()));
        let agents = bound.agents_address();
        let pem = authority.as_ref().map(|authority| authority.certificate_pem());
        let view = SiteView::new(&agents.host, agents.https, SiteView::INTERVAL, pem).unwrap();
        let live = load(&appliance);
        let hub = Arc::new(Hub::new(&live, view).unwrap());
        let status = StatusBuffer::open_collecting(&appliance, quota, AT_ONCE).unwrap();
        let status = Arc::new(status);
        let registry = Registry::new(&live).unwrap();
        let clock = appliance.clock.clone();
        let mut services = Services::registry(&Arc::new(registry)).with_agents(&hub, &status, clock);
        if let Some(authority) = &authority {
            services = services.with_authority(authority);
        }
        let running = bound.start(services).unwrap();
        let address = running.addresses()[0];
        Self {
            running,
            address,
            hub,
            status,
            authority,
            instance,
        }
    }

    /// Everything that agents have reported, gap records left out: class and text, in the order of numbers.
    pub(crate) fn records(&self) -> Vec<(RecordClass, String)> {
        let listed = self.status.tail(0, 10_000).unwrap();
        let records = listed.into_iter().map(|listed| listed.record);
        let records = records.filter(|record| record.class != RecordClass::Gap);
        records.map(|record| (record.class, record.text)).collect()
    }

    /// Issues a secret.
    pub(crate) fn secret(&self, name: &str) -> String {
        let secret = self.hub.issue_secret(&target_id(name), false).unwrap();
        self.hub.refresh().unwrap();
        secret.as_str().to_owned()
    }

    /// Enrols an agent: its token.
    pub(crate) fn token(&self, name: &str) -> String {
        let reply = self.login(&target_id(name), &self.secret(name));
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()["token"].as_str().unwrap().to_owned()
    }

    pub(crate) fn login(&self, target: &Uuid, secret: &str) -> Reply {
        let header = basic(&target.to_string(), secret);
        self.send("POST", "/api/v1/agent/login", &[("Authorization", &header)], b"")
    }

    /// Sends a request as an agent does.
    pub(crate) fn agent(&self, token: &str, method: &str, path: &str, body: &str) -> Reply {
        let bearer = format!("Bearer {token}");
        let headers = [
            ("Authorization", bearer.as_str()),
            ("Content-Type", "application/json"),
            ("User-Agent", "DistrAgentClient/3.1.0"),
        ];
        self.send(method, &format!("/api/v1/agent/{path}"), &headers, body.as_bytes())
    }

    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        raw(self.address, &request(method, path, headers, body), method == "HEAD").unwrap()
    }
}

/// The bytes of a request with a body.
pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "Host") {
        text += "Host: localhost\r\n";
    }
    if !headers.iter().any(|(name, _)| *name == "Transfer-Encoding") {
        text += &format!("Content-Length: {}\r\n", body.len());
    }
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    [text.as_bytes(), b"\r\n", body].concat()
}

pub(crate) fn basic(user: &str, password: &str) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    format!("Basic {text}")
}

/// Settings for reading with credentials alone, over HTTPS too.
pub(crate) fn credentials() -> Settings {
    Settings {
        read: ReadPolicy::Credentials,
        tls: TlsSettings {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
            ..TlsSettings::default()
        },
        ..Settings::default()
    }
}

/// The text of an answer.
pub(crate) fn text(reply: &Reply) -> &str {
    std::str::from_utf8(&reply.body).unwrap()
}

//! What is checked else only by whoever uses it: addresses, names, patterns, certificates, the interval of agents.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;

use super::places::Places;
use super::{Config, place, text};
use crate::appliance::export::Redactor;
use crate::appliance::fleet::SiteView;
use crate::domain::{Clock as _, Result, SystemClock};
use crate::http::{Settings, TlsSettings, check_certificate};

impl Config {
    /// Checks beside what [`Config::read`] does what the server and other commands check later.
    ///
    /// # Errors
    ///
    /// `E-USAGE`, with line and column where one key is wrong.
    pub fn check(&self, path: Option<&Path>) -> Result<()> {
        let places = Places::read(&text(path)?.unwrap_or_default(), place(path));
        self.check_addresses(&places)?;
        let server = &self.server;
        let agents = Settings {
            agents: server.agents.clone(),
            ..Settings::default()
        };
        agents
            .check()
            .map_err(|error| places.tell(error, "agents.address", 0))?;
        SiteView::new("localhost", true, &server.agents.interval, None)
            .map_err(|error| places.tell(error, "agents.interval", 0))?;
        for (number, pattern) in self.export.redact.iter().enumerate() {
            Redactor::new(std::slice::from_ref(pattern), &[])
                .map_err(|error| places.tell(error, "export.redact", number))?;
        }
        Redactor::new(&self.export.redact, &[]).map_err(|error| places.tell(error, "export.redact", 0))?;
        if let Some(own) = &server.tls.own {
            // Files that are not there yet are told beside.
            if [&own.certificate, &own.key].iter().all(|file| file.metadata().is_ok()) {
                check_certificate(own, &server.tls.names, SystemClock.now())
                    .map_err(|error| places.tell(error, "tls.certificate", 0))?;
            }
        }
        // Each part was judged with its place; this is what `serve` asks.
        server.check()
    }

    fn check_addresses(&self, places: &Places) -> Result<()> {
        let server = &self.server;
        for (number, name) in server.tls.names.iter().enumerate() {
            let one = Settings {
                tls: TlsSettings {
                    names: vec![name.clone()],
                    ..TlsSettings::default()
                },
                ..Settings::default()
            };
            one.check().map_err(|error| places.tell(error, "tls.names", number))?;
        }
        let mut taken: BTreeSet<SocketAddr> = BTreeSet::new();
        for (key, addresses) in [("listen", &server.listen), ("tls.listen", &server.tls.listen)] {
            for (number, address) in addresses.iter().enumerate() {
                // The system gives each of those a port of its own.
                if address.port() != 0 && !taken.insert(*address) {
                    return Err(places
                        .wrong_element(key, number, &format!("listens on {address} twice"))
                        .expected("each address once, in listen or in tls.listen"));
                }
                let one = if key == "listen" {
                    Settings {
                        listen: vec![*address],
                        plain_http_beyond_loopback: server.plain_http_beyond_loopback,
                        ..Settings::default()
                    }
                } else {
                    Settings {
                        tls: TlsSettings {
                            listen: vec![*address],
                            names: server.tls.names.clone(),
                            own: None,
                        },
                        ..Settings::default()
                    }
                };
                one.check().map_err(|error| places.tell(error, key, number))?;
            }
        }
        Ok(())
    }

    /// Says what may be and is seldom meant: how often agents ask.
    pub fn interval_note(&self) -> Option<String> {
        let interval = &self.server.agents.interval;
        let nanos = SiteView::interval_nanos(interval)?;
        if HALF_MINUTE.is_multiple_of(nanos) {
            return Some(format!(
                "agents.interval = {interval:?} divides 30 s: an agent that cannot log in at such a moment may hang for good; 5.37s does not"
            ));
        }
        (nanos > LONG).then(|| {
            format!("agents.interval = {interval:?}: agents learn of a release, and report, that seldom; they are taken for silent long before")
        })
    }
}

/// How often agents of Distr write their log out, in nanoseconds.
const HALF_MINUTE: u128 = 30_000_000_000;
/// Agents that ask less often are shown as silent.
const LONG: u128 = 300_000_000_000;

//! What is checked else only by whoever uses it: addresses, names, patterns, certificates, the interval of agents.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use zeroize::Zeroizing;

use super::places::Places;
use super::{Config, place, text};
use crate::appliance::export::Redactor;
use crate::appliance::fleet::SiteView;
use crate::domain::{Class, Clock as _, Result, SystemClock};
use crate::http::{Settings, TlsSettings};
use crate::stream::{open_named, read_bounded};

/// Bytes of a file that `[mirror]` names.
const MIRROR_FILE_BYTES: u64 = 1 << 20;

impl Config {
    /// Checks beside what [`Config::read`] does what the server and other commands check later.
    ///
    /// # Errors
    ///
    /// `E-USAGE`, with line and column where one key is wrong.
    pub fn check(&self, path: Option<&Path>) -> Result<()> {
        let places = Places::read(&text(path)?.unwrap_or_default(), place(path));
        self.check_addresses(&places)?;
        self.check_mirror(&places)?;
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
            server
                .examine_own_certificate(Some(SystemClock.now()))
                .map_err(|error| places.tell(error, "tls.certificate", 0))?;
            if let Some(path) = &own.authority {
                open_named(path, "open the authority")
                    .and_then(|file| read_bounded(file, MIRROR_FILE_BYTES, "the authority"))
                    .and_then(|pem| {
                        let pem = String::from_utf8_lossy(&pem).into_owned();
                        SiteView::new("localhost", true, &server.agents.interval, Some(&pem))
                    })
                    .map_err(|error| places.tell(error.reclassified(Class::Usage, "config"), "tls.authority", 0))?;
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
        if let Some(metrics) = server.metrics.filter(|metrics| metrics.port() != 0) {
            let is_taken = |taken: &SocketAddr| {
                let everywhere = taken.ip().is_unspecified() || metrics.ip().is_unspecified();
                taken.port() == metrics.port() && (taken.ip() == metrics.ip() || everywhere)
            };
            if let Some(taken) = taken.iter().find(|taken| is_taken(taken)) {
                return Err(places
                    .wrong_element(
                        "metrics.listen",
                        0,
                        &format!("listens on {metrics}, and {taken} is taken already"),
                    )
                    .expected("an address or a port of its own for metrics"));
            }
        }
        Ok(())
    }

    /// Files that are not there yet are told beside; those that are there must be what they are named for.
    fn check_mirror(&self, places: &Places) -> Result<()> {
        let read = |path: &Path, what: &str| -> Result<Option<Zeroizing<Vec<u8>>>> {
            if !path.is_file() {
                return Ok(None);
            }
            let file = open_named(path, &format!("open {what}"))?;
            Ok(Some(Zeroizing::new(read_bounded(file, MIRROR_FILE_BYTES, what)?)))
        };
        if let Some(path) = &self.mirror.authority {
            let pem = read(path, "the authority").map_err(|error| places.tell(error, "mirror.authority", 0))?;
            let is_one = |pem: &Zeroizing<Vec<u8>>| {
                let read: Vec<_> = CertificateDer::pem_slice_iter(pem).collect();
                !read.is_empty() && read.iter().all(Result::is_ok)
            };
            if pem.is_some_and(|pem| !is_one(&pem)) {
                let found = format!(
                    "names {} as mirror.authority, which holds no certificate",
                    path.display()
                );
                return Err(places
                    .wrong_element("mirror.authority", 0, &found)
                    .expected("a PEM file with the certificates of authorities"));
            }
        }
        if let Some(path) = &self.mirror.credentials {
            let text =
                read(path, "the file of credentials").map_err(|error| places.tell(error, "mirror.credentials", 0))?;
            let is_login = |text: &Zeroizing<Vec<u8>>| {
                let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
                let user = line.iter().position(|byte| *byte == b':');
                std::str::from_utf8(line).is_ok() && user.is_some_and(|user| user > 0 && user + 1 < line.len())
            };
            if text.is_some_and(|text| !is_login(&text)) {
                let found = format!(
                    "names {} as mirror.credentials, whose first line is no login",
                    path.display()
                );
                return Err(places
                    .wrong_element("mirror.credentials", 0, &found)
                    .expected("one line USER:PASSWORD"));
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

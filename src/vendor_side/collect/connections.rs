//! The registries that a release is collected from: which client speaks to which host, and how.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use tokio::runtime::Runtime;

use super::certs_d::HostCertificates;
use super::clients::{Clients, Way, runtime};
use super::patience::Waits;
use super::registry_client::RegistryClient;
use super::registry_error::{REGISTRY, is_about_certificate};
use super::registry_host::{host_of, is_loopback, is_this_machine};
use super::registry_options::RegistryOptions;
use crate::domain::{Class, Error, Result};

/// How long a registry on this machine may take to show that it speaks TLS.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// The HTTP clients and their threads, made when the first registry is met.
#[derive(Debug)]
pub(super) struct Connections {
    options: RegistryOptions,
    runtime: Option<Arc<Runtime>>,
    waits: Arc<Waits>,
    made: BTreeMap<Way, Clients>,
    /// Hosts of this machine, and whether they are reached by plain HTTP.
    plain: BTreeMap<String, bool>,
}

impl Connections {
    pub(super) fn new(options: RegistryOptions) -> Self {
        Self {
            waits: Arc::new(Waits::new(options.patience, options.waiting)),
            options,
            runtime: None,
            made: BTreeMap::new(),
            plain: BTreeMap::new(),
        }
    }

    /// Makes a client for one repository.
    ///
    /// # Errors
    ///
    /// `E-USAGE ca-file`, `E-IO`.
    pub(super) fn repository(&mut self, host: &str, path: &str) -> Result<RegistryClient> {
        let made = self.clients(host)?;
        let plain = self.options.plain_http.iter().any(|known| known == host)
            || (is_this_machine(host) && self.answers_plainly(host)?);
        // Docker Hub's registry has another name than its images.
        let address = if host == "docker.io" {
            "registry-1.docker.io"
        } else {
            host
        };
        let base = format!("{}://{address}/v2/{path}/", if plain { "http" } else { "https" });
        let base = Url::parse(&base)
            .map_err(|error| Error::new(Class::Usage, REGISTRY, format!("{host:?} is no registry host: {error}")))?;
        Ok(self.client(made, base, host.to_owned(), path.to_owned()))
    }

    /// Fetches a file of a web site, at most `limit` bytes; nothing when it is not there. Nothing is sent along but what
    /// Docker's configuration has for that very host.
    ///
    /// # Errors
    ///
    /// `E-USAGE plain-http` for an address without TLS that nobody allowed; those of [`RegistryClient::get`].
    pub(super) fn get(&mut self, url: &Url, limit: u64, what: &str) -> Result<Option<Vec<u8>>> {
        let host = host_of(url);
        let made = self.clients(&host)?;
        if url.scheme() != "https" && !self.options.plain_http.contains(&host) && !is_this_machine(&host) {
            return Err(
                Error::new(Class::Usage, "plain-http", format!("{host} is addressed without TLS"))
                    .expected("an https:// address")
                    .remedy(format!("allow it with --plain-http {host}")),
            );
        }
        let path = url.path().trim_start_matches('/').to_owned();
        let client = self.client(made, url.clone(), host, path);
        let answer = client.wait(client.get(url.clone(), "*/*", limit, what))?;
        Ok(answer.map(|(bytes, _)| bytes))
    }

    fn client(&self, clients: Clients, base: Url, host: String, path: String) -> RegistryClient {
        RegistryClient::new(clients, base, (host, path), &self.options)
    }

    /// Whether a registry on this machine speaks no TLS: asked once, as Docker does.
    fn answers_plainly(&mut self, host: &str) -> Result<bool> {
        if let Some(plain) = self.plain.get(host) {
            return Ok(*plain);
        }
        let made = self.clients(host)?;
        let address = format!("https://{host}/v2/");
        let patience = PROBE_TIMEOUT.min(self.options.patience.connection);
        let waits = |time: &str| format!("{host} is asked whether it speaks TLS, and has said nothing for {time}");
        // Inside the runtime, because a timeout starts when the request is made.
        let asked = made.runtime.block_on(async {
            let probe = made.http.head(address).timeout(patience);
            made.waits.watch(&waits, probe.send()).await
        });
        // A certificate that is not trusted is TLS all the same.
        let plain = asked.is_err_and(|error| !is_about_certificate(&error));
        self.plain.insert(host.to_owned(), plain);
        Ok(plain)
    }

    /// Returns the threads that wait for the network.
    ///
    /// # Errors
    ///
    /// `E-IO` where none can be started.
    pub(super) fn runtime(&mut self) -> Result<Arc<Runtime>> {
        if let Some(runtime) = &self.runtime {
            return Ok(Arc::clone(runtime));
        }
        let runtime = runtime()?;
        self.runtime = Some(Arc::clone(&runtime));
        Ok(runtime)
    }

    /// Returns the clients for a host.
    fn clients(&mut self, host: &str) -> Result<Clients> {
        let way = Way {
            is_direct: is_loopback(host),
            certificates: HostCertificates::of(host)?,
        };
        if let Some(made) = self.made.get(&way) {
            return Ok(made.clone());
        }
        let made = Clients::make(&self.runtime()?, &self.options, &way, &self.waits)?;
        self.made.insert(way, made.clone());
        Ok(made)
    }
}

//! Threads and HTTP clients, shared by everything that is fetched.
//!
//! Proxies are those of the environment (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`), as other programs have them.

use std::sync::Arc;

use reqwest::redirect::Attempt;
use rustls::ClientConfig;
use tokio::runtime::Runtime;

use super::ca_files::certificates;
use super::certs_d::HostCertificates;
use super::patience::Waits;
use super::registry_error::chain;
use super::registry_options::RegistryOptions;
use super::resolver::Resolver;
use crate::client_tls::client_config;
use crate::domain::{Class, Error, Result};

/// The clients of one kind of place.
#[derive(Debug, Clone)]
pub(super) struct Clients {
    pub(super) runtime: Arc<Runtime>,
    pub(super) http: reqwest::Client,
    /// Follows no redirect to another origin.
    pub(super) tokens: reqwest::Client,
    pub(super) waits: Arc<Waits>,
}

impl Clients {
    /// Makes them.
    ///
    /// # Errors
    ///
    /// `E-USAGE ca-file`, `client-certificate` and `tls`; `E-IO`.
    pub(super) fn make(
        runtime: &Arc<Runtime>,
        options: &RegistryOptions,
        way: &Way,
        waits: &Arc<Waits>,
    ) -> Result<Self> {
        let tls = tls(options, way)?;
        Ok(Self {
            runtime: Arc::clone(runtime),
            waits: Arc::clone(waits),
            http: http(options, way, tls.clone(), |_| true)?,
            tokens: http(options, way, tls, is_same_origin)?,
        })
    }
}

/// How a kind of hosts is reached.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Way {
    /// Never through a proxy: that of the environment is for other machines.
    pub(super) is_direct: bool,
    /// Whom to trust, and what to show.
    pub(super) certificates: HostCertificates,
}

/// Makes the threads that wait for the network.
///
/// # Errors
///
/// `E-IO` where none can be started.
pub(super) fn runtime() -> Result<Arc<Runtime>> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("registry")
        .enable_all()
        .build()
        .map(Arc::new)
        .map_err(|error| Error::new(Class::Io, "io", format!("cannot start a thread: {error}")))
}

/// Reads whom to trust, once for all clients of a kind of place: there are hundreds of authorities.
fn tls(options: &RegistryOptions, way: &Way) -> Result<ClientConfig> {
    let mut authorities = certificates(&options.ca_files)?;
    authorities.extend(certificates(&way.certificates.authorities)?);
    client_config(authorities, way.certificates.identity()?).map_err(|error| without_tls(&error.to_string()))
}

/// Makes a client that follows those redirects that `may` allows.
fn http(
    options: &RegistryOptions,
    way: &Way,
    tls: ClientConfig,
    may: fn(&Attempt<'_>) -> bool,
) -> Result<reqwest::Client> {
    let redirect = reqwest::redirect::Policy::custom(move |attempt| {
        let secure = attempt.previous().iter().any(|url| url.scheme() == "https");
        if secure && attempt.url().scheme() != "https" {
            attempt.error("a redirect leads from HTTPS to plain HTTP")
        } else if attempt.previous().len() > 10 {
            attempt.error("too many redirects")
        } else if !may(&attempt) {
            attempt.error("a redirect leads to another host than the one that credentials were sent to")
        } else {
            attempt.follow()
        }
    });
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("airlock/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(options.patience.connection)
        .read_timeout(options.patience.answer)
        .redirect(redirect)
        .tls_backend_preconfigured(tls)
        .dns_resolver(Arc::new(Resolver));
    if way.is_direct {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| without_tls(&chain(&error)))
}

fn without_tls(why: &str) -> Error {
    Error::new(Class::Usage, "tls", format!("HTTPS cannot be set up: {why}"))
        .remedy("install ca-certificates, or check --ca-file")
}

fn is_same_origin(attempt: &Attempt<'_>) -> bool {
    attempt
        .previous()
        .last()
        .is_some_and(|before| before.origin() == attempt.url().origin())
}

//! Looks names of hosts up, and gives up soon: a name that nobody knows is a typing mistake far more often than a slow network.

use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;
use tokio::time::{Instant, sleep, timeout_at};

/// How long a name may take to become an address.
const PATIENCE: Duration = Duration::from_millis(2500);
/// Pause after a failure that says that it may pass.
const PAUSE: Duration = Duration::from_millis(300);

/// The resolver of this machine, with a bound.
#[derive(Debug)]
pub(super) struct Resolver;

/// Begins what is said of a name that has no address: through a proxy, only the text of an error arrives.
pub(super) const UNKNOWN_HOST: &str = "the resolver of this machine knows no host";

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let end = Instant::now() + PATIENCE;
            let why = loop {
                match timeout_at(end, lookup_host((host.as_str(), 0))).await {
                    Ok(Ok(addresses)) => {
                        let addresses: Addrs = Box::new(addresses.collect::<Vec<_>>().into_iter());
                        return Ok(addresses);
                    }
                    Ok(Err(error)) => {
                        let why = error.to_string();
                        if !why.contains("Temporary failure") || Instant::now() + PAUSE >= end {
                            break why;
                        }
                        sleep(PAUSE).await;
                    }
                    Err(_) => break format!("no answer within {PATIENCE:?}"),
                }
            };
            Err(format!("{UNKNOWN_HOST} {host}: {why}").into())
        })
    }
}

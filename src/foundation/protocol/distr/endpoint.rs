//! Paths and methods of the agents' routes.

use crate::domain::Uuid;

/// What all paths begin with.
pub const API_PREFIX: &str = "/api/v1/";
/// Parameter of `connect` and `pre-connect`: the target.
pub const QUERY_TARGET_ID: &str = "targetId";
/// Parameter of `connect` and `pre-connect`: its secret.
pub const QUERY_TARGET_SECRET: &str = "targetSecret";

/// One of the agents' routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// The manifest of an agent, with its secret.
    Connect,
    /// A script that fetches and applies that manifest.
    PreConnect,
    /// A token for a target and its secret.
    Login,
    /// The manifest of an agent, without its secret.
    Manifest,
    /// What the target shall run.
    Resources,
    /// How a deployment is.
    Status,
    /// How the host is.
    Metrics,
    /// Lines of containers.
    Logs,
    /// Lines of the agent itself.
    AgentLogs,
}

impl Endpoint {
    /// Every route.
    pub const ALL: [Self; 9] = [
        Self::Connect,
        Self::PreConnect,
        Self::Login,
        Self::Manifest,
        Self::Resources,
        Self::Status,
        Self::Metrics,
        Self::Logs,
        Self::AgentLogs,
    ];

    /// Returns the path behind [`API_PREFIX`].
    fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::PreConnect => "pre-connect",
            Self::Login => "agent/login",
            Self::Manifest => "agent/manifest",
            Self::Resources => "agent/resources",
            Self::Status => "agent/status",
            Self::Metrics => "agent/metrics",
            Self::Logs => "agent/logs",
            Self::AgentLogs => "agent/deployment-target-logs",
        }
    }

    /// Finds the route of a path, taken as it stands.
    pub fn of_path(path: &str) -> Option<Self> {
        let name = path.strip_prefix(API_PREFIX)?;
        Self::ALL.into_iter().find(|endpoint| endpoint.name() == name)
    }

    /// Returns the one method that the route has.
    pub fn method(self) -> &'static str {
        match self {
            Self::Connect | Self::PreConnect | Self::Manifest | Self::Resources => "GET",
            Self::Login | Self::Status | Self::Metrics => "POST",
            Self::Logs | Self::AgentLogs => "PUT",
        }
    }

    /// Returns the address of the route at a hub whose own address is `base`, without a slash at its end.
    pub fn url(self, base: &str) -> String {
        format!("{base}{API_PREFIX}{}", self.name())
    }

    /// As [`Endpoint::url`], with the query that `connect` and `pre-connect` take.
    pub fn url_with_secret(self, base: &str, target: &Uuid, secret: &str) -> String {
        format!(
            "{}?{QUERY_TARGET_ID}={target}&{QUERY_TARGET_SECRET}={secret}",
            self.url(base)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_leads_back_to_its_endpoint() {
        for endpoint in Endpoint::ALL {
            assert_eq!(Endpoint::of_path(&endpoint.url("")), Some(endpoint));
        }
        assert_eq!(
            Endpoint::Connect.url_with_secret("http://hub", &Uuid::from_bytes([1; 16]), "s"),
            "http://hub/api/v1/connect?targetId=01010101-0101-0101-0101-010101010101&targetSecret=s"
        );
    }

    #[test]
    fn paths_are_taken_as_they_stand() {
        assert_eq!(Endpoint::of_path("/api/v1/agent/logs"), Some(Endpoint::Logs));
        for path in [
            "/api/v1/",
            "/api/v1/agent",
            "/api/v1/agent/logs/",
            "/api/v1//agent/logs",
            "/api/v1/agent/../connect",
            "/api/v1/agent/%6cogs",
            "/api/v1/Connect",
            "/api/v2/connect",
        ] {
            assert_eq!(Endpoint::of_path(path), None, "{path}");
        }
    }
}

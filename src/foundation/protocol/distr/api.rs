//! The part of the hub's public API that concerns agents: what a target is there, its secret, and what its deployments reported.
//!
//! A token of a person or program opens it (`Authorization: AccessToken …`); agents never use it.

use serde::Deserialize;

use super::API_PREFIX;
use crate::domain::{AgentTime, Uuid};

/// Most statuses that the hub lists at once.
pub const STATUS_PAGE: usize = 100;

/// Returns the value of `Authorization` for a token of the API.
pub fn access_token(token: &str) -> String {
    format!("AccessToken {token}")
}

/// Returns the address of a target (GET).
pub fn target_url(base: &str, target: &Uuid) -> String {
    format!("{base}{API_PREFIX}deployment-targets/{target}")
}

/// Returns the address where a target gets another secret (POST): the one that it had ends at once.
pub fn access_request_url(base: &str, target: &Uuid) -> String {
    format!("{}/access-request", target_url(base, target))
}

/// Returns the address of what a deployment reported (GET), newest first; before a time, where one is given.
pub fn statuses_url(base: &str, deployment: &Uuid, before: Option<&str>) -> String {
    let before = before.map(|time| format!("&before={time}")).unwrap_or_default();
    format!("{base}{API_PREFIX}deployments/{deployment}/status?limit={STATUS_PAGE}{before}")
}

/// A target at the hub.
#[derive(Debug, Deserialize)]
pub struct HubTarget {
    /// What runs there.
    #[serde(default)]
    pub deployments: Vec<HubDeployment>,
}

/// A deployment at the hub.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HubDeployment {
    /// What was reported last.
    #[serde(default)]
    pub latest_status: Option<HubStatus>,
}

/// A status at the hub.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HubStatus {
    /// When the hub got it.
    pub created_at: AgentTime,
    /// What was said.
    #[serde(default)]
    pub message: String,
}

/// The answer to an access request.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessAnswer {
    /// The target's new secret.
    pub target_secret: String,
}

/// The secret stays out of logs.
impl std::fmt::Debug for AccessAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AccessAnswer")
    }
}

//! What a token of the hub's API opens: whether a status arrived, whether a real agent is there, and another secret for a target.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::client::Request;
use super::pace::Allowance;
use super::report::{AGENT_THERE, Left};
use super::secrets::is_secret;
use super::session::Wire;
use crate::domain::{AgentTime, Timestamp, Uuid};
use crate::protocol::distr::{
    AccessAnswer, HubStatus, HubTarget, STATUS_PAGE, access_request_url, access_token, statuses_url, target_url,
};

/// Requests a minute: the least that the hub is said to let through.
const REQUESTS: usize = 60;
/// Bytes of an answer.
const ANSWER_BYTES: usize = 8 << 20;
/// Pages of statuses that are searched.
const PAGES: usize = 10;
/// How often a request is tried.
const TRIES: u32 = 4;
/// Longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(120);

/// A token of the hub's API.
pub(super) struct Api {
    token: Zeroizing<String>,
    requests: Allowance,
    /// Statuses that were listed, by deployment; they change with every one that is sent.
    listed: BTreeMap<Uuid, Listed>,
}

/// What the hub has of a deployment.
struct Listed {
    messages: Vec<String>,
    is_whole: bool,
}

impl Api {
    pub(super) fn new(token: Zeroizing<String>) -> Self {
        Self {
            token,
            requests: Allowance::new(REQUESTS),
            listed: BTreeMap::new(),
        }
    }

    /// Whether the hub has a status of a deployment that begins so; nothing where that cannot be found out.
    pub(super) fn has_status(&mut self, wire: &Wire<'_>, deployment: Uuid, bracket: &str) -> Option<bool> {
        if !self.listed.contains_key(&deployment) {
            let listed = self.list(wire, deployment)?;
            self.listed.insert(deployment, listed);
        }
        let listed = self.listed.get(&deployment)?;
        let found = listed.messages.iter().any(|message| message.starts_with(bracket));
        (found || listed.is_whole).then_some(found)
    }

    /// Forgets what was listed of a deployment: something was sent since.
    pub(super) fn outdated(&mut self, deployment: Uuid) {
        self.listed.remove(&deployment);
    }

    fn list(&mut self, wire: &Wire<'_>, deployment: Uuid) -> Option<Listed> {
        let mut listed = Listed {
            messages: Vec::new(),
            is_whole: false,
        };
        let mut before: Option<AgentTime> = None;
        for _ in 0..PAGES {
            let since = before.map(|time| time.to_string());
            let url = statuses_url(wire.hub.as_str(), &deployment, since.as_deref());
            let page: Vec<HubStatus> = self.ask(wire, "GET", url).ok()?;
            let oldest = page.iter().map(|status| status.created_at).min();
            let is_last = page.len() < STATUS_PAGE;
            listed.messages.extend(page.into_iter().map(|status| status.message));
            // A hub that does not go on gives the same page for ever.
            if is_last || oldest.is_none() || oldest == before {
                listed.is_whole = is_last;
                return Some(listed);
            }
            before = oldest;
        }
        Some(listed)
    }

    /// Gives a target another secret, unless somebody else reports for it: a status that is newer than what the site told, and is none of
    /// those that were sent from here.
    pub(super) fn access(
        &mut self,
        wire: &Wire<'_>,
        target: Uuid,
        told: Timestamp,
        ours: &str,
    ) -> Result<Zeroizing<String>, Left> {
        let known: HubTarget = self.ask(wire, "GET", target_url(wire.hub.as_str(), &target))?;
        let newest = known
            .deployments
            .iter()
            .filter_map(|deployment| deployment.latest_status.as_ref())
            .find(|status| status.created_at.parts().0 > told.unix() && !status.message.starts_with(ours));
        if let Some(status) = newest {
            return Err(Left::policy(
                AGENT_THERE,
                format!(
                    "the hub has a status from {}, and the site's newest package is from {told}: another agent reports there, and a new \
                     secret would lock it out",
                    status.created_at
                ),
            ));
        }
        let answer: AccessAnswer = self.ask(wire, "POST", access_request_url(wire.hub.as_str(), &target))?;
        let secret = Zeroizing::new(answer.target_secret);
        if is_secret(&secret) {
            Ok(secret)
        } else {
            Err(Left::new("access-request", "the hub gives no usable secret"))
        }
    }

    fn ask<T: DeserializeOwned>(&mut self, wire: &Wire<'_>, method: &'static str, url: String) -> Result<T, Left> {
        let authorization = Zeroizing::new(access_token(&self.token));
        let request = Request {
            method,
            url,
            authorization: &authorization,
            user_agent: concat!("airlock/", env!("CARGO_PKG_VERSION")),
            body: None,
            answer_bytes: ANSWER_BYTES,
        };
        let (mut found, begun) = (String::new(), wire.pace.now());
        for attempt in 0..TRIES {
            self.requests.take(wire.pace);
            let mut pause = None;
            match wire.send(&request) {
                Ok(answer) if (200..=299).contains(&answer.status) && answer.is_whole => {
                    let body = Zeroizing::new(answer.body);
                    #[expect(clippy::disallowed_methods, reason = "a hub's answer, bounded")]
                    return serde_json::from_slice(&body)
                        .map_err(|_| Left::new("api", "the hub's API answers with something unknown"));
                }
                Ok(answer) if matches!(answer.status, 429 | 500..=599) => {
                    found = format!("the hub's API answers {}", answer.status);
                    pause = answer.retry_after;
                }
                Ok(answer) => return Err(Left::new("api", format!("the hub's API answers {}", answer.status))),
                // A secret may have been given out that nobody read: the next request gives another.
                Err(none) => found = none.found,
            }
            if attempt.saturating_add(1) < TRIES {
                let doubled = Duration::from_secs(1 << attempt.min(6));
                wire.pause(pause.unwrap_or(doubled).min(PAUSE_MAX), &found);
            }
            if wire.pace.now().saturating_sub(begun) >= wire.client.bounds.item {
                break;
            }
        }
        Err(Left::new("api", found))
    }
}

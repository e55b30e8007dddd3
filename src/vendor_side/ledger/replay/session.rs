//! A target's agent towards the hub: its login, its pace, and what answers mean.

use std::time::Duration;

use base64::Engine as _;
use zeroize::Zeroizing;

use super::address::HubAddress;
use super::client::{Answer, HubClient, NoAnswer, Request};
use super::event::Event;
use super::pace::{Allowance, Pace};
use super::report::Left;
use crate::domain::Uuid;
use crate::protocol::distr::{Endpoint, LoginAnswer, user_agent};

/// Requests a minute and target (the hub lets 500 through).
const REQUESTS: usize = 300;
/// Logins a minute and target (the hub lets 5 through).
const LOGINS: usize = 2;
/// Bytes of an answer to a login.
const LOGIN_BYTES: usize = 64 << 10;
/// Bytes of any other answer.
const ANSWER_BYTES: usize = 4 << 10;
/// Bytes of a token.
const TOKEN_BYTES: usize = 16 << 10;
/// Characters that are shown of what the hub says.
const SHOWN_CHARS: usize = 200;

/// How one try ended.
#[derive(Debug)]
pub(super) enum Attempt {
    /// The hub took it.
    Taken,
    /// It will never take it.
    Refused {
        /// Status of the answer, and what it says.
        reason: String,
    },
    /// Another try may help.
    Wait {
        /// What the hub asks for.
        pause: Option<Duration>,
        /// Why.
        found: String,
        /// Whether the request may have done its work.
        may_have_arrived: bool,
        /// Whether the hub answered at all.
        answered: bool,
    },
    /// The target is left.
    Leave(Left),
}

/// What sessions share.
pub(super) struct Wire<'a> {
    pub(super) hub: &'a HubAddress,
    pub(super) client: &'a HubClient,
    pub(super) pace: &'a dyn Pace,
    /// Told what happens.
    pub(super) tell: &'a dyn Fn(Event<'_>),
}

impl Wire<'_> {
    /// Sends a request, and says so while the hub is silent.
    pub(super) fn send(&self, request: &Request<'_>) -> Result<Answer, NoAnswer> {
        let until = self.client.bounds.longest();
        self.client
            .send(request, &|since| (self.tell)(Event::Silent { since, until }))
    }

    /// Waits before the hub is asked again, and says why.
    pub(super) fn pause(&self, pause: Duration, found: &str) {
        (self.tell)(Event::Waiting { pause, found });
        self.pace.wait(pause);
    }
}

/// A target's session.
pub(super) struct Session {
    target: Uuid,
    agent: String,
    secret: Zeroizing<String>,
    token: Option<Zeroizing<String>>,
    requests: Allowance,
    logins: Allowance,
}

impl Session {
    /// A session of a target whose agent names a version. Nothing is sent yet.
    pub(super) fn new(target: Uuid, version: &str, secret: Zeroizing<String>) -> Self {
        Self {
            target,
            agent: user_agent(version),
            secret,
            token: None,
            requests: Allowance::new(REQUESTS),
            logins: Allowance::new(LOGINS),
        }
    }

    /// Logs in where that was not done yet, so that nothing is said to be under way that waits for a login. Says how the try ends where it
    /// fails.
    pub(super) fn prepare(&mut self, wire: &Wire<'_>) -> Option<Attempt> {
        if self.token.is_some() {
            return None;
        }
        self.log_in(wire)
    }

    /// Sends a body to an endpoint once; where the token does not count (any more), after one login once again.
    pub(super) fn attempt(&mut self, wire: &Wire<'_>, endpoint: Endpoint, body: &[u8]) -> Attempt {
        let mut may_log_in = true;
        loop {
            if self.token.is_none() {
                if !may_log_in {
                    return Attempt::Leave(Left::new("credentials", "the hub takes no token of this target"));
                }
                may_log_in = false;
                if let Some(ended) = self.log_in(wire) {
                    return ended;
                }
            }
            let Some(token) = self.token.clone() else {
                return Attempt::Leave(Left::new("credentials", "the hub gives no token"));
            };
            self.requests.take(wire.pace);
            let request = Request {
                method: endpoint.method(),
                url: endpoint.url(wire.hub.as_str()),
                authorization: &Zeroizing::new(format!("Bearer {}", token.as_str())),
                user_agent: &self.agent,
                body: Some(body),
                answer_bytes: ANSWER_BYTES,
            };
            let answer = match wire.send(&request) {
                Ok(answer) => answer,
                Err(none) => {
                    return Attempt::Wait {
                        pause: None,
                        found: none.found,
                        may_have_arrived: none.may_have_arrived,
                        answered: false,
                    };
                }
            };
            return match answer.status {
                200..=299 => Attempt::Taken,
                401 => {
                    self.token = None;
                    continue;
                }
                400 => Attempt::Refused {
                    reason: format!("400{}", self.said(&answer.body)),
                },
                _ => self.otherwise(&answer),
            };
        }
    }

    /// Logs in; says how the try ends where that fails.
    fn log_in(&mut self, wire: &Wire<'_>) -> Option<Attempt> {
        self.logins.take(wire.pace);
        let pair = Zeroizing::new(format!("{}:{}", self.target, self.secret.as_str()));
        let basic = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(pair.as_bytes()));
        let request = Request {
            method: Endpoint::Login.method(),
            url: Endpoint::Login.url(wire.hub.as_str()),
            authorization: &Zeroizing::new(format!("Basic {}", basic.as_str())),
            user_agent: &self.agent,
            body: None,
            answer_bytes: LOGIN_BYTES,
        };
        let mut answer = match wire.send(&request) {
            Ok(answer) => answer,
            Err(none) => {
                return Some(Attempt::Wait {
                    pause: None,
                    found: none.found,
                    may_have_arrived: false,
                    answered: false,
                });
            }
        };
        let body = Zeroizing::new(std::mem::take(&mut answer.body));
        match answer.status {
            200..=299 => {
                self.token = token(&body).filter(|_| answer.is_whole);
                self.token
                    .is_none()
                    .then(|| Attempt::Leave(Left::new("login", "the hub's answer to the login holds no token")))
            }
            400 | 401 | 403 => Some(Attempt::Leave(Left::new(
                "credentials",
                format!("the hub refuses the target's secret ({})", answer.status),
            ))),
            _ => {
                answer.body.clone_from(&body);
                Some(match self.otherwise(&answer) {
                    Attempt::Wait { pause, found, .. } => Attempt::Wait {
                        pause,
                        found,
                        may_have_arrived: false,
                        answered: true,
                    },
                    ended => ended,
                })
            }
        }
    }

    /// What an answer means that is neither good nor about what was sent.
    fn otherwise(&self, answer: &Answer) -> Attempt {
        let status = answer.status;
        match status {
            // Too many requests: it was not looked at.
            429 => Attempt::Wait {
                pause: answer.retry_after,
                found: format!("it answers {status}{}", self.said(&answer.body)),
                may_have_arrived: false,
                answered: true,
            },
            500..=599 => Attempt::Wait {
                pause: answer.retry_after,
                found: format!("it answers {status}{}", self.said(&answer.body)),
                may_have_arrived: true,
                answered: true,
            },
            300..=399 => Attempt::Leave(Left::new(
                "redirect",
                format!("the hub sends elsewhere ({status}), and no redirect is followed"),
            )),
            _ => Attempt::Leave(Left::new(
                "answer",
                format!("the hub answers {status}{}", self.said(&answer.body)),
            )),
        }
    }

    /// What the hub says, unless it repeats what it was told in confidence.
    fn said(&self, body: &[u8]) -> String {
        let text = String::from_utf8_lossy(body);
        let confidential = [Some(&self.secret), self.token.as_ref()];
        if confidential
            .into_iter()
            .flatten()
            .any(|secret| text.contains(secret.as_str()))
        {
            return String::new();
        }
        let line: String = text
            .lines()
            .next()
            .unwrap_or_default()
            .chars()
            .take(SHOWN_CHARS)
            .collect();
        if line.is_empty() { line } else { format!(": {line}") }
    }
}

/// The token in an answer to a login.
fn token(body: &[u8]) -> Option<Zeroizing<String>> {
    #[expect(clippy::disallowed_methods, reason = "a hub's answer, bounded")]
    let answer: LoginAnswer<String> = serde_json::from_slice(body).ok()?;
    let token = Zeroizing::new(answer.token);
    (token.len() <= TOKEN_BYTES && token.bytes().all(|byte| byte.is_ascii_graphic()) && !token.is_empty())
        .then_some(token)
}

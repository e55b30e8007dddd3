//! `/connect`, `/pre-connect` and `login`: what a secret is good for.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode, header};
use zeroize::Zeroizing;

use super::app::AgentApp;
use super::reply::{self, Reply};
use crate::appliance::fleet::{Check, Login};
use crate::domain::Uuid;
use crate::http::credentials::basic;
use crate::http::in_flight::Account;
use crate::http::query::decode;
use crate::protocol::distr::{Endpoint, LoginAnswer, QUERY_TARGET_ID, QUERY_TARGET_SECRET};

/// The hub says `not found` of targets that it does not know; here nobody learns which there are.
const REFUSED: &str = "unauthorized: failed to verify access: invalid accessKey";
/// Why nobody looked at a secret, for the log.
const TOO_MANY: &str = "too-many-attempts";
const BUSY: &str = "too-many-at-once";
const NO_UUID: &str = "targetId is not a valid UUID";

/// Answers `/connect` and `/pre-connect`. Every call counts, as on the hub.
pub(super) async fn connect(
    app: &Arc<AgentApp>,
    endpoint: Endpoint,
    query: Option<&str>,
    peer: IpAddr,
    account: Account,
) -> Reply {
    let parameter = |name: &str| {
        let pairs = query
            .unwrap_or_default()
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        let value = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).next();
        value.and_then(|value| decode(value).ok()).unwrap_or_default()
    };
    let Ok(target) = Uuid::parse_lenient(&parameter(QUERY_TARGET_ID)) else {
        return reply::error(StatusCode::BAD_REQUEST, NO_UUID);
    };
    let connects = endpoint == Endpoint::Connect;
    let limiter = if connects { &app.connects } else { &app.pre_connects };
    let allowance = limiter.take((target, peer, app.hub.secret_mark(&target)));
    if !allowance.passes {
        app.refusals.note(&app.hub, &target, peer, Some(TOO_MANY));
        return app.limited(reply::too_many(), allowance);
    }
    let secret = Zeroizing::new(parameter(QUERY_TARGET_SECRET));
    let noting = app.clone();
    let answered = app
        .ask_about_secret(move |hub| {
            Ok(match hub.check_secret(&target, &secret)? {
                Check::Wrong => {
                    noting.refusals.note(hub, &target, peer, None);
                    reply::error(StatusCode::UNAUTHORIZED, REFUSED)
                }
                Check::Busy => {
                    noting.refusals.note(hub, &target, peer, Some(BUSY));
                    reply::too_many()
                }
                Check::Good if connects => reply::yaml(hub.connect_manifest(&target, &secret)?, &account),
                Check::Good => reply::text(hub.pre_connect(&target, &secret)?, &account),
            })
        })
        .await;
    let reply = answered.unwrap_or_else(|error| app.failure(&error));
    app.limited(reply, allowance)
}

/// Answers `login`. Only failed attempts count: an agent whose clock is wrong logs in before every request (threat model A09).
pub(super) async fn login(app: &Arc<AgentApp>, headers: &HeaderMap, peer: IpAddr, account: &Account) -> Reply {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return reply::empty(StatusCode::UNAUTHORIZED);
    };
    let Some(Ok((user, secret))) = basic(value.as_bytes()) else {
        return reply::empty(StatusCode::UNAUTHORIZED);
    };
    let secret = Zeroizing::new(secret);
    let Ok(target) = Uuid::parse_lenient(&user) else {
        return reply::error(StatusCode::BAD_REQUEST, NO_UUID);
    };
    let attempt = (target, peer, app.hub.secret_mark(&target));
    let allowance = app.failed_logins.look(attempt);
    if !allowance.passes {
        app.refusals.note(&app.hub, &target, peer, Some(TOO_MANY));
        return app.limited(reply::too_many(), allowance);
    }
    match app.ask_about_secret(move |hub| hub.login(&target, &secret)).await {
        Ok(Login::Token(token)) => {
            let answer = LoginAnswer {
                token: token.as_str(),
                requires_mfa: false,
            };
            let body = serde_json::to_string(&answer).expect("a token has a JSON form");
            app.limited(reply::text(body + "\n", account), allowance)
        }
        Ok(Login::Refused) => {
            let allowance = app.failed_logins.take(attempt);
            app.refusals.note(&app.hub, &target, peer, None);
            app.limited(reply::error(StatusCode::UNAUTHORIZED, REFUSED), allowance)
        }
        Ok(Login::Busy) => {
            app.refusals.note(&app.hub, &target, peer, Some(BUSY));
            app.limited(reply::too_many(), allowance)
        }
        Err(error) => app.limited(app.failure(&error), allowance),
    }
}

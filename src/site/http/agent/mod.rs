//! `/api/v1/…`: what unmodified agents ask, field for field as the hub that they were made for answers (distr-protocol 0 to 2).
//! What stands on the wire is stated in [`crate::protocol::distr`]; here it is read within bounds and answered.
//!
//! # Rules
//!
//! - **Who asks** is said by the token alone, never by anything else of a request (threat model A01).
//! - **400 is final**: an agent throws away what was answered with it. So it is said only of what will always be wrong; what the
//!   appliance cannot do at present is 429 or 503, and logs that come too fast are 204 with a gap record, because an agent answers
//!   anything else with hundreds of repeats.
//! - **401 is meant**: an agent without a token may hang for an hour (D11).
//! - **No secret** leaves a request but into the hub's hands: queries are not logged, answers are not cached (A04).
//! - **Bodies** are read as streams, with one record of at most 256 KiB and a batch of a few more in memory ([`json`],
//!   [`body_permits`]).
//! - **Fairness**: budgets per target; logs have their own, and their own share of memory.

mod app;
mod bad_body;
mod body;
mod body_permits;
mod connect;
mod fields;
mod json;
mod limiter;
mod logs;
mod polls;
mod refusals;
mod reply;
mod reports;
mod resources_body;
mod routes;
mod values;
mod wire;

pub(super) use app::AgentApp;
pub(super) use routes::{refused, routes};

//! The protocol between Distr's agents and their hub, as version 3.1 of both speaks it.
//!
//! | File | What it states |
//! |---|---|
//! | `endpoint` | paths, methods, and the query of `connect` |
//! | `header` | how agents name themselves, and the hub's rate limits |
//! | `object` | how an object of a report is declared: its members, in words of the wire and of the code |
//! | `report` | what agents send: status, metrics, logs |
//! | `resources` | what the hub answers: what a target shall run |
//! | `api` | what the hub says of targets to whoever has a token of its API |
//! | `login` | what the hub answers to a login |

mod api;
mod endpoint;
mod header;
mod login;
mod object;
mod report;
mod resources;

pub use api::{
    AccessAnswer, HubDeployment, HubStatus, HubTarget, STATUS_PAGE, access_request_url, access_token, statuses_url,
    target_url,
};
pub use endpoint::{API_PREFIX, Endpoint, QUERY_TARGET_ID, QUERY_TARGET_SECRET};
pub use header::{RATE_LIMIT, RATE_LIMIT_REMAINING, RATE_LIMIT_RESET, agent_version, user_agent};
pub use login::LoginAnswer;
pub use object::{MemberValue, ReportObject};
pub use report::{AgentLogRecord, DiskMetrics, LogRecord, Metrics, StatusReport, unset_id};
pub use resources::{AgentVersion, Deployment, DockerType, HelmOptions, RegistryCredentials, Resources, WaitStrategy};

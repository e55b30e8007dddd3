//! Headers that have a meaning of their own between agents and hub.

/// What an agent's `User-Agent` begins with; its version follows.
const USER_AGENT: &str = "DistrAgentClient/";

/// Requests of one window that a client has.
pub const RATE_LIMIT: &str = "x-ratelimit-limit";
/// Requests that are left of them.
pub const RATE_LIMIT_REMAINING: &str = "x-ratelimit-remaining";
/// When the next window begins, in seconds since 1970.
pub const RATE_LIMIT_RESET: &str = "x-ratelimit-reset";

/// Returns the `User-Agent` of an agent of a version.
pub fn user_agent(version: &str) -> String {
    format!("{USER_AGENT}{version}")
}

/// Returns the version that a `User-Agent` states, if it is an agent's. It is what the agent says, of any length.
pub fn agent_version(user_agent: &str) -> Option<&str> {
    user_agent.strip_prefix(USER_AGENT)
}

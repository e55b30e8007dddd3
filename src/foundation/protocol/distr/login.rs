//! The answer to a login.

use serde::{Deserialize, Serialize};

/// Body of the answer to `POST login`. Agents read the token alone.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoginAnswer<Text> {
    /// A JWT with an end; it is the password for the registry too.
    pub token: Text,
    /// Whether a second factor is asked for; never of an agent.
    #[serde(default)]
    pub requires_mfa: bool,
}

/// The token stays out of logs.
impl<Text> std::fmt::Debug for LoginAnswer<Text> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LoginAnswer")
    }
}

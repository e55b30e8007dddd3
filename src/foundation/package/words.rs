//! The words by which kinds of lines are told apart: each a type of its own, with one value.

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($($(#[$doc:meta])* $type:ident $word:literal),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
        pub enum $type {
            /// The word.
            #[default]
            #[serde(rename = $word)]
            Word,
        }
    )*};
}
words!(
    /// A release.
    ReleaseWord "release",
    /// Content that cannot be served.
    DamagedWord "damaged",
    /// A target.
    TargetWord "target",
    /// A deployment.
    DeploymentWord "deployment",
    /// A line of a container.
    LogWord "log",
    /// A line of an agent itself.
    AgentLogWord "agent-log",
    /// Records that were not kept.
    GapWord "gap",
);

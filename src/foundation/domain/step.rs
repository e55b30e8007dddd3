//! Steps at which bundles and status packages are refused, or taken in.

use std::fmt;

/// Steps of the import state machine, in the order in which they happen (X13 runs inside X11), and behind them those of taking in a
/// status package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Lock and start time.
    X0,
    /// Open the source.
    X1,
    /// Entries 00–04 under caps.
    X2,
    /// Trust links.
    X3,
    /// Head signatures.
    X4,
    /// Head: features, strict parse, domain, format lines.
    X5,
    /// Product, channel, audience, appliance version.
    X6,
    /// Sequence.
    X7,
    /// Expiry.
    X8,
    /// Approvals, withdrawals, floors.
    X9,
    /// Index pages.
    X9a,
    /// Needs and space.
    X10,
    /// Chunks.
    X11,
    /// End blocks and end of file.
    X12,
    /// Reference graph.
    X13,
    /// Publish.
    X14,
    /// Activate.
    X15,
    /// Clean up.
    X16,
    /// Status package: lock, time, copy.
    V0,
    /// Entries 00–04 under caps.
    V1,
    /// Trust domain and site.
    V2,
    /// Head signature.
    V3,
    /// Head: features, strict parse, hints, format lines, ranges, lineage; form of the approvals.
    V4,
    /// Against what the ledger knows of the package.
    V5,
    /// Index page and fill.
    V6,
    /// Chunks and end of file.
    V7,
    /// Lines, counts, coverage.
    V8,
    /// Receipts.
    V9,
    /// The log of the stream.
    V10,
    /// Against what the ledger knows of records and receipts.
    V11,
    /// The file is kept.
    V12,
    /// The ledger takes it in.
    V13,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::X9a => f.write_str("X9a"),
            other => write!(f, "{other:?}"),
        }
    }
}

//! M-107 to M-110 (S10): what a vendor acknowledges, what a site lets go for it, and what neither frees without having seen it.

mod alarms;
mod both;
mod bundle;
mod conditions;
mod crash;
mod follow;
mod issue;
mod list;
mod round;

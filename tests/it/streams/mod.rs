//! What a vendor may learn of an appliance, and nothing more: its stream log and its receipts (SPEC section 15).

mod clock;
mod log;
mod neighbours;
mod refusals;
pub(crate) mod site;

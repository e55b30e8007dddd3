//! The agents' routes and the registry as an agent sees them: bodies, budgets, statuses, credentials.

mod bodies;
mod limits;
mod protocol;
mod registry;

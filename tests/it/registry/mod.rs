//! The registry that the appliance serves: pulls, lists, releases that change meanwhile, whose names are, damage, and hostile clients.

mod damage;
mod hostile;
mod lists;
mod live;
mod owners;
mod pull;

//! What README and handbook print, done as it is printed.

mod drill;
mod main_job;
mod page;
mod recovery_parts;
mod recovery_site;
mod recovery_vendor;

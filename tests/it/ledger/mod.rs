//! What a vendor takes in of its sites, what it knows then, and what the ledger answers.

mod ask;
mod ask_hostile;
mod ask_logs;
mod ask_made;
mod ask_papers;
mod ask_taken_in;
mod ask_who_lacks;
mod hostile_packages;
mod ingest;
pub(crate) mod plant;
mod told_by_summary;
pub(crate) mod workshop;

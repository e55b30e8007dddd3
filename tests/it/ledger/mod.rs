//! What a vendor learns of its sites from their packages, and what the ledger answers.

mod ask;
mod ask_hostile;
mod ask_logs;
mod ask_made;
mod ask_papers;
mod ask_size;
mod ask_who_lacks;

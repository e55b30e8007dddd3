//! What a vendor takes in of its sites, and what it knows then.

mod ingest;
pub(crate) mod plant;
pub(crate) mod workshop;

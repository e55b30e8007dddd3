//! Tables of `status.db`: records without gaps in a stream for each vendor, repeats in a journal, what is missing and why.
//!
//! These are the statements; who numbers, folds and drops is the appliance's status buffer. Times are the appliance's own
//! except where a column says otherwise.

mod advertised;
mod coverage;
mod create;
mod drop;
mod fold;
mod gap;
mod journal;
mod meta;
mod metrics;
mod record;
mod source;
mod stream;
mod stream_records;

pub use advertised::{Advertised, advertised, put_advertised};
pub use coverage::{Coverage, Range, coverage};
pub use create::create;
pub use drop::{Dropped, Held, Span, drop_class, drop_details, drop_one, drop_text, held};
pub use fold::{
    Contact, Repeat, clear_recounts, contacts, count_bytes, fold, latest, put_contact, put_fold, put_latest,
    put_recount, put_repeat, put_usage, recounts, repeat_of, usage,
};
pub use gap::{Gap, Reason, gaps, insert_gap, open_gaps, put_gap};
pub use journal::{Entry, Row, append, clear, journal, pack, unpack};
pub use meta::{newest_time, put_raises, put_start, raises, site, start};
pub use metrics::{
    Day, Sample, Samples, Spread, add_day, begin_of, count_days, day_of, drop_day, drop_days_before, newest_samples,
    oldest_day, oldest_sample, put_sample, take_samples, whole_days,
};
pub use record::{
    After, Listed, NewRecord, Record, RecordClass, get, highest_number, insert, is_known, last_of, since_fold, tail,
};
pub use source::{Source, insert_source, put_agent, sources};
pub use stream::{
    Stream, StreamId, add_stream, put_acknowledged, put_frozen, put_next, shift, stream_of, streams, want,
};
pub use stream_records::{StreamRecord, stream_records};

use super::Schema;

impl Schema {
    /// `status.db`: what agents report. A flood or damage there cannot touch the other file.
    pub const STATUS: Self = Self {
        name: "status.db",
        application_id: 0x4149_5253,
        sql: include_str!("schema.sql"),
        // A group commit of repeats changes one page, however small. Its frame in the log lies anywhere in the disk's blocks of 4 KiB: of 512
        // bytes, one in eight costs two blocks; of 1 KiB, one in four; of 4 KiB, all.
        page_bytes: 512,
        patience: crate::db::PATIENCE,
        // D23: nothing that is restored from a copy.
        damaged: "nothing is to be restored: `airlock serve` sets the file aside and begins another one, in which a gap record says what is missing",
    };
}

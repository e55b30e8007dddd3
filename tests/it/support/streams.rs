//! What vendors may learn of an appliance: the stream logs and receipts in its database, each checked as it is read.

use std::path::Path;

use airlock::crypto::{Receipt, ReceiptResult, stream_seal, stream_start};
use airlock::db::site::{appliance, receipts, stream_log};
use airlock::db::{Db, Schema};
use airlock::domain::{Hash, SiteId};
use base64::Engine as _;
use serde_json::Value;

/// A row of a stream log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) number: u64,
    pub(crate) at: String,
    pub(crate) action: String,
    pub(crate) detail: Value,
    pub(crate) seal: Hash,
}

/// A vendor's stream.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    pub(crate) domain: Hash,
    pub(crate) rows: Vec<Row>,
    pub(crate) receipts: Vec<Receipt>,
    /// The receipts as they were signed.
    pub(crate) envelopes: Vec<Vec<u8>>,
}

impl Stream {
    /// Actions and details, oldest first.
    pub(crate) fn said(&self) -> Vec<(&str, &Value)> {
        self.rows.iter().map(|row| (row.action.as_str(), &row.detail)).collect()
    }
}

/// Every stream of an appliance. Numbers have no gap, seals follow from the rows, and each receipt names the seal of the row that
/// names it.
#[track_caller]
pub(crate) fn all(state: &Path) -> Vec<Stream> {
    let db = Db::open(&state.join("airlock.db"), &Schema::SITE).unwrap();
    let site = db.read(appliance::get).unwrap().site;
    let domains = db.read(stream_log::domains).unwrap();
    domains.into_iter().map(|domain| read(&db, &site, domain)).collect()
}

/// The only stream of an appliance.
#[track_caller]
pub(crate) fn only(state: &Path) -> Stream {
    let mut all = all(state);
    assert_eq!(all.len(), 1);
    all.pop().unwrap()
}

/// The stream of a vendor.
#[track_caller]
pub(crate) fn of(state: &Path, domain: Hash) -> Stream {
    let found = all(state).into_iter().find(|stream| stream.domain == domain);
    found.expect("the vendor has a stream")
}

#[track_caller]
fn read(db: &Db, site: &SiteId, domain: Hash) -> Stream {
    let kept = db.read(|c| stream_log::list(c, domain, 0, 100_000)).unwrap();
    assert_eq!(db.read(|c| stream_log::verify(c, domain)).unwrap(), kept.len() as u64);
    let mut before = stream_start(site, domain);
    let mut rows = Vec::new();
    for (number, kept) in (1..).zip(kept) {
        let detail: Value = serde_json::from_str(&kept.detail).unwrap();
        assert_eq!(kept.number, number);
        assert_eq!(kept.seal, stream_seal(before, number, kept.at, &kept.action, &detail));
        before = kept.seal;
        rows.push(Row {
            number,
            at: kept.at.to_string(),
            action: kept.action,
            detail,
            seal: kept.seal,
        });
    }
    let kept = db.read(|c| receipts::list(c, domain, 0, 100_000)).unwrap();
    let mut receipts = Vec::new();
    for (number, kept) in (1..).zip(&kept) {
        let envelope: Value = serde_json::from_str(std::str::from_utf8(&kept.envelope).unwrap()).unwrap();
        let payload = base64::engine::general_purpose::STANDARD
            .decode(envelope["payload"].as_str().unwrap())
            .unwrap();
        let receipt = Receipt::parse(&payload).unwrap();
        assert_eq!((receipt.number, receipt.domain), (number, domain));
        assert_eq!(
            (kept.number, kept.head, kept.result),
            (number, receipt.head, receipt.result)
        );
        let naming: Vec<&Row> = rows.iter().filter(|row| row.detail["receipt"] == number).collect();
        assert_eq!(naming.len(), 1, "one row names receipt {number}");
        assert_eq!(
            (naming[0].seal, naming[0].at.clone()),
            (receipt.audit, receipt.at.to_string())
        );
        let actions: &[&str] = match receipt.result {
            ReceiptResult::Imported => &["import", "restore"],
            ReceiptResult::Activated => &["activate"],
            ReceiptResult::Refused => &["refuse"],
        };
        assert!(actions.contains(&naming[0].action.as_str()), "{receipt:?}");
        receipts.push(receipt);
    }
    assert_eq!(
        rows.iter().filter(|row| !row.detail["receipt"].is_null()).count(),
        receipts.len()
    );
    Stream {
        domain,
        rows,
        receipts,
        envelopes: kept.into_iter().map(|kept| kept.envelope).collect(),
    }
}

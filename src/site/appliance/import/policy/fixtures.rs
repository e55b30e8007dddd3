//! The head and the root that the tests of these decisions judge.

use crate::bundle::Head;
use crate::container::{Builder, Totals};
use crate::crypto::{EpochRule, Roles, RootDocument};
use crate::domain::{Audience, Hash, Timestamp, Version};

pub(super) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn year(year: u32) -> Timestamp {
    time(&format!("{year}-06-01T00:00:00Z"))
}

/// Of product `crm`, channel `stable`, issued in the middle of 2026 and good until 2028.
pub(super) fn head(epoch: u64, sequence: u64) -> Head {
    Head {
        audience: Audience::ANY,
        builder: Builder {
            name: "test".into(),
            version: "1".into(),
        },
        channel: "stable".parse().unwrap(),
        chunk_bytes: 1 << 20,
        documents: Vec::new(),
        domain: Hash([1; 32]),
        epoch,
        expires: year(2028),
        home_hosts: Vec::new(),
        index: Vec::new(),
        issued_at: year(2026),
        minimum_appliance: Version::new(0, 1, 0),
        payload_offset: 0,
        product: "crm".parse().unwrap(),
        reader: Version::new(0, 1, 0),
        requires: Vec::new(),
        root_version: 1,
        sequence,
        totals: Totals {
            blobs: 0,
            chunks: 0,
            content_bytes: 0,
            early_blobs: 0,
            needs: 0,
            stored_bytes: 0,
        },
        version: "1".into(),
        volumes: Vec::new(),
    }
}

/// Good from 2025 to 2036; names an epoch for `crm` on `stable` alone.
pub(super) fn root(epoch: u64) -> RootDocument {
    RootDocument {
        epochs: vec![EpochRule {
            channel: "stable".parse().unwrap(),
            epoch,
            product: "crm".parse().unwrap(),
        }],
        expires: year(2036),
        issued_at: year(2025),
        keys: Vec::new(),
        products: Vec::new(),
        reader: Version::new(0, 1, 0),
        roles: Roles {
            ack: Vec::new(),
            licence: Vec::new(),
            release: Vec::new(),
            root: Vec::new(),
            withdrawal: Vec::new(),
        },
        time_reset: false,
        vendor: "Test".into(),
        version: 1,
    }
}

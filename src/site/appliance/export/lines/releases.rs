//! Releases that the site retains, and what of their content it cannot serve now (M-95).

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::sink::Sink;
use crate::db::Connection;
use crate::db::site::damage;
use crate::db::site::release::{self, ReleaseRow, State};
use crate::domain::{Digest, Hash, Result, limits};
use crate::package::{Damaged, DamagedWord, Line, Release, ReleaseState, ReleaseWord};
use crate::store::Store;

/// Writes every release of a trust domain that stays, then the damage of all of them. One whose damage does not fit into the list is left out.
///
/// Nothing is hashed: what was met damaged is in the database until it was found whole, and what is gone is found by looking.
///
/// # Errors
///
/// `E-IO`; those of the database and of the package.
pub(in super::super) fn releases(
    sink: &mut Sink<'_, '_>,
    connection: &Connection,
    store: &Store,
    domain: Hash,
) -> Result<()> {
    let mut lines = Vec::new();
    let mut damaged = BTreeMap::new();
    // Newest first within a scope: what is built on last is listed first.
    for row in release::list(connection)? {
        // What shall go is not built on.
        if row.scope.domain != domain || row.leaving.is_some() {
            continue;
        }
        let content = Content::of(connection, store, &row, &damaged)?;
        if content.damaged.len().saturating_add(damaged.len()) as u64 > limits::DAMAGED {
            continue;
        }
        damaged.extend(content.damaged);
        lines.push(line(row, content.blobs, content.hash));
    }
    lines.sort_by(|a, b| {
        let key = |line: &Release| (line.product.clone(), line.channel.clone(), line.epoch, line.sequence);
        key(a).cmp(&key(b))
    });
    for line in lines {
        sink.push(&Line::Release(line))?;
    }
    for (digest, size) in damaged {
        let kind = DamagedWord::Word;
        sink.push(&Line::Damaged(Damaged { digest, kind, size }))?;
    }
    Ok(())
}

/// What a release consists of.
struct Content {
    blobs: u64,
    hash: Hash,
    /// What cannot be served, and was not known from another release.
    damaged: BTreeMap<Digest, u64>,
}

impl Content {
    fn of(connection: &Connection, store: &Store, row: &ReleaseRow, known: &BTreeMap<Digest, u64>) -> Result<Self> {
        let (mut blobs, mut hasher, mut damaged) = (0_u64, Sha256::new(), BTreeMap::new());
        release::each_blob(connection, row.id, |digest, size| {
            blobs = blobs.saturating_add(1);
            hasher.update(digest.0.0);
            let is_whole = store.size_of(&digest)? == Some(size) && !damage::is_known(connection, &digest)?;
            // One more than fits says that it does not.
            if !is_whole && !known.contains_key(&digest) && damaged.len() as u64 <= limits::DAMAGED {
                damaged.insert(digest, size);
            }
            Ok(())
        })?;
        Ok(Self {
            blobs,
            hash: Hash(hasher.finalize().into()),
            damaged,
        })
    }
}

fn line(row: ReleaseRow, blobs: u64, content: Hash) -> Release {
    let (state, since) = match row.state {
        State::Active => (ReleaseState::Active, row.activated_at),
        State::Available => (ReleaseState::Available, None),
        State::Retired => (ReleaseState::Retired, row.retired_at),
    };
    Release {
        blobs,
        channel: row.scope.channel,
        content,
        epoch: row.counter.epoch,
        head: row.head,
        imported_at: row.imported_at,
        kind: ReleaseWord::Word,
        product: row.scope.product,
        root_version: row.root_version,
        sequence: row.counter.sequence,
        since,
        state,
    }
}

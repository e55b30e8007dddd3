//! Freezing a stream: what a package says of it changes no more (M-84).
//!
//! Whoever writes `status.db` does it: a running server, asked through the stream's row, or else this process under the same lock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::damage::is_damage;
use super::lock;
use super::quota::Quota;
use super::shared::Shared;
use super::writer::Writer;
use crate::appliance::Appliance;
use crate::db::status::{self, Stream};
use crate::db::{Db, Reader, Schema};
use crate::domain::{Class, Error, Hash, Result, Timestamp};

/// How long a server may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often its answer is looked for.
const LOOK: Duration = Duration::from_millis(20);

/// What is frozen of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frozen {
    /// Records and gap records up to this position change no more; 0 where there is none.
    pub position: u64,
    /// When that was said.
    pub at: Timestamp,
    /// Records up to this position were acknowledged before.
    pub acknowledged: u64,
}

impl Frozen {
    fn of(stream: &Stream) -> Option<Self> {
        let at = stream.frozen_at.filter(|_| !stream.wanted)?;
        Some(Self {
            position: stream.frozen,
            at,
            acknowledged: stream.acknowledged,
        })
    }
}

/// Folds what was reported, and freezes the stream of a trust domain at its highest position. Everything that was answered before this
/// is called is in it. Blocks until it is done.
///
/// # Errors
///
/// `E-BUSY status-writer` when another process writes the database and does not do it within 30 s; `E-STATE`, `E-IO`, `E-SPACE`.
pub fn freeze(appliance: &Appliance, domain: &Hash) -> Result<Frozen> {
    freeze_within(appliance, domain, PATIENCE)
}

/// As [`freeze`], with another patience.
///
/// # Errors
///
/// As [`freeze`].
pub fn freeze_within(appliance: &Appliance, domain: &Hash, patience: Duration) -> Result<Frozen> {
    let deadline = Instant::now() + patience;
    let mut asked = false;
    loop {
        if let Some(lock) = lock::take(appliance.folder())? {
            let shared = Arc::new(Shared::of(appliance, Quota::UNBOUNDED, Duration::ZERO, false));
            return Writer::open(shared, Some(lock)).freeze(domain).and_then(|stream| {
                Frozen::of(&stream)
                    .ok_or_else(|| Error::new(Class::Internal, "status-writer", "a stream was not frozen"))
            });
        }
        let answer = if asked {
            look(appliance, domain)
        } else {
            ask(appliance, domain).map(Some)
        };
        match answer {
            Ok(Some(stream)) => {
                if let Some(frozen) = Frozen::of(&stream).filter(|_| asked) {
                    return Ok(frozen);
                }
                asked = true;
            }
            // Another database stands there now, one that was not asked: what was before is being set aside.
            Ok(None) => asked = false,
            Err(error) if is_damage(&error) => asked = false,
            Err(error) => return Err(error),
        }
        if Instant::now() >= deadline {
            return Err(Error::new(
                Class::Busy,
                "status-writer",
                format!(
                    "the process that writes the status database did not answer within {} s",
                    patience.as_secs()
                ),
            )
            .remedy("try again; where that does not help, start the server again"));
        }
        std::thread::sleep(LOOK);
    }
}

fn ask(appliance: &Appliance, domain: &Hash) -> Result<Stream> {
    let db = Db::open(&appliance.status_database(), &Schema::STATUS)?;
    db.write(|tx| status::want(tx, domain))
}

fn look(appliance: &Appliance, domain: &Hash) -> Result<Option<Stream>> {
    let reader = Reader::open(&appliance.status_database(), &Schema::STATUS)?;
    reader.read(|connection| status::stream_of(connection, domain))
}

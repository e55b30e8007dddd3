//! The audit log, walked, exported, and compared with what left before (SPEC sections 10 and 15).
//!
//! An export is every row as a canonical line, oldest first, and as its last line a signed checkpoint. Of a stream log an acknowledgement
//! says which seal its vendor knows.

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::path::Path;

use serde::Deserialize;

use super::export::own_head;
use super::state::Appliance;
use crate::crypto::{Checkpoint, Envelope, PayloadType, PublicKey, RoleName, canonical};
use crate::db::Connection;
use crate::db::site::{audit, log_witness, packages, stream_log};
use crate::domain::{Class, Error, Hash, Result, SiteId, Timestamp};
use crate::stream::write_atomically_of;

/// No line of a copy is longer: details are short, and an acknowledgement has at most 64 KiB.
const LINE_BYTES: u64 = 1 << 20;
/// Rows read at once.
const BATCH: usize = 1000;
/// How a container begins: the name in its first header.
const PACKAGE: &[u8] = b"00-format\0";
/// How a row begins.
const ROW: &[u8] = b"{\"action\":";

/// A log that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditState {
    /// Number of its rows.
    pub rows: u64,
    /// Hash of the last one.
    pub hash: Hash,
    /// Each stream: trust domain, number of its rows, seal of the last one.
    pub streams: Vec<(Hash, u64, Hash)>,
}

/// What left before, and stands in the log still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compared {
    /// An export: the log begins with exactly its rows.
    Export {
        /// How many.
        rows: u64,
    },
    /// An acknowledgement: the stream log has the seal that the vendor knows.
    Acknowledgement {
        /// Whose.
        domain: Hash,
        /// Of which row.
        row: u64,
    },
    /// A status package of this site: the stream log has every row that it carries.
    Package {
        /// Whose.
        domain: Hash,
        /// Number of the package.
        number: u64,
        /// The last row of the stream log that it vouches for.
        row: u64,
    },
}

/// What of an acknowledgement speaks of the stream log.
#[derive(Deserialize)]
struct Acknowledged {
    audit: Sealed,
    domain: Hash,
    site: SiteId,
}

#[derive(Deserialize)]
struct Sealed {
    hash: Hash,
    number: u64,
}

impl Appliance {
    /// Walks the whole log and every stream log.
    ///
    /// # Errors
    ///
    /// `E-STATE audit-broken` with the first row that does not hold; `database-damaged` where any page of the database cannot be read.
    pub fn verify_audit(&self) -> Result<AuditState> {
        self.db.quick_check()?;
        self.verify_seals()
    }

    /// As [`Appliance::verify_audit`], of the rows alone: what cannot be read beside them is another's matter. Whoever changes something here
    /// asks before: to a log that does not hold nothing is added, and nothing of it is signed.
    ///
    /// # Errors
    ///
    /// `E-STATE audit-broken` with the first row that does not hold, or is missing by what else is here.
    pub fn verify_seals(&self) -> Result<AuditState> {
        self.db.read(seals)
    }

    /// Calls `each` with every row of the log, oldest first.
    ///
    /// # Errors
    ///
    /// Those of the database; those of `each`.
    pub fn each_audit_row(&self, mut each: impl FnMut(audit::Row) -> Result<()>) -> Result<()> {
        let mut after = 0;
        loop {
            let rows = self.db.read(|connection| audit::list(connection, after, BATCH))?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.number;
            rows.into_iter().try_for_each(&mut each)?;
        }
    }

    /// Compares the log with what left before: an export of it, an acknowledgement of a stream, or a status package, which is read whole.
    ///
    /// # Errors
    ///
    /// `E-STATE audit-differs` with the first row that is not what it was; `E-FORMAT`, `E-SIGNATURE`, `E-INTEGRITY` and `E-LIMIT` for a file
    /// that is none of them, or holds something else than was signed; those of a package's steps; `E-IO`.
    pub fn compare_audit(&self, file: File) -> Result<Compared> {
        let mut reader = BufReader::new(file);
        let begins = reader.fill_buf().map_err(|error| {
            Error::new(Class::Io, "io", format!("cannot read the copy: {error}")).with_source(error)
        })?;
        if begins.starts_with(PACKAGE) {
            return self.compare_package(&reader.into_inner());
        }
        let first = line(&mut reader)?;
        if first.starts_with(ROW) {
            self.compare_export(first, &mut reader)
        } else {
            self.compare_acknowledgement(&first)
        }
    }

    fn compare_export(&self, first: Vec<u8>, reader: &mut BufReader<File>) -> Result<Compared> {
        let keys = self.own_keys()?;
        let (mut row, mut number, mut hash) = (first, 0_u64, Hash([0; 32]));
        let mut differs = None;
        while row.starts_with(ROW) {
            number = number.saturating_add(1);
            hash = audit::seal(hash, &row);
            let kept = self
                .db
                .read(|connection| audit::list(connection, number.saturating_sub(1), 1))?;
            // The row itself too: in a log that does not hold its seal says nothing of it.
            let kept = kept.first().filter(|kept| kept.number == number);
            let is_same = kept.is_some_and(|kept| kept.hash == hash && kept.line().as_bytes() == row);
            if !is_same {
                differs.get_or_insert((number, kept.is_none()));
            }
            row = line(reader)?;
        }
        let checkpoint = Checkpoint::parse(&row, &keys)?;
        if !line(reader)?.is_empty() {
            return Err(no_copy("something follows the checkpoint"));
        }
        check_copy(&checkpoint, number, hash)?;
        if checkpoint.site != *self.site() {
            return Err(other_site(&checkpoint.site));
        }
        match differs {
            Some((number, is_missing)) => Err(differs_at("audit row", number, is_missing)),
            None => Ok(Compared::Export { rows: number }),
        }
    }

    fn compare_acknowledgement(&self, file: &[u8]) -> Result<Compared> {
        let envelope: Envelope = canonical::envelopes_from_slice(file, "the file")
            .map_err(|error| no_copy("it holds neither rows nor an envelope").with_source(error))?;
        if envelope.payload_type != PayloadType::StatusAcknowledgement {
            return Err(no_copy(&format!("it holds {}", envelope.payload_type.as_str())));
        }
        let said: Acknowledged = canonical::lenient_from_slice(&envelope.payload, "the acknowledgement")?;
        let chain = self.chain(said.domain)?;
        envelope.verify(PayloadType::StatusAcknowledgement, &chain.newest().role(RoleName::Ack))?;
        if said.site != *self.site() {
            return Err(other_site(&said.site));
        }
        let Sealed { hash, number } = said.audit;
        let kept = self
            .db
            .read(|connection| stream_log::seal(connection, said.domain, number))?;
        if kept == Some(hash) {
            let (domain, row) = (said.domain, number);
            return Ok(Compared::Acknowledgement { domain, row });
        }
        let what = format!("the stream log of the trust domain {}, up to row", said.domain);
        Err(differs_at(&what, number, kept.is_none()))
    }

    /// Writes every row and a signed checkpoint to a file, whole or not at all.
    ///
    /// # Errors
    ///
    /// As [`Appliance::verify_audit`]: what does not hold is not vouched for; as [`Appliance::instance`] and [`Appliance::status_key`];
    /// `E-IO` and `E-SPACE`.
    pub fn export_audit(&self, path: &Path, now: Timestamp) -> Result<Checkpoint> {
        self.verify_audit()?;
        let signer = self.signer()?;
        self.db.read(|connection| {
            // Once more, in the snapshot that is written.
            let number = audit::verify(connection)?;
            let (_, hash) = audit::newest(connection)?;
            let checkpoint = Checkpoint {
                at: now,
                hash,
                instance: signer.instance.clone(),
                number,
                site: signer.site.clone(),
            };
            write_atomically_of(path, 0o600, |file| {
                let failed = |error| Error::io("write", path, error);
                let mut out = BufWriter::new(file);
                let mut after = 0;
                loop {
                    let rows = audit::list(connection, after, BATCH)?;
                    let Some(last) = rows.last() else { break };
                    after = last.number;
                    for row in &rows {
                        writeln!(out, "{}", row.line()).map_err(failed)?;
                    }
                }
                out.flush().map_err(failed)?;
                Ok([checkpoint.sign(&signer.key), b"\n".to_vec()].concat())
            })?;
            Ok(checkpoint)
        })
    }

    /// Returns the status keys that this appliance has and had, as its own log names them; the one in force is the last.
    pub(super) fn own_keys(&self) -> Result<Vec<PublicKey>> {
        let named = self.db.read(audit::named_keys)?;
        let named = named.into_iter().filter_map(|key| PublicKey::try_from(key).ok());
        Ok(named.chain([self.status_key()?.public()]).collect())
    }
}

/// Walks the rows of the whole log and of every stream log.
///
/// # Errors
///
/// As [`Appliance::verify_seals`].
pub(super) fn seals(connection: &Connection) -> Result<AuditState> {
    let rows = audit::verify(connection)?;
    let (_, hash) = audit::newest(connection)?;
    let streams = stream_log::domains(connection)?.into_iter().map(|domain| {
        let rows = stream_log::verify(connection, domain)?;
        check_signed(connection, domain)?;
        Ok((domain, rows, stream_log::newest(connection, domain)?.1))
    });
    let streams = streams.collect::<Result<_>>()?;
    log_witness::check(connection)?;
    Ok(AuditState { rows, hash, streams })
}

/// Checks that the rows of an export are those that were signed.
fn check_copy(checkpoint: &Checkpoint, number: u64, hash: Hash) -> Result<()> {
    if (checkpoint.number, checkpoint.hash) == (number, hash) {
        return Ok(());
    }
    Err(Error::new(
        Class::Integrity,
        "audit-copy",
        format!(
            "the rows of the copy are not the {} that were signed",
            checkpoint.number
        ),
    )
    .expected(format!("the hash {} after the last one", checkpoint.hash))
    .remedy("take another copy: this one was changed after it was exported"))
}

/// Checks that a stream has the rows that its newest signed package vouches for, as they were.
fn check_signed(connection: &Connection, domain: Hash) -> Result<()> {
    let Some(row) = packages::newest_signed_of_any(connection, domain)? else {
        return Ok(());
    };
    let signed = own_head(&row.bytes)?.audit;
    if stream_log::seal(connection, domain, signed.last)? == Some(signed.hash) {
        return Ok(());
    }
    let (rows, _) = stream_log::newest(connection, domain)?;
    let (number, how) = if rows < signed.last {
        (rows.saturating_add(1), "is missing")
    } else {
        (signed.last, "is not what it was")
    };
    let how = format!("{how}: package {} was signed with it", row.number);
    Err(stream_log::broken(domain, number, &how))
}

/// Returns the next line without its end; nothing after the last one.
fn line(reader: &mut BufReader<File>) -> Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut bounded = reader.take(LINE_BYTES.saturating_add(1));
    bounded
        .read_until(b'\n', &mut line)
        .map_err(|error| Error::new(Class::Io, "io", format!("cannot read the copy: {error}")).with_source(error))?;
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    if line.len() as u64 > LINE_BYTES {
        return Err(Error::new(Class::Limit, "line", "a line of the file is too long")
            .expected(format!("at most {LINE_BYTES} bytes"))
            .remedy(NAME_COPY));
    }
    Ok(line)
}

const NAME_COPY: &str = "name a file that `airlock audit export -o FILE` wrote, an acknowledgement of a vendor, or a status package of this site";

pub(super) fn no_copy(found: &str) -> Error {
    Error::new(
        Class::Format,
        "audit-copy",
        format!("the file is no copy of a log: {found}"),
    )
    .expected("an export of this log, an acknowledgement, or a status package")
    .remedy(NAME_COPY)
}

pub(super) fn other_site(site: &SiteId) -> Error {
    Error::new(Class::Audience, "site", format!("the file is about the site {site}"))
        .expected("one about this site")
        .remedy(NAME_COPY)
}

pub(super) fn differs_at(what: &str, number: u64, is_missing: bool) -> Error {
    let how = if is_missing {
        "is not in the log any more"
    } else {
        "is not what it was when it left"
    };
    Error::new(Class::State, "audit-differs", format!("{what} {number} {how}"))
        .expected("a log that only grows")
        .remedy("keep the state folder and the file as evidence; where the folder was put back from a copy, say so with `airlock recover --as restored`")
}

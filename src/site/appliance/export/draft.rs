//! The draft: the whole unsigned package in the outbox, and its row (E0 to E4; M-98). What is previewed are these bytes.

use std::io::{BufWriter, Seek as _, SeekFrom, Write as _};

use serde_json::json;

use super::facts::{Asked, Facts};
use super::lines::{self, Sink};
use super::outbox;
use super::redact::Redactor;
use crate::appliance::secret::KnownValues;
use crate::appliance::state::Appliance;
use crate::appliance::status::{StreamView, freeze, read_stream};
use crate::crypto::canonical;
use crate::db::Connection;
use crate::db::site::audit;
use crate::db::site::packages::{self, PackageRow, State};
use crate::db::site::site_revisions::SiteRevisions;
use crate::domain::{Class, Error, Hash, InstanceId, Result};
use crate::package::{Numbers, PackageWriter, Room, Shows, Switch, WrittenPackage};

/// What shows texts in the words of agents, who may print what they were given.
const OF_AGENTS: [Switch; 4] = [Switch::AgentLogs, Switch::Agents, Switch::Logs, Switch::StatusText];

/// What a draft shall be.
#[derive(Debug)]
pub struct DraftRequest<'a> {
    /// Whose stream.
    pub domain: Hash,
    /// What beyond the least is shown.
    pub shows: Shows,
    /// How large it may become.
    pub room: Room,
    /// What texts do not keep.
    pub redactor: &'a Redactor,
    /// Whether it takes the place of a draft that is there.
    pub discard: bool,
}

/// The draft of a stream.
#[derive(Debug)]
pub struct Drafted {
    /// Its row.
    pub row: PackageRow,
    /// Whether it was there before, as it was asked for.
    pub is_earlier: bool,
}

impl Appliance {
    /// Returns the draft of a stream whose file is there. One of an earlier life of the state folder ended with that (M-82).
    ///
    /// # Errors
    ///
    /// Those of the database; `E-STATE instance` and `planted`.
    pub fn draft(&self, domain: Hash) -> Result<Option<PackageRow>> {
        let instance = self.instance()?;
        let row = self.db.read(|connection| packages::draft(connection, domain))?;
        let Some(row) = row.filter(|row| row.instance == instance) else {
            return Ok(None);
        };
        Ok(self.open_package(row.head)?.map(|_| row))
    }

    /// Makes the draft of a stream: freezes it, writes the whole package without a signature, and says so in the log. A draft that is there
    /// and shows what is asked for is it; what came since is not in it.
    ///
    /// `progress` is told how many bytes of lines were written.
    ///
    /// # Errors
    ///
    /// `E-BUSY draft` when one is there that shows something else, and it is not to be discarded; `E-BUSY export` and `status-writer`;
    /// `E-STATE secrets-unreadable` when texts are asked for that may hold a value which cannot be read, and so not be taken out;
    /// `E-LIMIT max-size`; `E-TRUST unknown-domain`; `E-STATE`, `E-IO` and `E-SPACE`. The draft before stays then.
    pub fn make_draft(&self, request: &DraftRequest<'_>, progress: &mut dyn FnMut(u64)) -> Result<Drafted> {
        let lock = self.lock_export()?;
        if let Some(row) = self.draft(request.domain)?.filter(|_| !request.discard) {
            let shows = super::facts::own_head(&row.bytes)?.shows;
            if shows != request.shows || row.size > request.room.max_size {
                return Err(busy(&row, &shows));
            }
            return Ok(Drafted { row, is_earlier: true });
        }
        let (chain, instance) = (self.chain(request.domain)?, self.instance()?);
        freeze(self, &request.domain)?;
        // After it: what comes now with a value that comes now is not in the package.
        let known = self.known_values(Some(request.domain))?;
        if OF_AGENTS.iter().any(|switch| request.shows.has(*switch)) {
            known.check()?;
        }
        let made = outbox::spool(self, &lock).and_then(|mut spool| {
            outbox::put(self, &lock, |file| {
                let made = read_stream(self, &request.domain, |view| {
                    self.db.read(|connection| {
                        let asked = Asked {
                            appliance: self,
                            chain: &chain,
                            instance: &instance,
                            shows: &request.shows,
                        };
                        let sources = Sources {
                            connection,
                            view,
                            asked: &asked,
                            known: &known,
                        };
                        write(&sources, request, &mut spool, file, progress)
                    })
                })?;
                let (written, cut) = made.ok_or_else(|| {
                    Error::new(
                        Class::Internal,
                        "status-stream",
                        "a stream that was frozen is not there",
                    )
                })?;
                Ok((written.head_digest, (written, cut)))
            })
        });
        let (written, cut) = made?;
        let row = row(request, &instance, &written, cut);
        self.db.write(|transaction| {
            packages::put_draft(transaction, &row)?;
            let detail = json!({
                "domain": row.domain, "head": row.head, "number": row.number, "shows": request.shows,
            });
            audit::append(transaction, self.clock.now(), "status-seal", &detail, &[])
        })?;
        // The file of the draft before, whose row went with that.
        outbox::clear(self, &lock)?;
        Ok(Drafted { row, is_earlier: false })
    }
}

/// Where lines come from: each a moment of a database.
struct Sources<'a> {
    connection: &'a Connection,
    view: &'a StreamView<'a>,
    asked: &'a Asked<'a>,
    known: &'a KnownValues,
}

/// Writes the whole package (E2, E3); says whether a range ended early.
fn write(
    sources: &Sources<'_>,
    request: &DraftRequest<'_>,
    spool: &mut std::fs::File,
    file: &mut std::fs::File,
    progress: &mut dyn FnMut(u64),
) -> Result<(WrittenPackage, bool)> {
    let Sources {
        connection,
        view,
        asked,
        known,
    } = sources;
    let Facts { statement, lasts } = Facts::read(connection, view.stream(), asked)?;
    let firsts = statement.firsts;
    let mut buffered = BufWriter::new(&mut *spool);
    let mut writer = PackageWriter::new(statement, request.room, &mut buffered)?;
    let mut sink = Sink {
        writer: &mut writer,
        redactor: request.redactor,
        known,
        revisions: &SiteRevisions::read(connection)?,
        progress,
    };
    write_lines(&mut sink, sources, request, firsts, lasts)?;
    let lines = writer.finish(lasts)?;
    buffered.flush().map_err(|error| unwritten(asked.appliance, error))?;
    drop(buffered);
    let records = lines.lasts().records;
    let coverage = view.coverage(firsts.records, records)?;
    let cut = lines.is_cut();
    spool
        .seek(SeekFrom::Start(0))
        .map_err(|error| unwritten(asked.appliance, error))?;
    let mut out = BufWriter::new(file);
    let written = lines.write(lines::counts(&coverage, &request.shows), spool, &mut out)?;
    out.flush().map_err(|error| unwritten(asked.appliance, error))?;
    Ok((written, cut))
}

/// Writes the lines, part by part.
fn write_lines(
    sink: &mut Sink<'_, '_>,
    sources: &Sources<'_>,
    request: &DraftRequest<'_>,
    firsts: Numbers,
    lasts: Numbers,
) -> Result<()> {
    let Sources {
        connection,
        view,
        asked,
        ..
    } = sources;
    let (domain, shows) = (request.domain, &request.shows);
    lines::releases(sink, connection, &asked.appliance.store, domain)?;
    lines::targets(sink, connection, view, domain, shows)?;
    lines::receipts(sink, connection, domain, firsts.receipts)?;
    lines::audit(sink, connection, domain, firsts.audit)?;
    if shows.has(Switch::Metrics) {
        lines::days(sink, view)?;
    }
    lines::records(sink, view, (firsts.records, lasts.records), shows)
}

fn row(request: &DraftRequest<'_>, instance: &InstanceId, written: &WrittenPackage, cut: bool) -> PackageRow {
    PackageRow {
        domain: request.domain,
        instance: instance.clone(),
        number: written.head.number,
        head: written.head_digest,
        state: State::Draft,
        bytes: canonical::to_vec(&written.head),
        cut,
        made_at: written.head.made_at,
        size: written.size,
        approvals: request.room.approvals,
    }
}

fn busy(row: &PackageRow, shows: &Shows) -> Error {
    let words: Vec<_> = shows.iter().map(Switch::as_str).collect();
    let shows = if words.is_empty() {
        "nothing beyond the least".to_owned()
    } else {
        words.join(", ")
    };
    Error::new(
        Class::Busy,
        "draft",
        format!(
            "a draft of package {} is there, made at {}, which shows {shows} and has {} bytes",
            row.number, row.made_at, row.size
        ),
    )
    .expected("none, or one that shows what is asked for")
    .remedy("`airlock status preview --discard` makes another one in its place; approvals of the draft end with it")
}

fn unwritten(appliance: &Appliance, error: std::io::Error) -> Error {
    Error::io(
        "write",
        &appliance.folder().join(crate::appliance::folder::OUTBOX),
        error,
    )
}

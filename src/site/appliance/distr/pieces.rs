//! The answer to `resources`, made piece by piece: what a slow agent has not taken yet exists nowhere (threat model J16, R14).

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use zeroize::Zeroizing;

use super::document::{Document, Source, add};
use super::resources::{self, Part, Role, Wanted};
use crate::appliance::fleet::{Assignment, FleetTarget, SiteView};
use crate::domain::{Class, Digest, Error, Result, limits};
use crate::store::Store;

/// Files of documents that stay open while a piece is made.
const OPEN: usize = 16;

/// An answer on its way: of one generation to its end.
#[derive(Debug)]
pub struct ResourcesPieces {
    target: Arc<FleetTarget>,
    /// Deployments that come yet, by their place.
    deployments: VecDeque<u32>,
    waiting: VecDeque<Piece>,
    after: &'static str,
}

#[derive(Debug)]
enum Piece {
    Part(Part),
    Open(Box<Document>),
}

impl ResourcesPieces {
    /// Begins the answer.
    ///
    /// # Errors
    ///
    /// `E-STATE` when what the target runs is not known, or its document is not what was signed; `E-IO`.
    pub(super) fn begin(target: &Arc<FleetTarget>, store: &Store) -> Result<Self> {
        let assignment = target.assignment()?;
        // The assignment was made from this document; that it is still what was signed is part of the answer.
        store.verify(&assignment.document.digest, limits::MANIFEST_BYTES)?;
        let deployments = order(assignment);
        let (before, after) = resources::frame(assignment, !deployments.is_empty())?;
        Ok(Self {
            target: target.clone(),
            deployments,
            waiting: VecDeque::from([Piece::Part(Part::Text(before))]),
            after,
        })
    }

    /// Makes sure, before anything is sent, that every document is there as it was signed.
    ///
    /// # Errors
    ///
    /// `E-STATE` when one is gone, changed, or no JSON object where one must be; `E-IO`.
    pub(super) fn check(&self, store: &Store, site: &SiteView) -> Result<()> {
        let assignment = self.target.assignment()?;
        // Thousands of deployments may name one document.
        let mut checked = HashSet::new();
        for place in &self.deployments {
            for wanted in resources::documents(assignment, *place)? {
                if checked.insert(file(&wanted)) {
                    Source::open(&wanted, store, site)?;
                }
            }
        }
        self.check_rendered(assignment, store, site)
    }

    /// Bounds what values make of the documents. That is looked at once: neither the values nor the documents change.
    fn check_rendered(&self, assignment: &Assignment, store: &Store, site: &SiteView) -> Result<()> {
        if !assignment.has_secrets() || self.target.is_bounded.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut whole = 0_u64;
        for place in &self.deployments {
            let values = &resources::assigned(assignment, *place)?.values;
            for wanted in resources::documents(assignment, *place)? {
                let document = Document::of(Source::open(&wanted, store, site)?, &wanted, site, values);
                let bytes = document.rendered_bytes()?;
                whole = whole.saturating_add(bytes);
                if bytes > limits::MANIFEST_BYTES || whole > limits::TARGET_RENDERED_BYTES {
                    return Err(too_large(whole.max(bytes)));
                }
            }
        }
        self.target.is_bounded.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Adds what comes next to `out`, until that holds `room` bytes or a little more; whether that was all.
    ///
    /// # Errors
    ///
    /// As [`ResourcesPieces::check`]: then what was sent is no answer, and must not end like one.
    pub(super) fn fill(
        &mut self,
        store: &Store,
        site: &SiteView,
        room: usize,
        out: &mut Zeroizing<Vec<u8>>,
    ) -> Result<bool> {
        let mut open: HashMap<(Digest, bool), Source> = HashMap::new();
        while out.len() < room {
            match self.waiting.pop_front() {
                Some(Piece::Part(Part::Text(text))) => add(out, text.as_bytes()),
                Some(Piece::Part(Part::Document(wanted))) => {
                    let source = match open.get(&file(&wanted)) {
                        Some(source) => source.clone(),
                        None => Source::open(&wanted, store, site)?,
                    };
                    if open.len() < OPEN {
                        open.insert(file(&wanted), source.clone());
                    }
                    let values = &resources::assigned(self.target.assignment()?, wanted.of)?.values;
                    let document = Document::of(source, &wanted, site, values);
                    self.waiting.push_front(Piece::Open(Box::new(document)));
                }
                Some(Piece::Open(mut document)) => {
                    document.read(room.saturating_sub(out.len()), out)?;
                    if !document.is_done() {
                        self.waiting.push_front(Piece::Open(document));
                    }
                }
                None => {
                    if let Some(place) = self.deployments.pop_front() {
                        self.add_deployment(place, site)?;
                    } else {
                        add(out, std::mem::take(&mut self.after).as_bytes());
                        return Ok(true);
                    }
                }
            }
        }
        Ok(false)
    }

    fn add_deployment(&mut self, place: u32, site: &SiteView) -> Result<()> {
        let assignment = self.target.assignment()?;
        let parts = resources::parts(assignment, place, site)?;
        self.waiting.extend(parts.into_iter().map(Piece::Part));
        if !self.deployments.is_empty() {
            self.waiting.push_back(Piece::Part(Part::Text(",".to_owned())));
        }
        Ok(())
    }
}

/// Returns the places of the deployments that are told, in the order of the answer: that of the release.
fn order(assignment: &Assignment) -> VecDeque<u32> {
    let placed = (0_u32..).zip(&assignment.deployments);
    placed
        .filter(|(_, item)| !item.removed)
        .map(|(place, _)| place)
        .collect()
}

/// What is opened for a document, whichever deployments want it: its digest, and whether it must be values.
fn file(wanted: &Wanted) -> (Digest, bool) {
    (wanted.digest, wanted.role == Role::Values)
}

/// What agents are told has bounds, whatever values are.
fn too_large(bytes: u64) -> Error {
    Error::new(
        Class::State,
        "rendered",
        format!("with its secrets in it what the target shall run has {bytes} bytes or more"),
    )
    .expected(format!(
        "at most {} bytes a document, and {} a target",
        limits::MANIFEST_BYTES,
        limits::TARGET_RENDERED_BYTES
    ))
    .remedy("enter shorter values with `airlock secret set NAME --replace`; `airlock secret list` names them")
}

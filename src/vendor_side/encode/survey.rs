//! What a layer is, found out by reading it: compared with its digest, and who made it where it is a gzip file.
//!
//! That is work of one core. So the layer that comes next, if it is near, is surveyed on a thread of its own while the one before is packed,
//! which leaves a core idle now and then. What comes out is the same.

use std::cell::RefCell;
use std::io::{Cursor, Read as _};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::Scope;
use std::time::Duration;

use super::candidate::{Content, MAGIC, by_magic};
use super::layer::{Layer, unreadable};
use super::report::Reason;
use super::shelf::Shelf;
use crate::bundle::BlobSource as _;
use crate::collect::Sources;
use crate::domain::{Class, Digest, Error, Result};
use crate::panics::caught;
use crate::recipe::find::{Found, Search, Why};
use crate::stream::read_exact_or_end;

/// How often who waits tells that something goes on.
const TICK: Duration = Duration::from_millis(500);

/// A layer that was looked at.
pub(super) enum Survey<'a> {
    /// It travels as it is; whether all of it was read.
    AsItIs(Reason, bool),
    /// It is its plain, and nothing of it was read that has to be read once only.
    Plain,
    /// It is its plain.
    Read(Layer<'a>),
    /// A gzip file, and how it is likely made.
    Gzip(Layer<'a>, Box<(Search, Found)>),
}

/// A layer to look at.
#[derive(Clone, Copy)]
pub(super) struct Surveyor<'a> {
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) sources: &'a Sources,
    /// Whether it may be copied from others, so that it is read more than once.
    pub(super) is_compared: bool,
}

impl<'a> Surveyor<'a> {
    /// Looks at it, and makes a copy of what is read whole where `copies` is given. `alive` is called now and then.
    ///
    /// # Errors
    ///
    /// `E-INTEGRITY source`; `E-IO` of the source, `E-IO` and `E-SPACE` of the copy.
    pub(super) fn survey(self, copies: Option<&Shelf>, alive: &mut dyn FnMut()) -> Result<Survey<'a>> {
        let mut source = self.sources.open(&self.digest, self.size)?;
        let mut first = [0; MAGIC];
        let count = read_exact_or_end(&mut source, &mut first).map_err(unreadable)?;
        let first = first.get(..count).unwrap_or_default();
        let content = match by_magic(first) {
            Ok(content) => content,
            Err(reason) => return Ok(Survey::AsItIs(reason, false)),
        };
        if content == Content::Plain && !self.is_compared && copies.is_none() {
            return Ok(Survey::Plain);
        }
        let source = Cursor::new(first.to_vec()).chain(source);
        let layer = Layer::read(self.digest, self.size, source, self.sources, copies)?;
        if content == Content::Plain {
            return Ok(Survey::Read(layer));
        }
        let mut alive = || alive();
        let alive: RefCell<&mut dyn FnMut()> = RefCell::new(&mut alive);
        let mut open = || layer.open_telling(&alive);
        let found = Search::of(&mut open).and_then(|search| Ok((search.likely(&mut open)?, search)));
        match found {
            Ok((found, search)) => Ok(Survey::Gzip(layer, Box::new((search, found)))),
            Err(why) => reason(why).map(|reason| Survey::AsItIs(reason, true)),
        }
    }

    /// Looks at it, which is near, on a thread of its own.
    pub(super) fn ahead<'scope>(self, scope: &'scope Scope<'scope, 'a>) -> Ahead<'a>
    where
        'a: 'scope,
    {
        let (sender, survey) = mpsc::sync_channel(1);
        scope.spawn(move || {
            let done = caught("survey", || self.survey(None, &mut || ()));
            // Nobody waits any more where the layer before ended everything.
            sender.send(done.and_then(|done| done)).ok();
        });
        Ahead {
            digest: self.digest,
            survey,
        }
    }
}

/// A layer that another thread looks at.
pub(super) struct Ahead<'a> {
    pub(super) digest: Digest,
    survey: Receiver<Result<Survey<'a>>>,
}

impl<'a> Ahead<'a> {
    /// Waits for it.
    ///
    /// # Errors
    ///
    /// Those of [`Surveyor::survey`]; `E-INTERNAL panic`.
    pub(super) fn wait(self, alive: &mut dyn FnMut()) -> Result<Survey<'a>> {
        loop {
            match self.survey.recv_timeout(TICK) {
                Ok(survey) => return survey,
                Err(RecvTimeoutError::Timeout) => alive(),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::new(Class::Internal, "panic", "survey ended by a panic"));
                }
            }
        }
    }
}

/// Why a gzip file travels as it is.
///
/// # Errors
///
/// Those of its source.
pub(super) fn reason(why: Why) -> Result<Reason> {
    match why {
        Why::Io(error) => Err(unreadable(error)),
        Why::NoGzip | Why::UnknownProducer => Ok(Reason::UnknownProducer),
        Why::Differs => Ok(Reason::RebuildDiffers),
        Why::TooLarge => Ok(Reason::RecipeTooLarge),
        Why::Work => Ok(Reason::Work),
    }
}

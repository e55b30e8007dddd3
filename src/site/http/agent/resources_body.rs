//! The body of a long answer to `resources`: made as the agent takes it (threat model J16).
//!
//! When a document turns out to be another one the body fails; hyper then ends the connection short of the last chunk, so no agent takes
//! what it got for the whole.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Bytes, HttpBody};
use http_body::Frame;

use super::app::AgentApp;
use crate::appliance::distr::ResourcesPieces;
use crate::appliance::fleet::Identity;
use crate::domain::{Error, Result};
use crate::http::in_flight::{Account, SMALL_BYTES};

/// Bytes made at once where there is room for them.
const PIECE_BYTES: usize = 64 << 10;

/// What an agent shall run, on its way.
pub(super) struct ResourcesBody {
    app: Arc<AgentApp>,
    identity: Arc<Identity>,
    account: Account,
    next: Next,
}

enum Next {
    /// Something is to be made.
    Begin(ResourcesPieces),
    /// It is being made, beside the runtime's threads.
    Work(Pin<Box<dyn Future<Output = Result<Made>> + Send>>),
    /// Nothing comes any more.
    End,
}

struct Made {
    bytes: Bytes,
    /// Nothing when that was all.
    pieces: Option<ResourcesPieces>,
}

impl ResourcesBody {
    pub(super) fn new(app: Arc<AgentApp>, identity: Arc<Identity>, account: Account, pieces: ResourcesPieces) -> Self {
        Self {
            app,
            identity,
            account,
            next: Next::Begin(pieces),
        }
    }

    fn make(&self, mut pieces: ResourcesPieces) -> Next {
        // Who has no room for more goes on with what every connection may hold.
        let permit = self.account.take(PIECE_BYTES).ok();
        let room = if permit.is_some() { PIECE_BYTES } else { SMALL_BYTES };
        Next::Work(Box::pin(self.app.render_piece(&self.identity, move |hub| {
            let (bytes, done) = hub.next_resources(&mut pieces, room)?;
            Ok(Made {
                bytes: match permit {
                    Some(permit) => permit.hold(bytes),
                    None => Bytes::from_owner(bytes),
                },
                pieces: (!done).then_some(pieces),
            })
        })))
    }
}

impl HttpBody for ResourcesBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        loop {
            match &mut self.next {
                Next::End => return Poll::Ready(None),
                Next::Work(work) => {
                    let made = ready!(work.as_mut().poll(context));
                    self.next = Next::End;
                    return Poll::Ready(Some(match made {
                        Ok(Made { bytes, pieces }) => {
                            self.next = pieces.map_or(Next::End, Next::Begin);
                            Ok(Frame::data(bytes))
                        }
                        Err(error) => {
                            tracing::error!(class = error.class().name(), code = error.code(), %error, "an answer was broken off");
                            Err(error)
                        }
                    }));
                }
                Next::Begin(_) => {
                    if let Next::Begin(pieces) = std::mem::replace(&mut self.next, Next::End) {
                        self.next = self.make(pieces);
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.next, Next::End)
    }
}

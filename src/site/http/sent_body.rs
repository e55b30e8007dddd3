//! The body of an answer, with what says that its connection is at work until it is sent, and what counts its bytes.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use http_body::{Frame, SizeHint};

use super::metrics::Counters;
use super::seats::AtWork;

/// A body as the handler made it.
#[derive(Debug)]
pub(super) struct SentBody {
    body: Body,
    counters: Arc<Counters>,
    _at_work: AtWork,
}

impl SentBody {
    pub(super) fn new(body: Body, counters: Arc<Counters>, at_work: AtWork) -> Self {
        Self {
            body,
            counters,
            _at_work: at_work,
        }
    }
}

impl HttpBody for SentBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            self.counters.sent(frame.data_ref().map_or(0, Bytes::len));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

//! The body of a response as hyper sends it on a stream: what it was given and
//! has not sent is counted. Polled by the request's own slot in [`super::streams`].

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Buf;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::exchange::Tracked;
use crate::http2::send_budget::{Piece, SendBudget, Share};
use crate::http2::wait::Wait;
use crate::message::body::BodyError;
use crate::net::connection_state::ConnectionState;

/// A body on a stream.
pub(super) struct Outgoing {
    body: Tracked,
    content: Content,
    state: Arc<ConnectionState>,
    wait: Arc<Wait>,
}

/// Where the content is.
enum Content {
    /// In memory, all of it, whether it is sent or not: a handler has made it, or
    /// it is cached for others too.
    Whole(Arc<SendBudget>),
    /// Elsewhere: it is fetched piece by piece.
    Fetched(Arc<Share>),
}

impl Outgoing {
    pub(super) fn new(body: Tracked, budget: Arc<SendBudget>, state: Arc<ConnectionState>) -> Self {
        let wait = budget.begin();
        let content = match body.whole() {
            Some(_) => Content::Whole(budget),
            None => Content::Fetched(Share::of(budget, wait.clone())),
        };
        Self { body, content, state, wait }
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        if let Content::Fetched(share) = &self.content {
            share.leave();
        }
    }
}

impl HttpBody for Outgoing {
    type Data = Sending;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Sending>, BodyError>>> {
        let Self { body, content, state, wait } = &mut *self;
        if let Content::Fetched(share) = content {
            let Poll::Ready(most) = share.poll_room(context) else {
                // It has a piece that the client does not take.
                wait.begin();
                return Poll::Pending;
            };
            body.read_at_most(most);
        }
        wait.end();
        let frame = Pin::new(body).poll_frame(context).map_ok(|frame| {
            frame.map_data(|bytes| {
                let piece = match content {
                    Content::Whole(budget) => budget.pass(bytes),
                    Content::Fetched(share) => share.hold(bytes),
                };
                Sending::new(piece, state.clone())
            })
        });
        if matches!(frame, Poll::Ready(Some(Ok(_)))) {
            wait.begin();
        }
        if let Content::Fetched(share) = content {
            share.pass_on();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A piece that hyper has. The body may be done with it and gone; a client that
/// takes none of it is late all the same.
pub(super) struct Sending {
    piece: Piece,
    state: Arc<ConnectionState>,
}

impl Sending {
    fn new(piece: Piece, state: Arc<ConnectionState>) -> Self {
        state.begin_unsent();
        Self { piece, state }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.state.end_unsent();
    }
}

impl Buf for Sending {
    fn remaining(&self) -> usize {
        self.piece.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.piece.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.state.record_sent();
        self.piece.advance(count);
    }
}

//! Runs a connection of hyper's HTTP/1 in its task, beside what is recorded of it: it may be asked
//! to end, and it may have nothing more to do.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::net::connection_state::{CloseMode, ConnectionState};

/// Why hyper no longer runs a connection.
pub(super) enum Driven {
    /// It has ended, or is to end.
    Ended(CloseMode),
    /// It waits for a further request.
    Rests,
}

/// Runs a connection until it ends, is to be cut, or rests.
pub(super) async fn drive<C>(
    state: &ConnectionState,
    connection: &mut C,
    shut_down: impl Fn(&mut C),
) -> Driven
where
    C: Future<Output = hyper::Result<()>> + Unpin,
{
    let mut is_closing = false;
    std::future::poll_fn(|context: &mut Context<'_>| {
        state.register(context.waker());
        if let ending @ (CloseMode::HeadTimeout | CloseMode::Rejected | CloseMode::Cut) =
            state.close_mode()
        {
            return Poll::Ready(Driven::Ended(ending));
        }
        loop {
            match Pin::new(&mut *connection).poll(context) {
                Poll::Pending if state.is_engine_idle() && !is_closing => {
                    return Poll::Ready(Driven::Rests);
                }
                // Not before it has seen the request with which it was given the
                // connection: it would leave that unanswered.
                Poll::Pending if state.close_mode() == CloseMode::Gracefully && !is_closing => {
                    shut_down(connection);
                    is_closing = true;
                }
                Poll::Pending => return Poll::Pending,
                Poll::Ready(outcome) => {
                    if let Err(error) = outcome {
                        tracing::debug!("a connection ended: {error}");
                    }
                    return Poll::Ready(Driven::Ended(CloseMode::No));
                }
            }
        }
    })
    .await
}

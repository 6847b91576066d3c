//! How long an upstream is silent: what counts is the pause between two bytes, in either
//! direction (nginx's `proxy_read_timeout`), not how long a response takes.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// Times the pauses of one connection, in which somebody waits for the upstream and for nobody
/// else.
#[derive(Debug, Default)]
pub(super) struct Silence {
    /// When the present pause has begun.
    since: Option<Instant>,
    /// Kept between pauses. It is set anew only when it fires or would fire too late, so that a
    /// busy connection costs no timer.
    timer: Option<Pin<Box<Sleep>>>,
    /// Whether it was needed since it was last looked at.
    is_in_use: bool,
}

impl Silence {
    /// Something has moved, or the upstream is not what is waited for.
    pub(super) fn end(&mut self) {
        self.since = None;
    }

    /// Drops the timer where it was not needed since the last call: it would keep the memory of the
    /// task that it was to wake.
    pub(super) fn drop_unused_timer(&mut self) {
        if !std::mem::take(&mut self.is_in_use) {
            self.timer = None;
        }
    }

    /// Ready when the present pause, which begins now if there is none, has lasted for `limit`.
    pub(super) fn poll(&mut self, limit: Duration, context: &mut Context<'_>) -> Poll<()> {
        let deadline = *self.since.get_or_insert_with(Instant::now) + limit;
        self.is_in_use = true;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        while timer.as_mut().poll(context).is_ready() {
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests;

//! What the certificates of a server ask of its program: [`DnsProvider`] and [`Judge`] in front of
//! the bridge. Every function here runs on the thread `slimhttp-acme`, and none waits; what that
//! thread waits for is a future. One that is dropped before its answer came, because the time for
//! it is over or the server stops, says that nobody waits any more: whoever takes the job skips it,
//! and a task of the event loop is cancelled.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use slimhttp_server::{DnsFuture, DnsProvider, Judge, JudgeFuture};
use tokio::sync::oneshot;

use crate::acme_job::{AcmeJob, AcmeOutcome, AcmeQuestion, RecordAction};
use crate::bridge::Bridge;
use crate::job::Job;
use crate::job_id::JobId;

/// A program that sets records of the DNS, or decides about names.
#[derive(Debug)]
pub struct BridgeAcme(pub Arc<Bridge>);

impl DnsProvider for BridgeAcme {
    fn present<'a>(&'a self, name: &'a str, value: &'a str) -> DnsFuture<'a> {
        self.record(RecordAction::Present, name, value)
    }

    fn cleanup<'a>(&'a self, name: &'a str, value: &'a str) -> DnsFuture<'a> {
        self.record(RecordAction::Cleanup, name, value)
    }
}

impl Judge for BridgeAcme {
    fn allows<'a>(&'a self, name: &'a str) -> JudgeFuture<'a> {
        let answer = self.ask(AcmeQuestion::Allow(name.into()));
        Box::pin(async move {
            // Why not, the log has said.
            answer.await.unwrap_or(false)
        })
    }
}

impl BridgeAcme {
    fn record(&self, action: RecordAction, name: &str, value: &str) -> DnsFuture<'static> {
        let (name, value) = (name.into(), value.into());
        let answer = self.ask(AcmeQuestion::Record { action, name, value });
        Box::pin(async move { answer.await.map(drop) })
    }

    /// Asks the program. There are no more questions than calls may wait.
    fn ask(&self, question: AcmeQuestion) -> impl Future<Output = AcmeOutcome> + Send + use<> {
        let bridge = &self.0;
        let pending = bridge.acme_backlog.take(bridge.queue.capacity.limit()).map(|place| {
            let id = bridge.next_id();
            let (job, answer) = AcmeJob::channel(id, question, place);
            bridge.take_jobs([Job::Acme(job)]);
            PendingOutcome { answer, id, bridge: Some(bridge.clone()) }
        });
        async move {
            match pending {
                Some(pending) => pending.await,
                None => {
                    Err("the program has left too many questions open (`max_queue`)".to_owned())
                }
            }
        }
    }
}

/// Waits for an answer; dropped before it came, it says that nobody does any more.
struct PendingOutcome {
    answer: oneshot::Receiver<AcmeOutcome>,
    id: JobId,
    /// `None` once the answer is here.
    bridge: Option<Arc<Bridge>>,
}

impl Future for PendingOutcome {
    type Output = AcmeOutcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<AcmeOutcome> {
        let answer = std::task::ready!(Pin::new(&mut self.answer).poll(context));
        if let Some(bridge) = self.bridge.take() {
            bridge.loop_queue.forget_resumed(self.id);
        }
        Poll::Ready(answer.unwrap_or_else(|_| Err("the server stops".to_owned())))
    }
}

impl Drop for PendingOutcome {
    fn drop(&mut self) {
        if let Some(bridge) = self.bridge.take() {
            // In this order: whoever finds the task later sees a closed slot.
            self.answer.close();
            if bridge.loop_queue.forget_resumed(self.id) {
                bridge.loop_queue.cancel(self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests;

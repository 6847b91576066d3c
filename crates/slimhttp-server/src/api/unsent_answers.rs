//! Calls handlers within the bound on what they have answered and the client has not taken,
//! see [`UnsentAnswers`]. Called by the exchange, on the I/O thread of the connection; dropping
//! the future cancels the call, or gives up the wait for room.

use std::sync::Arc;

use crate::api::handler::{Answer, AnswerFuture, Callee, Handler, HandlerFault, Request};
use crate::message::body::Body;
use crate::net::unsent_answers::UnsentAnswers;

/// Calls a handler, once the connection of the request has room for its answer. Where
/// other answers have taken it before the handler begins, it is called again.
pub(crate) fn call(
    handler: &Arc<dyn Handler>,
    answers: Option<&Arc<UnsentAnswers>>,
    callee: Callee,
    request: Arc<Request>,
) -> AnswerFuture {
    let Some(answers) = answers.cloned() else { return handler.call(callee, request) };
    let handler = handler.clone();
    Box::pin(async move {
        loop {
            answers.room().await;
            match handler.call(callee.clone(), request.clone()).await {
                Err(HandlerFault::NoRoom) => {}
                outcome => return outcome,
            }
        }
    })
}

/// An answer whose content counts from now on.
pub(crate) fn held(answer: Answer, answers: &Arc<UnsentAnswers>) -> Answer {
    match answer {
        Answer::Reply(response) => Answer::Reply(response.map(|body| match body {
            Body::Full(content) => Body::Full(answers.hold(content)),
            body => body,
        })),
        answer => answer,
    }
}

#[cfg(test)]
mod tests;

//! Bodies on their way to an upstream, from a client that is written by hand.

use std::future::poll_fn;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::*;

const BODY_TIMEOUT: Duration = Duration::from_secs(20);
const MAX_BODY: u64 = 10;

/// What the client sends next: bytes, or that it has gone.
type Piece = Result<&'static [u8], BodyError>;

/// A body of which the length is not known, as a client of chunks has it.
struct Pieces(mpsc::UnboundedReceiver<Piece>);

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let piece = ready!(self.0.poll_recv(context));
        Poll::Ready(piece.map(|piece| piece.map(|bytes| Frame::data(Bytes::from_static(bytes)))))
    }
}

fn incoming() -> (mpsc::UnboundedSender<Piece>, ForwardedBody) {
    let (client, pieces) = mpsc::unbounded_channel();
    let body = RequestBody::incoming(Pieces(pieces));
    (client, ForwardedBody::new(body, MAX_BODY, BODY_TIMEOUT))
}

/// The next bytes that an upstream takes, or how the body broke off.
async fn next(body: &ForwardedBody) -> Option<Result<Bytes, String>> {
    let mut body = body.clone();
    let frame = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await?;
    Some(match frame {
        Ok(frame) => Ok(frame.into_data().expect("holds data")),
        Err(error) => Err(error.to_string()),
    })
}

fn bytes(bytes: &'static [u8]) -> Option<Result<Bytes, String>> {
    Some(Ok(Bytes::from_static(bytes)))
}

#[tokio::test(start_paused = true)]
async fn what_no_upstream_has_taken_can_be_taken_by_the_next() {
    let collected = RequestBody::Collected(Bytes::from_static(b"abc"));
    let body = ForwardedBody::new(collected, MAX_BODY, BODY_TIMEOUT);
    assert_eq!((body.is_end_stream(), body.size_hint().exact()), (false, Some(3)));
    drop(body.clone());
    assert!(body.is_untouched());
    assert_eq!(next(&body).await, bytes(b"abc"));
    assert!(!body.is_untouched());
    assert_eq!(next(&body).await, None);

    let (client, body) = incoming();
    assert_eq!((body.is_end_stream(), body.size_hint().exact()), (false, None));
    drop(body.clone());
    client.send(Ok(b"abc")).expect("is read");
    assert!(body.is_untouched(), "nobody has asked for it");
    assert_eq!(next(&body).await, bytes(b"abc"));
    drop(client);
    assert_eq!(next(&body).await, None);
    assert!(!body.is_untouched() && body.refusal().is_none());
}

#[tokio::test]
async fn an_empty_body_has_ended() {
    let body = ForwardedBody::new(RequestBody::Collected(Bytes::new()), 0, BODY_TIMEOUT);
    assert!(body.is_end_stream());
    assert_eq!((next(&body).await, body.is_untouched()), (None, true));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_too_long_breaks_off() {
    let (client, body) = incoming();
    client.send(Ok(b"0123456789")).expect("is read");
    client.send(Ok(b"!")).expect("is read");
    assert_eq!(next(&body).await, bytes(b"0123456789"));
    assert!(next(&body).await.expect("broke off").is_err());
    assert!(matches!(body.refusal(), Some(Refusal::ContentTooLarge(MAX_BODY))));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_pauses_for_too_long_is_refused() {
    let (client, body) = incoming();
    let begun = Instant::now();
    client.send(Ok(b"a")).expect("is read");
    // An upstream that takes its time uses none of the client's.
    tokio::time::sleep(3 * BODY_TIMEOUT).await;
    assert_eq!(next(&body).await, bytes(b"a"));
    tokio::time::sleep(3 * BODY_TIMEOUT).await;
    assert!(next(&body).await.expect("broke off").is_err());
    assert_eq!(begun.elapsed(), 7 * BODY_TIMEOUT);
    assert!(matches!(body.refusal(), Some(Refusal::RequestTimeout)));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_is_to_blame() {
    let (client, body) = incoming();
    client.send(Err("the connection was reset".into())).expect("is read");
    assert_eq!(next(&body).await, Some(Err("the connection was reset".to_owned())));
    assert!(matches!(body.refusal(), Some(Refusal::BadRequest(_))));
}

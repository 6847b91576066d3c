//! Which answers end with the server, and how.

use std::future::poll_fn;

use http::header::CONTENT_TYPE;
use tokio::net::TcpStream;

use super::*;
use crate::context::testing;
use crate::message::body::SocketBody;

/// What never comes to its end: of a handler, or of an upstream.
struct Endless(SizeHint);

impl HttpBody for Endless {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Poll::Pending
    }

    fn size_hint(&self) -> SizeHint {
        self.0
    }
}

impl SocketBody for Endless {
    fn socket(&self) -> Option<(&TcpStream, u64)> {
        None
    }

    fn advance(self: Pin<&mut Self>, _: u64) {}

    fn poll_silence(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

fn response(content_type: &'static str, body: Body) -> Response<Body> {
    Response::builder().header(CONTENT_TYPE, content_type).body(body).expect("is valid")
}

async fn has_ended(body: &mut Body) -> bool {
    poll_fn(|context| Poll::Ready(Pin::new(&mut *body).poll_frame(context).is_ready())).await
}

#[tokio::test]
async fn a_stream_of_events_ends_with_the_server_whoever_has_made_it() {
    let endless = || Endless(SizeHint::default());
    for body in [Body::stream(endless()), Body::Socket(Box::pin(endless()))] {
        let connection = testing::connection(&testing::server([]));
        connection.state.begin_exchange();
        let events = response("Text/Event-Stream; charset=utf-8", body);
        let mut body = until_stop(events, &connection).into_body();
        assert!(!has_ended(&mut body).await && !body.is_end_stream());
        assert!(connection.state.is_endless());
        connection.shared.shutdown.request();
        assert!(has_ended(&mut body).await && body.is_end_stream());
        drop(body);
        assert!(!connection.state.is_endless());
    }
}

#[tokio::test]
async fn other_answers_go_on() {
    let sized = || Endless(SizeHint::with_exact(5));
    for (content_type, body) in [
        ("text/plain", Body::stream(Endless(SizeHint::default()))),
        ("text/event-stream", Body::stream(sized())),
        ("text/event-stream", Body::Socket(Box::pin(sized()))),
    ] {
        let connection = testing::connection(&testing::server([]));
        connection.state.begin_exchange();
        let mut body = until_stop(response(content_type, body), &connection).into_body();
        connection.shared.shutdown.request();
        assert!(!has_ended(&mut body).await);
        assert!(!connection.state.is_endless());
    }
}

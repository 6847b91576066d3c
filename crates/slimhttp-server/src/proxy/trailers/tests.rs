//! Which frames come out of a body.

use std::collections::VecDeque;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::*;

/// A body of these frames.
struct Frames(VecDeque<Frame<Bytes>>);

impl HttpBody for Frames {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Poll::Ready(self.0.pop_front().map(Ok))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(7)
    }
}

fn trailers(names: &[&'static str]) -> Frame<Bytes> {
    let field = |name| (HeaderName::from_static(name), HeaderValue::from_static("x"));
    Frame::trailers(names.iter().map(|name| field(name)).collect::<HeaderMap>())
}

/// The frames that are forwarded, in a word each.
async fn forwarded(frames: impl IntoIterator<Item = Frame<Bytes>>) -> Vec<String> {
    let mut body = WithTrailers(Frames(frames.into_iter().collect()));
    assert_eq!(body.size_hint().exact(), Some(7));
    let mut words = Vec::new();
    while let Some(frame) =
        std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
    {
        let frame = frame.expect("no frame is an error");
        words.push(match frame.into_data() {
            Ok(data) => String::from_utf8_lossy(&data).into_owned(),
            Err(frame) => {
                let trailers = frame.into_trailers().expect("is one or the other");
                let mut names: Vec<_> = trailers.keys().map(HeaderName::as_str).collect();
                names.sort_unstable();
                names.join(" ")
            }
        });
    }
    words
}

#[tokio::test]
async fn content_and_what_may_trail_it_are_forwarded() {
    let data = |text: &'static str| Frame::data(Bytes::from_static(text.as_bytes()));
    let mixed = trailers(&["grpc-status", "host", "x-forwarded-for", "etag"]);
    assert_eq!(
        forwarded([data("one"), data("two"), mixed]).await,
        ["one", "two", "etag grpc-status"]
    );
    let forbidden = trailers(&["content-length", "authorization"]);
    assert_eq!(forwarded([data("one"), forbidden]).await, ["one"], "and then the end");
    assert_eq!(forwarded([trailers(&["x-sum"])]).await, ["x-sum"]);
}

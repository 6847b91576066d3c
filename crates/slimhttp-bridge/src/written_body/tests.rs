//! A body that is pushed: one chunk at a time, and what either end hears of the other.

use super::*;

/// The next frame: `Some(None)` is the end, `None` is yet to come.
fn read(body: &mut WrittenBody) -> Option<Option<Result<Bytes, String>>> {
    let mut context = Context::from_waker(Waker::noop());
    match Pin::new(body).poll_frame(&mut context) {
        Poll::Pending => None,
        Poll::Ready(None) => Some(None),
        Poll::Ready(Some(Err(error))) => Some(Some(Err(error.to_string()))),
        Poll::Ready(Some(Ok(frame))) => Some(frame.into_data().ok().map(Ok)),
    }
}

fn write(writer: &Writer, bytes: &'static [u8]) -> Poll<Result<(), Gone>> {
    let mut chunk = Some(Bytes::from_static(bytes));
    let outcome = writer.poll_write(&mut chunk, &mut Context::from_waker(Waker::noop()));
    assert_eq!(chunk.is_none(), outcome == Poll::Ready(Ok(())));
    outcome
}

fn data(bytes: &'static [u8]) -> Option<Option<Result<Bytes, String>>> {
    Some(Some(Ok(Bytes::from_static(bytes))))
}

#[test]
fn c11_4_one_chunk_waits_and_no_more() {
    let (writer, mut body) = channel();
    assert_eq!(read(&mut body), None);
    assert_eq!(write(&writer, b"a"), Poll::Ready(Ok(())));
    assert_eq!(write(&writer, b"b"), Poll::Pending);
    assert_eq!(read(&mut body), data(b"a"));
    assert_eq!(write(&writer, b"b"), Poll::Ready(Ok(())));
    assert!(!body.is_end_stream());
    writer.end();
    drop(writer);
    assert_eq!(read(&mut body), data(b"b"));
    assert!(body.is_end_stream());
    assert_eq!(read(&mut body), Some(None));
}

#[test]
fn c11_4_a_writer_without_an_end_breaks_the_body_off() {
    for end in [|writer: Writer| drop(writer), |writer: Writer| writer.abort()] {
        let (writer, mut body) = channel();
        assert_eq!(write(&writer, b"a"), Poll::Ready(Ok(())));
        end(writer);
        assert_eq!(read(&mut body), data(b"a"));
        assert!(matches!(read(&mut body), Some(Some(Err(_)))));
    }
}

#[test]
fn c11_4_a_writer_hears_that_the_client_has_left() {
    let (writer, body) = channel();
    assert_eq!(write(&writer, b"a"), Poll::Ready(Ok(())));
    assert_eq!(write(&writer, b"b"), Poll::Pending);
    drop(body);
    assert_eq!(write(&writer, b"b"), Poll::Ready(Err(Gone)));
    assert_eq!(write(&writer, b"b"), Poll::Ready(Err(Gone)));
}

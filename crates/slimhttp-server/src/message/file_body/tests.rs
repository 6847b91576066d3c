//! A file on its way out: in pieces, from where it is asked for, and when it becomes shorter.

use std::io::Write as _;
use std::task::Waker;

use http_body_util::BodyExt as _;

use super::*;

const TEXT: &[u8] = b"0123456789";

fn file(bytes: &[u8]) -> Arc<File> {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(bytes).expect("written");
    Arc::new(file)
}

/// The pieces that a body gives, and why it broke off where it did.
async fn pieces(mut body: FileBody) -> (Vec<Bytes>, Option<String>) {
    let mut pieces = Vec::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => pieces.push(frame.into_data().expect("data")),
            Err(error) => return (pieces, Some(error.to_string())),
        }
    }
    assert!(body.is_end_stream());
    (pieces, None)
}

/// From where, how much, how much at a time, and the pieces.
#[tokio::test]
async fn a_piece_of_a_file_is_sent_in_chunks() {
    for (offset, length, most, expected) in [
        (0, 10, None, &["0123456789"][..]),
        (0, 10, Some(4), &["0123", "4567", "89"]),
        (3, 4, Some(2), &["34", "56"]),
        (9, 1, Some(1), &["9"]),
        (4, 0, None, &[]),
        // No bound is no longer than a chunk, nor shorter than a byte.
        (0, 2, Some(0), &["0", "1"]),
        (0, 10, Some(usize::MAX), &["0123456789"]),
    ] {
        let mut body = FileBody::new(file(TEXT), offset, length);
        if let Some(most) = most {
            body.read_at_most(most);
        }
        assert_eq!(body.size_hint().exact(), Some(length));
        assert_eq!(body.is_end_stream(), length == 0);
        let (pieces, error) = pieces(body).await;
        assert_eq!((pieces.as_slice(), error), (&*bytes(expected), None), "{offset} {length}");
    }
    let long = vec![b'x'; CHUNK + 1];
    let (pieces, _) = pieces(FileBody::new(file(&long), 0, long.len() as u64)).await;
    assert_eq!(pieces.iter().map(Bytes::len).collect::<Vec<_>>(), [CHUNK, 1]);
}

fn bytes(texts: &[&'static str]) -> Vec<Bytes> {
    texts.iter().map(|text| Bytes::from_static(text.as_bytes())).collect()
}

/// The length has been promised: the connection breaks off, nothing is filled up.
#[tokio::test]
async fn a_file_that_becomes_shorter_breaks_off() {
    let file = file(TEXT);
    let mut body = FileBody::new(file.clone(), 0, 10);
    body.read_at_most(4);
    let first = body.frame().await.expect("a frame").expect("it is read");
    assert_eq!(first.into_data().expect("data"), "0123");
    file.set_len(6).expect("truncated");
    let (rest, error) = pieces(body).await;
    assert_eq!((rest, error.as_deref()), (bytes(&["45"]), Some("the file became shorter")));
}

#[tokio::test]
async fn what_cannot_be_read_is_an_error() {
    let folder = Arc::new(File::open("/").expect("a folder"));
    let (pieces, error) = pieces(FileBody::new(folder, 0, 10)).await;
    assert!(pieces.is_empty() && error.is_some(), "{error:?}");
}

/// Who sends bytes by other means says so, and the rest comes from there.
#[tokio::test]
async fn bytes_that_were_sent_by_other_means_are_passed_over() {
    let mut body = FileBody::new(file(TEXT), 2, 8);
    let (_, offset, left) = body.unread().expect("nothing is being read");
    assert_eq!((offset, left), (2, 8));
    body.advance(3);
    assert_eq!(body.size_hint().exact(), Some(5));
    assert_eq!(pieces(body).await, (bytes(&["56789"]), None));
    let mut body = FileBody::new(file(TEXT), 0, 10);
    body.advance(10);
    assert!(body.is_end_stream());
}

/// Files of `/proc` are made as they are read, so none of one is in memory.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_is_not_in_memory_is_read_on_the_blocking_pool() {
    let text = std::fs::read("/proc/version").expect("it is there");
    let file = Arc::new(File::open("/proc/version").expect("it is there"));
    let mut body = FileBody::new(file, 0, text.len() as u64);
    let mut context = Context::from_waker(Waker::noop());
    assert!(body.poll_chunk(&mut context).is_pending());
    assert!(body.unread().is_none(), "its bytes are being read");
    assert_eq!(pieces(body).await, (vec![Bytes::from(text)], None));
}

/// Whoever has opened a file hears when it is needed no more.
#[tokio::test]
async fn what_is_kept_with_a_file_is_dropped_with_it() {
    let kept = Arc::new(());
    let body = FileBody::new(file(TEXT), 0, 10).keeping(kept.clone());
    assert_eq!(Arc::strong_count(&kept), 2);
    let (pieces, _) = pieces(body).await;
    assert_eq!((pieces.as_slice(), Arc::strong_count(&kept)), (&*bytes(&["0123456789"]), 1));
}

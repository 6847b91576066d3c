//! Bytes leave in their order, however few the socket takes at a time.

use tokio::io::AsyncReadExt;

use super::*;

#[tokio::test]
async fn pieces_are_sent_in_order_however_they_are_cut() {
    for room in [1, 2, 3, 7, 64] {
        let (mut client, mut ours) = tokio::io::duplex(room);
        let mut queue = WriteQueue::default();
        let mut expected = Vec::new();
        for number in 0..40 {
            let content = vec![b'a' + number % 26; usize::from(number)];
            let size = format!("{:x}\r\n", content.len());
            queue.push_short(size.as_bytes());
            queue.push(content.clone().into());
            queue.push_short(b"\r\n");
            queue.push_short(&content[..content.len().min(SHORT + 3)]);
            expected.extend_from_slice(size.as_bytes());
            expected.extend_from_slice(&content);
            expected.extend_from_slice(b"\r\n");
            expected.extend_from_slice(&content[..content.len().min(SHORT + 3)]);
        }
        assert_eq!(queue.len(), expected.len());
        let sending = async {
            std::future::poll_fn(|context| queue.poll_send(&mut ours, context)).await?;
            assert!(queue.is_empty());
            drop(ours);
            io::Result::Ok(())
        };
        let mut received = Vec::new();
        let (sent, read) = tokio::join!(sending, client.read_to_end(&mut received));
        sent.expect("is open");
        read.expect("is a pipe");
        assert_eq!(received, expected, "{room}");
    }
}

#[test]
fn many_short_pieces_are_few_of_the_queue() {
    let mut queue = WriteQueue::default();
    while queue.len() < 64 * 1024 {
        queue.push_short(b"1\r\n");
        queue.push(Bytes::from_static(b"x"));
        queue.push_short(b"\r\n");
    }
    assert!(queue.pieces.len() <= 5, "{}", queue.pieces.len());
    let large = Bytes::from(vec![0; COPIED + 1]);
    queue.push(large.clone());
    let Some(Piece::Shared(last)) = queue.pieces.back() else { panic!("it is not copied") };
    assert_eq!(last.as_ptr(), large.as_ptr());
}

#[tokio::test]
async fn what_the_socket_holds_is_not_sent_before_it_is_flushed() {
    let (_client, mut ours) = tokio::io::duplex(1);
    let mut queue = WriteQueue::default();
    assert!(queue.is_empty());
    queue.set_unflushed();
    assert!(!queue.is_empty());
    assert_eq!(queue.len(), 0);
    let sent = std::future::poll_fn(|context| queue.poll_send(&mut ours, context)).await;
    sent.expect("is open");
    assert!(queue.is_empty());
}

//! Who is woken for what, and when.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use std::time::Duration;

use super::*;
use crate::websocket::message::{TryRecvError, TrySendError};
use crate::websocket::queue::ITEM_OVERHEAD;

/// A channel for two messages or 1000 bytes, and how often its handler was notified.
fn channel() -> (Arc<Channel>, Arc<AtomicUsize>) {
    channel_for(2)
}

fn channel_for(queue: usize) -> (Arc<Channel>, Arc<AtomicUsize>) {
    let limits = WebSocketLimits {
        max_message: 1000,
        queue,
        ping_interval: Duration::ZERO,
        ping_timeout: Duration::ZERO,
        idle_timeout: Duration::ZERO,
        compress: false,
    };
    let notified = Arc::new(AtomicUsize::new(0));
    let count = notified.clone();
    let notify = Box::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
    });
    (Arc::new(Channel::new(&limits, None, notify)), notified)
}

fn message(length: usize) -> Message {
    Message::Binary(vec![0; length].into())
}

fn close_frame(code: u16) -> CloseFrame {
    CloseFrame { code, reason: "".into() }
}

/// Each of these finds nothing to do, and is notified once when it may try again.
#[test]
fn a_handler_that_found_nothing_is_notified_once() {
    type Act = fn(&Channel);
    let cases: [(&str, Act, Act, Act); 5] = [
        (
            "a message",
            |_| {},
            |channel| drop(channel.try_recv()),
            |channel| channel.push_incoming(message(1)),
        ),
        (
            "room to send",
            |channel| while channel.try_send(message(1)).is_ok() {},
            |channel| drop(channel.try_ready()),
            |channel| drop(channel.pop_outgoing()),
        ),
        (
            "room to ping",
            |channel| while channel.try_send(message(1)).is_ok() {},
            |channel| drop(channel.try_ping(None)),
            |channel| drop(channel.pop_outgoing()),
        ),
        (
            "a pong",
            |channel| drop(channel.try_ping(Some(Bytes::from_static(b"p")))),
            |channel| drop(channel.has_pong(PingId(1))),
            |channel| channel.pong_received(&Bytes::from_static(b"p")),
        ),
        (
            "the end",
            |_| {},
            |channel| drop(channel.try_closed()),
            |channel| channel.set_closed(close_frame(1000)),
        ),
    ];
    for (what, prepare, wait, happen) in cases {
        let (channel, notified) = channel();
        prepare(&channel);
        notified.store(0, Ordering::Relaxed);
        // `prepare` may have found a full queue; nobody waits for that here.
        channel.lock().wants_notify = false;
        happen(&channel);
        assert_eq!(notified.load(Ordering::Relaxed), 0, "{what}: nobody waits");

        let (channel, notified) = self::channel();
        prepare(&channel);
        wait(&channel);
        happen(&channel);
        assert_eq!(notified.load(Ordering::Relaxed), 1, "{what}");
        channel.set_closed(close_frame(1001));
        assert_eq!(notified.load(Ordering::Relaxed), 1, "{what}: once");
    }
}

#[test]
fn queues_are_bounded_by_number_and_by_bytes() {
    let cases = [
        (&[1, 1, 1][..], 2),
        (&[999 - ITEM_OVERHEAD, 1, 1], 2),
        (&[1000 - ITEM_OVERHEAD, 1], 1),
        (&[5000, 1], 1),
    ];
    for (sizes, taken) in cases {
        let (channel, _) = channel();
        let sent =
            sizes.iter().take_while(|&&size| channel.try_send(message(size)).is_ok()).count();
        assert_eq!(sent, taken, "{sizes:?}");
        assert_eq!(channel.try_ready(), Err(TrySendError::Full));
        for &size in &sizes[..taken] {
            channel.push_incoming(message(size));
        }
        assert!(!channel.may_read(0));
        assert!(channel.try_recv().is_ok());
        assert!(channel.may_read(0));
        assert!(channel.pop_outgoing().is_some() && channel.try_ready().is_ok());
    }
}

#[test]
fn messages_of_no_bytes_count_too() {
    let (channel, _) = channel_for(1_000_000);
    let mut push_incoming = 0;
    while channel.may_read(0) {
        channel.push_incoming(message(0));
        push_incoming += 1;
    }
    assert_eq!(push_incoming, 1000_usize.div_ceil(ITEM_OVERHEAD));
}

/// What is coming in counts with what waits, and the task is woken when it may
/// read on.
#[test]
fn a_message_that_is_coming_in_counts() {
    let (channel, _) = channel_for(10);
    // Alone it may be as long as any.
    assert!(channel.may_read(5000));
    channel.push_incoming(message(300));
    assert!(channel.may_read(999 - 300 - ITEM_OVERHEAD));
    assert!(!channel.may_read(1000 - 300 - ITEM_OVERHEAD));
    let woken = Arc::new(Woken::default());
    channel.register(&woken.clone().into());
    assert!(channel.try_recv().is_ok());
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert!(channel.may_read(5000));
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl std::task::Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_pong_answers_its_ping_and_those_before() {
    let (channel, _) = channel();
    let ids: Vec<PingId> = (0..3)
        .map(|_| {
            let id = channel.try_ping(None).expect("has room");
            channel.pop_outgoing();
            id
        })
        .collect();
    channel.pong_received(&Bytes::from_static(b"of nobody"));
    let answered =
        |channel: &Channel| ids.iter().map(|id| channel.has_pong(*id)).collect::<Vec<_>>();
    assert_eq!(answered(&channel), [Ok(false), Ok(false), Ok(false)]);
    channel.pong_received(&Bytes::copy_from_slice(&2_u64.to_be_bytes()));
    assert_eq!(answered(&channel), [Ok(true), Ok(true), Ok(false)]);
    channel.set_closed(close_frame(1006));
    assert_eq!(answered(&channel), [Ok(true), Ok(true), Err(close_frame(1006))]);
}

#[test]
fn what_came_before_the_end_is_received() {
    let (channel, _) = channel();
    channel.push_incoming(message(1));
    channel.set_closed(close_frame(1000));
    channel.set_closed(close_frame(1006));
    channel.push_incoming(message(1));
    assert!(channel.try_recv().is_ok());
    assert!(matches!(channel.try_recv(), Err(TryRecvError::Closed(frame)) if frame.code == 1000));
    assert_eq!(channel.try_send(message(1)), Err(TrySendError::Closed));
}

#[test]
fn what_was_sent_before_the_closing_goes_first() {
    let (channel, _) = channel();
    channel.try_send(message(1)).expect("has room");
    channel.close(close_frame(3000));
    channel.close(close_frame(3001));
    assert_eq!(channel.try_send(message(1)), Err(TrySendError::Closed));
    assert!(matches!(channel.pop_outgoing(), Some(Outgoing::Message(_))));
    assert!(matches!(channel.pop_outgoing(), Some(Outgoing::Close(frame)) if frame.code == 3000));
    assert_eq!((channel.close_frame(), channel.try_closed()), (Some(close_frame(3000)), None));
}

#[test]
fn a_handler_that_goes_leaves_nothing_behind() {
    let (channel, _) = channel();
    channel.push_incoming(message(1));
    channel.handler_done();
    assert!(channel.lock().incoming.is_empty());
    assert!(matches!(channel.pop_outgoing(), Some(Outgoing::Close(frame)) if frame.code == 1001));
}

#[test]
fn threads_wait_for_what_they_ask_for() {
    let (channel, _) = channel();
    let none = Some(Duration::from_millis(1));
    assert!(matches!(channel.recv_timeout(none), Err(TryRecvError::Empty)));
    assert_eq!(channel.closed_timeout(none), None);
    let other = channel.clone();
    let thread = std::thread::spawn(move || {
        assert!(other.recv_timeout(None).is_ok());
        assert_eq!(other.closed_timeout(None), Some(close_frame(1000)));
        other.ready_timeout(None)
    });
    channel.push_incoming(message(1));
    channel.set_closed(close_frame(1000));
    assert_eq!(thread.join().expect("does not panic"), Err(TrySendError::Closed));
}

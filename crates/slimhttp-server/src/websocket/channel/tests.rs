//! Who is told of what, and when.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// A line for two messages or 1000 bytes, and how often its bell was rung.
fn line() -> (Arc<Channel>, Arc<AtomicUsize>) {
    line_for(2)
}

fn line_for(queue: usize) -> (Arc<Channel>, Arc<AtomicUsize>) {
    let limits = WebSocketLimits {
        max_message: 1000,
        queue,
        ping_interval: Duration::ZERO,
        ping_timeout: Duration::ZERO,
        idle_timeout: Duration::ZERO,
        compress: false,
    };
    let rung = Arc::new(AtomicUsize::new(0));
    let bell = rung.clone();
    let ring = Box::new(move || {
        bell.fetch_add(1, Ordering::Relaxed);
    });
    (Arc::new(Channel::new(&limits, None, ring)), rung)
}

fn message(length: usize) -> Message {
    Message::Binary(vec![0; length].into())
}

fn closure(code: u16) -> CloseFrame {
    CloseFrame { code, reason: "".into() }
}

/// Each of these finds nothing to do, and is told once when it may look again.
#[test]
fn the_bell_is_rung_once_for_who_waits() {
    type Act = fn(&Channel);
    let cases: [(&str, Act, Act, Act); 5] = [
        ("a message", |_| {}, |line| drop(line.receive()), |line| line.came(message(1))),
        (
            "room to send",
            |line| while line.send(message(1)).is_ok() {},
            |line| drop(line.room()),
            |line| drop(line.next()),
        ),
        (
            "room to ping",
            |line| while line.send(message(1)).is_ok() {},
            |line| drop(line.ping(None)),
            |line| drop(line.next()),
        ),
        (
            "a pong",
            |line| drop(line.ping(Some(Bytes::from_static(b"p")))),
            |line| drop(line.is_answered(PingId(1))),
            |line| line.ponged(&Bytes::from_static(b"p")),
        ),
        ("the end", |_| {}, |line| drop(line.ended()), |line| line.end_with(closure(1000))),
    ];
    for (what, prepare, wait, happen) in cases {
        let (line, rung) = line();
        prepare(&line);
        rung.store(0, Ordering::Relaxed);
        // `prepare` may have been told no; nobody waits for that here.
        line.lock().heeds = false;
        happen(&line);
        assert_eq!(rung.load(Ordering::Relaxed), 0, "{what}: nobody waits");

        let (line, rung) = self::line();
        prepare(&line);
        wait(&line);
        happen(&line);
        assert_eq!(rung.load(Ordering::Relaxed), 1, "{what}");
        line.end_with(closure(1001));
        assert_eq!(rung.load(Ordering::Relaxed), 1, "{what}: told once");
    }
}

#[test]
fn queues_are_bounded_by_number_and_by_bytes() {
    let cases = [
        (&[1, 1, 1][..], 2),
        (&[999 - BESIDE, 1, 1], 2),
        (&[1000 - BESIDE, 1], 1),
        (&[5000, 1], 1),
    ];
    for (sizes, taken) in cases {
        let (line, _) = line();
        let sent = sizes.iter().take_while(|&&size| line.send(message(size)).is_ok()).count();
        assert_eq!(sent, taken, "{sizes:?}");
        assert_eq!(line.room(), Err(SendFault::Full));
        for &size in &sizes[..taken] {
            line.came(message(size));
        }
        assert!(!line.takes_messages(0));
        assert!(matches!(line.receive(), Received::Message(_)));
        assert!(line.takes_messages(0));
        assert!(line.next().is_some() && line.room().is_ok());
    }
}

#[test]
fn messages_of_no_bytes_count_too() {
    let (line, _) = line_for(1_000_000);
    let mut came = 0;
    while line.takes_messages(0) {
        line.came(message(0));
        came += 1;
    }
    assert_eq!(came, 1000_usize.div_ceil(BESIDE));
}

/// What is coming in counts with what waits, and the carrier is told when it may
/// go on with it.
#[test]
fn a_message_that_is_coming_in_counts() {
    let (line, _) = line_for(10);
    // Alone it may be as long as any.
    assert!(line.takes_messages(5000));
    line.came(message(300));
    assert!(line.takes_messages(999 - 300 - BESIDE));
    assert!(!line.takes_messages(1000 - 300 - BESIDE));
    let woken = Arc::new(Woken::default());
    line.watch(&woken.clone().into());
    assert!(matches!(line.receive(), Received::Message(_)));
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert!(line.takes_messages(5000));
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
    let (line, _) = line();
    let ids: Vec<PingId> = (0..3)
        .map(|_| {
            let id = line.ping(None).expect("has room");
            line.next();
            id
        })
        .collect();
    line.ponged(&Bytes::from_static(b"of nobody"));
    let answered = |line: &Channel| ids.iter().map(|id| line.is_answered(*id)).collect::<Vec<_>>();
    assert_eq!(answered(&line), [Ok(false), Ok(false), Ok(false)]);
    line.ponged(&Bytes::copy_from_slice(&2_u64.to_be_bytes()));
    assert_eq!(answered(&line), [Ok(true), Ok(true), Ok(false)]);
    line.end_with(closure(1006));
    assert_eq!(answered(&line), [Ok(true), Ok(true), Err(closure(1006))]);
}

#[test]
fn what_came_before_the_end_is_received() {
    let (line, _) = line();
    line.came(message(1));
    line.end_with(closure(1000));
    line.end_with(closure(1006));
    line.came(message(1));
    assert!(matches!(line.receive(), Received::Message(_)));
    assert!(matches!(line.receive(), Received::Closed(closure) if closure.code == 1000));
    assert_eq!(line.send(message(1)), Err(SendFault::Closed));
}

#[test]
fn what_was_sent_before_the_closing_goes_first() {
    let (line, _) = line();
    line.send(message(1)).expect("has room");
    line.close(closure(3000));
    line.close(closure(3001));
    assert_eq!(line.send(message(1)), Err(SendFault::Closed));
    assert!(matches!(line.next(), Some(Outgoing::Message(_))));
    assert!(matches!(line.next(), Some(Outgoing::Close(closure)) if closure.code == 3000));
    assert_eq!((line.closure(), line.ended()), (Some(closure(3000)), None));
}

#[test]
fn a_handler_that_goes_leaves_nothing_behind() {
    let (line, _) = line();
    line.came(message(1));
    line.leave();
    assert!(line.lock().incoming.queue.is_empty());
    assert!(matches!(line.next(), Some(Outgoing::Close(closure)) if closure.code == 1001));
}

#[test]
fn threads_wait_for_what_they_ask_for() {
    let (line, _) = line();
    let none = Some(Duration::from_millis(1));
    assert!(matches!(line.receive_within(none), Received::Nothing));
    assert_eq!(line.ended_within(none), None);
    let other = line.clone();
    let thread = std::thread::spawn(move || {
        assert!(matches!(other.receive_within(None), Received::Message(_)));
        assert_eq!(other.ended_within(None), Some(closure(1000)));
        other.room_within(None)
    });
    line.came(message(1));
    line.end_with(closure(1000));
    assert_eq!(thread.join().expect("does not panic"), Err(SendFault::Closed));
}

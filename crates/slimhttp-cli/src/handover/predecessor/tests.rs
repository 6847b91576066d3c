//! What a successor hears of its predecessor, which is the test.

use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsFd as _;

use super::*;

const PATIENCE: Option<Duration> = Some(Duration::from_secs(30));

/// A predecessor that has sent so much, and its end of the channel.
fn begin(sockets: &[&str]) -> (Channel, Predecessor, Vec<InheritedSocket>) {
    let (ours, theirs) = UnixStream::pair().expect("two ends");
    let ours = Channel::new(ours).expect("a socket");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    for name in sockets {
        ours.send_socket(name, listener.as_fd()).expect("is read");
    }
    ours.send("begin", "").expect("is read");
    let (predecessor, sockets) = Predecessor::begin(theirs).expect("all has come");
    (ours, predecessor, sockets)
}

#[test]
fn who_serves_waits_until_it_is_let_go() {
    let (mut ours, predecessor, sockets) = begin(&["a:1", "b:2"]);
    assert_eq!(
        sockets.iter().map(|socket| socket.name.as_str()).collect::<Vec<_>>(),
        ["a:1", "b:2"]
    );
    let replacing = std::thread::spawn(move || predecessor.replace());
    assert!(matches!(ours.receive(PATIENCE), Ok(Some(Message::Ready))));
    assert!(!replacing.is_finished());
    ours.send("go", "").expect("is read");
    replacing.join().expect("it panics nowhere");
}

#[test]
fn who_serves_goes_on_where_its_predecessor_has_ended() {
    let (ours, predecessor, _) = begin(&[]);
    predecessor.is_needless.store(true, Ordering::Release);
    drop(ours);
    predecessor.replace();
}

#[test]
fn who_wants_to_be_alone_waits_for_it() {
    let (mut ours, predecessor, _) = begin(&[]);
    let waiting = std::thread::spawn(move || {
        predecessor.wait_until_alone().expect("it hears");
        predecessor.replace();
    });
    assert!(matches!(ours.receive(PATIENCE), Ok(Some(Message::Alone))));
    assert!(!waiting.is_finished());
    // Its end says as much as a word.
    drop(ours);
    waiting.join().expect("it panics nowhere");
}

#[test]
fn who_fails_says_why() {
    let (mut ours, predecessor, _) = begin(&[]);
    predecessor.fail(&"x".repeat(2 * MAX_REASON));
    match ours.receive(PATIENCE) {
        Ok(Some(Message::Failed(why))) => assert_eq!(why, "x".repeat(MAX_REASON)),
        message => panic!("{message:?}"),
    }
}

#[test]
fn what_does_not_come_whole_is_refused() {
    let (ours, theirs) = UnixStream::pair().expect("two ends");
    Channel::new(ours).expect("a socket").send("go", "").expect("is read");
    Predecessor::begin(theirs).expect_err("no sockets came");
    let (ours, theirs) = UnixStream::pair().expect("two ends");
    drop(ours);
    let error = Predecessor::begin(theirs).expect_err("it has ended");
    assert!(error.to_string().contains("has ended"), "{error}");
}

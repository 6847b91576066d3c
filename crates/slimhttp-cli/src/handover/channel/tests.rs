//! Both ends of a channel, in one process.

use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;

use super::*;

const PATIENCE: Option<Duration> = Some(Duration::from_secs(30));

fn pair() -> (Channel, Channel) {
    let (one, other) = UnixStream::pair().expect("two ends");
    (Channel::new(one).expect("a socket"), Channel::new(other).expect("a socket"))
}

#[test]
fn messages_come_in_order_and_as_they_were_sent() {
    let (one, mut other) = pair();
    let why = "line one\nline \"two\"\u{e9}\u{0}".repeat(1000);
    one.send("begin", "").expect("is read");
    one.send("failed", &why).expect("is read");
    one.send("ready", "").expect("is read");
    assert!(matches!(other.receive(PATIENCE), Ok(Some(Message::Begin))));
    match other.receive(PATIENCE) {
        Ok(Some(Message::Failed(text))) => assert_eq!(text, why),
        message => panic!("{message:?}"),
    }
    assert!(matches!(other.receive(PATIENCE), Ok(Some(Message::Ready))));
    drop(one);
    assert!(matches!(other.receive(PATIENCE), Ok(None)));
}

#[test]
fn many_sockets_come_each_with_its_name() {
    const COUNT: usize = 100;
    let (one, mut other) = pair();
    let listeners: Vec<_> = (0..COUNT)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"))
        .collect();
    let ports: Vec<_> =
        listeners.iter().map(|it| it.local_addr().expect("is bound").port()).collect();
    let sending = std::thread::spawn(move || {
        for listener in &listeners {
            let name = listener.local_addr().expect("is bound").to_string();
            one.send_socket(&name, listener.as_fd()).expect("is read");
        }
    });
    for port in ports {
        let Ok(Some(Message::Socket(name, socket))) = other.receive(PATIENCE) else {
            panic!("a socket was sent");
        };
        let flags = rustix::io::fcntl_getfd(&socket).expect("is open");
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC), "what we start does not have it");
        let listener = TcpListener::from(socket);
        assert_eq!(name, listener.local_addr().expect("is bound").to_string());
        assert_eq!(listener.local_addr().expect("is bound").port(), port);
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("it listens");
    }
    sending.join().expect("it panics nowhere");
}

#[test]
fn what_is_no_message_is_refused() {
    for line in ["\n", "x\n", "{}\n", "{\"kind\":\"else\"}\n", "[1]\n", "{\"kind\":\"socket\"}\n"] {
        let (mut one, mut other) = pair();
        one.socket.write_all(line.as_bytes()).expect("is read");
        assert!(other.receive(PATIENCE).is_err(), "{line}");
    }
}

#[test]
fn nobody_waits_longer_than_asked() {
    let (_one, mut other) = pair();
    let error = other.receive(Some(Duration::from_millis(1))).expect_err("nothing was sent");
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn a_line_without_an_end_is_bounded() {
    let (mut one, mut other) = pair();
    let sending = std::thread::spawn(move || {
        let _ = one.socket.write_all(&vec![b' '; 2 * MAX_LINE]);
    });
    let error = other.receive(PATIENCE).expect_err("it has no end");
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    drop(other);
    sending.join().expect("it panics nowhere");
}

//! Which sockets are taken for which endpoint.

use std::path::Path;

use socket2::{Domain, Socket, Type};

use super::*;

fn named(name: &str, socket: impl Into<OwnedFd>) -> InheritedSocket {
    InheritedSocket { name: name.to_owned(), socket: socket.into() }
}

fn tcp() -> (TcpListener, u16) {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = socket.local_addr().expect("an address").port();
    (socket, port)
}

#[test]
fn c10_1_a_socket_of_a_predecessor_is_taken_by_its_endpoint() {
    let ((first, _), (second, port)) = (tcp(), tcp());
    let inherited = Inherited::new(vec![named("127.0.0.1:0", first), named(":81", second)]);
    let inherited = inherited.expect("they listen");
    let (taken, source) = inherited.take(&Endpoint::tcp("", 81)).expect("it is a port");
    assert_eq!(source, Source::Predecessor);
    assert_eq!(taken[0].address().expect("an address").port(), port);
    assert!(inherited.take(&Endpoint::tcp("", 81)).expect("none").0.is_empty(), "it is taken");
    assert_eq!(inherited.names(), ["127.0.0.1:0"]);
    // The name is what counts: another endpoint may be asked for by now.
    inherited.discard();
    assert!(inherited.names().is_empty());
}

#[test]
fn c10_1_a_socket_of_systemd_is_taken_by_its_name_or_its_address() {
    let ((web, _), (other, port)) = (tcp(), tcp());
    let inherited = Inherited::new(vec![named("web", web), named("site.socket", other)]);
    let inherited = inherited.expect("they listen");
    let web = Endpoint::Inherited("web".into());
    // As often as it is asked for.
    for _ in 0..2 {
        assert_eq!(inherited.take(&web).expect("it is there").0.len(), 1);
    }
    assert!(inherited.take(&Endpoint::Inherited("wep".into())).expect("none").0.is_empty());
    assert!(inherited.take(&Endpoint::tcp("127.0.0.2", port)).expect("none").0.is_empty());
    for _ in 0..2 {
        let (taken, source) = inherited.take(&Endpoint::tcp("127.0.0.1", port)).expect("it is it");
        assert_eq!((taken.len(), source), (1, Source::Manager(vec!["site.socket".into()])));
    }
    inherited.discard();
    assert_eq!(inherited.names(), ["web", "site.socket"], "a later change may name them");
}

#[test]
fn c10_1_a_socket_in_the_file_system_is_taken_by_its_path() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.sock");
    let socket = UnixListener::bind(&path).expect("it is free");
    let inherited = Inherited::new(vec![named("unknown", socket)]).expect("it listens");
    let other = Endpoint::Unix(Path::new("/elsewhere.sock").into());
    assert!(inherited.take(&other).expect("none").0.is_empty());
    let (taken, _) = inherited.take(&Endpoint::Unix(path.as_path().into())).expect("it is it");
    // Its file is that of whoever has bound it.
    if let ListeningSocket::Unix(_, file) = &taken[0] {
        file.remove();
    }
    assert!(path.exists());
}

#[test]
fn c10_1_what_does_not_listen_is_refused() {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let refused = Inherited::new(vec![named("web", socket)]).expect_err("it does not listen");
    assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
    let datagrams = Socket::new(Domain::IPV4, Type::DGRAM, None).expect("a socket");
    assert!(Inherited::new(vec![named("web", datagrams)]).is_err());
}

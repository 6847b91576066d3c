//! TCP ports beside others of the same process.

use std::net::TcpStream;

use super::*;

fn bind(address: &str, port: u16, ours: &[TcpListener]) -> io::Result<TcpListener> {
    let listener = Listener::new(Endpoint::tcp(address, port), false);
    match open(&listener, ours.iter())?.swap_remove(0) {
        ListeningSocket::Tcp(socket) => Ok(socket),
        ListeningSocket::Unix(..) => unreachable!("it is a port"),
    }
}

#[test]
fn c10_1_a_port_that_another_program_has_is_taken() {
    let other = bind("127.0.0.1", 0, &[]).expect("a free port");
    let port = other.local_addr().expect("an address").port();
    for address in ["127.0.0.1", "0.0.0.0", ""] {
        let taken = bind(address, port, &[]).expect_err("it is taken");
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse, "{address}");
        assert!(hint(&Endpoint::tcp(address, port), &taken).is_some());
    }
}

#[test]
fn c10_1_a_port_of_ours_may_be_bound_for_further_addresses() {
    let specific = bind("127.0.0.1", 0, &[]).expect("a free port");
    let port = specific.local_addr().expect("an address").port();
    let ours = [specific];
    let every = bind("", port, &ours).expect("only we have it");
    // The more specific one takes what it names.
    let client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("it listens");
    let (_, peer) = ours[0].accept().expect("somebody has connected");
    assert_eq!(peer, client.local_addr().expect("an address"));
    assert_eq!(every.accept().expect_err("nobody").kind(), io::ErrorKind::WouldBlock);
    // No other program can bind beside us afterwards.
    let taken = bind("0.0.0.0", port, &[]).expect_err("it is taken");
    assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
    // Without the specific one its clients come to the other.
    drop((ours, client));
    let _client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the other one listens");
    assert!(every.accept().is_ok());
}

#[test]
fn c10_1_a_port_is_shared_where_that_is_asked_for() {
    let shared = |port| {
        let endpoint = Endpoint::tcp("127.0.0.1", port);
        Listener { reuse_port: true, ..Listener::new(endpoint, false) }
    };
    let first = open(&shared(0), [].iter()).expect("a free port");
    let port = first[0].address().expect("an address").port();
    assert!(open(&shared(port), [].iter()).is_ok());
    assert!(bind("127.0.0.1", port, &[]).is_err(), "who does not ask has none");
}

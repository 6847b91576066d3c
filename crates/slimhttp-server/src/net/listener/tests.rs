//! Which sockets are adopted.

use std::io::ErrorKind;

use super::*;

#[test]
fn a_socket_that_listens_is_adopted() {
    let bound = bind("127.0.0.1", 0).expect("a free port");
    let address = bound[0].local_addr().expect("an address");
    let adopted = adopt(bound).expect("it listens");
    assert_eq!(adopted[0].local_addr().expect("an address"), address);
    // Nobody has connected: one that could wait would wait for ever.
    assert_eq!(adopted[0].accept().expect_err("nobody").kind(), ErrorKind::WouldBlock);
}

#[test]
fn what_does_not_listen_is_refused() {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a free port");
    for sockets in [vec![], vec![socket.into()]] {
        assert_eq!(adopt(sockets).expect_err("none").kind(), ErrorKind::InvalidInput);
    }
}

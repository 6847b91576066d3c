//! What a connection costs that is idle.

use super::*;

fn size<F: Future>(
    _: impl FnOnce(TcpStream, Accepted, Arc<ServerContext>, Arc<IoThread>, ConnectionPermit) -> F,
) -> usize {
    size_of::<F>()
}

fn size_with_tls<F: Future>(_: impl FnOnce(TcpStream, Arc<ConnectionContext>) -> F) -> usize {
    size_of::<F>()
}

/// There may be thousands of them: what a request alone needs is in boxes that are
/// gone by then.
#[test]
fn a_connection_holds_no_room_for_requests() {
    assert!(size(serve) <= 1536, "{} bytes", size(serve));
}

/// Nor for its handshake, nor for the other protocol.
#[test]
fn a_connection_of_tls_holds_no_room_for_its_handshake() {
    assert!(size_with_tls(encrypted) <= 1280, "{} bytes", size_with_tls(encrypted));
}

//! What a connection costs that is idle.

use super::*;

fn size<F: Future>(
    _: impl FnOnce(TcpStream, Accepted, Arc<ServerContext>, Arc<IoThread>, ConnectionPermit) -> F,
) -> usize {
    size_of::<F>()
}

/// There may be thousands of them: what a request alone needs is in boxes that are
/// gone by then.
#[test]
fn a_connection_holds_no_room_for_requests() {
    assert!(size(serve) <= 1536, "{} bytes", size(serve));
}

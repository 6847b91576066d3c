//! Closing so that the client reads our last response (RFC 9112 section 9.6). The last thing that a
//! connection's task does.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// How long, and how many bytes, a client may go on sending after our last
/// response, so that it reads that before the connection is gone.
pub(crate) const LINGER: (Duration, usize) = (Duration::from_secs(2), 1024 * 1024);

/// Closes our side and reads on for a moment: closing with unread bytes would
/// make the system reset the connection, and drop our last response with it.
pub(crate) async fn linger(socket: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    let (time, limit) = LINGER;
    let rest = async {
        socket.shutdown().await?;
        // Not within the connection, which would hold the room of it all its life.
        let mut bytes = vec![0; 4096];
        let mut left = limit;
        loop {
            let count = socket.read(&mut bytes).await?;
            if count == 0 || count > left {
                return Ok::<_, io::Error>(());
            }
            left -= count;
        }
    };
    let _ = tokio::time::timeout(time, rest).await;
}

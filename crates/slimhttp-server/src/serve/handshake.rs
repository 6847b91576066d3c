//! A TLS handshake, from the ClientHello to the session: by the host that the client asks for, the
//! site in force says what the connection begins with.
//!
//! Awaited in the task of the connection, on its I/O thread, which drops it where the client takes
//! longer than `header_timeout`. Nothing here blocks; the signature takes some tens of microseconds.

use std::io;
use std::time::SystemTime;

use rustls::server::Acceptor;
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use crate::context::connection::ConnectionContext;
use crate::tls::automatic::{CHALLENGE_PROTOCOL, challenge_config};
use crate::tls::session::TlsSession;

/// Shakes hands; `None` where that was all that the client wanted, an authority that looks whether
/// a name leads here.
pub(super) async fn shake_hands(
    socket: TcpStream,
    context: &ConnectionContext,
) -> io::Result<Option<TlsStream<TcpStream>>> {
    let start = LazyConfigAcceptor::new(Acceptor::default(), socket).await?;
    let port = context.local.port();
    let (challenge, awaited) = {
        let (hello, snapshot) = (start.client_hello(), context.shared.live.cached());
        let tls = snapshot.tls.as_ref().ok_or_else(no_tls)?;
        let offers =
            |protocol: &[u8]| hello.alpn().is_some_and(|mut all| all.any(|it| it == protocol));
        let name = hello.server_name();
        let challenge = offers(CHALLENGE_PROTOCOL).then(|| tls.challenge(name)).flatten();
        (challenge, tls.awaited(&snapshot.site, name, port))
    };
    if let Some(challenge) = challenge
        && let Some(certificate) = challenge.await
    {
        start.into_stream(challenge_config(certificate)).await?;
        return Ok(None);
    }
    if let Some(obtained) = awaited {
        obtained.await;
    }
    // The site may have changed meanwhile.
    let (entry, snapshot) = {
        let (hello, snapshot) = (start.client_hello(), context.shared.live.cached());
        let tls = snapshot.tls.as_ref().ok_or_else(no_tls)?;
        (tls.choose(&snapshot.site, hello.server_name(), port), snapshot.number)
    };
    let stream = start.into_stream(entry.config()).await?;
    let connection = stream.get_ref().1;
    let session = TlsSession::of(connection, entry, snapshot, SystemTime::now());
    let session = session.map_err(io::Error::other)?;
    context.state.set_tls_session(session);
    Ok(Some(stream))
}

/// A change has closed the last listener that speaks TLS.
fn no_tls() -> io::Error {
    io::Error::other("TLS is not spoken any more")
}

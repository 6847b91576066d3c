//! Opens connections to upstreams: the name, TCP and TLS, all within `proxy_connect_timeout`.
//!
//! Runs within the exchange that needs a connection, on its I/O thread. Names are resolved on
//! tokio's blocking threads. Dropping the future gives the descriptor back that was taken for the
//! connection.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use rustix::io::Errno;
use rustls::pki_types::ServerName;
use slimhttp_site::site::Upstream;
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;

use crate::sys::descriptors::UpstreamDescriptor;
use crate::tls::client::tls;
use crate::upstream::connection::{Place, UpstreamConnection};
use crate::upstream::error::{Progress, UpstreamError, UpstreamFault};
use crate::upstream::socket::UpstreamSocket;

/// How long the next address of a name waits for those before it (RFC 8305 section 5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// A new connection to an upstream, which has `limit` for it. It belongs to `place`.
///
/// # Errors
/// There is no descriptor for it, or no connection in time: nobody has seen any of the request.
pub(crate) async fn connect(
    upstream: &Upstream,
    limit: Duration,
    place: Place,
) -> Result<Box<UpstreamConnection>, UpstreamError> {
    let descriptor = UpstreamDescriptor::take().ok_or_else(UpstreamError::exhausted)?;
    let failed = |fault, cause| UpstreamError::new(fault, Progress::NotConnected, cause);
    match tokio::time::timeout(limit, open(upstream)).await {
        Ok(Ok(socket)) => Ok(UpstreamConnection::new(socket, place, descriptor)),
        Ok(Err(Failure { error, .. })) if is_exhausted(&error) => Err(UpstreamError::exhausted()),
        Ok(Err(Failure { step, error })) => {
            Err(failed(UpstreamFault::Failed, format!("{step}: {error}")))
        }
        Err(_) => {
            let late = format!("no connection within {limit:?}: see `proxy_connect_timeout`");
            Err(failed(UpstreamFault::TimedOut, late))
        }
    }
}

/// What could not be done, and why.
struct Failure {
    step: &'static str,
    error: io::Error,
}

impl Failure {
    fn of(step: &'static str) -> impl Fn(io::Error) -> Self {
        move |error| Self { step, error }
    }
}

async fn open(upstream: &Upstream) -> Result<UpstreamSocket, Failure> {
    let addresses = lookup_host((&*upstream.host, upstream.port));
    let addresses = addresses.await.map_err(Failure::of("cannot resolve its name"))?;
    let socket = connect_to_first(addresses.collect()).await;
    let socket = socket.map_err(Failure::of("cannot connect"))?;
    let _ = socket.set_nodelay(true);
    if !upstream.tls {
        return Ok(UpstreamSocket::Plain(socket));
    }
    handshake(tls(), &upstream.host, socket).await.map_err(Failure::of("TLS"))
}

/// TLS with the server of that name or address, which its certificate has to have.
async fn handshake(
    config: Arc<rustls::ClientConfig>,
    host: &str,
    socket: TcpStream,
) -> io::Result<UpstreamSocket> {
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let stream = TlsConnector::from(config).connect(name, socket).await?;
    Ok(UpstreamSocket::Tls(Box::new(stream)))
}

/// The first of the addresses that takes a connection. Each is tried when the one before has
/// failed, or has said nothing for a moment: it may be of a network that leads nowhere. While
/// several are tried, they count as one descriptor; the reserve bears that.
async fn connect_to_first(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut addresses = families_in_turn(addresses).into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut failure = None;
    loop {
        if let Some(address) = addresses.next() {
            tracing::debug!(target: "slimhttp_server::proxy", "connecting to {address}");
            attempts.push(TcpStream::connect(address));
        }
        let ended = if addresses.len() == 0 {
            match attempts.next().await {
                Some(ended) => ended,
                None => break,
            }
        } else {
            match tokio::time::timeout(ATTEMPT_DELAY, attempts.next()).await {
                Ok(Some(ended)) => ended,
                Ok(None) | Err(_) => continue,
            }
        };
        match ended {
            Ok(socket) => return Ok(socket),
            Err(error) => failure = Some(failure.filter(is_exhausted).unwrap_or(error)),
        }
    }
    Err(failure.unwrap_or_else(|| io::Error::other("its name has no address")))
}

/// Addresses of IPv6 and of IPv4 by turns, from the family of the first one on, each in its order
/// (RFC 8305 section 4).
fn families_in_turn(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let Some(is_first_v6) = addresses.first().map(SocketAddr::is_ipv6) else { return addresses };
    let count = addresses.len();
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == is_first_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let pairs = std::iter::from_fn(|| match (first.next(), second.next()) {
        (None, None) => None,
        pair => Some([pair.0, pair.1]),
    });
    let mut sorted = Vec::with_capacity(count);
    sorted.extend(pairs.flatten().flatten());
    sorted
}

/// Whether the system has refused a descriptor.
fn is_exhausted(error: &io::Error) -> bool {
    let number = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(number, Some(Errno::MFILE | Errno::NFILE))
}

#[cfg(test)]
mod tests;

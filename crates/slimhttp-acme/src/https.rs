//! Requests to the authority: HTTP/1.1 over TLS, by the engine that the server forwards with.
//! What an authority sends, and how long it takes, is bounded. Everything here runs on the thread
//! `slimhttp-acme`; a future that is dropped closes its connection.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method};
use parking_lot::Mutex;
use rustls::ClientConfig;

use crate::failure::{Failure, told};

mod connection;
mod roots;
#[cfg(test)]
mod tests;
mod url;

use connection::{Broken, Connection};
pub(crate) use roots::config;
pub(crate) use url::Url;

/// How long a request and its response may take together, the connection included.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long a connection is kept for the next request: shorter than servers keep theirs.
const LONGEST_IDLE: Duration = Duration::from_secs(4);

/// A client of authorities.
pub(crate) struct Https {
    tls: Arc<ClientConfig>,
    /// The connection that was free last, for the next request to the same server.
    idle: Mutex<Option<(Connection, Instant)>>,
}

/// What is asked.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    /// Its fields, but for `Host` and those of framing.
    pub(crate) fields: HeaderMap,
    pub(crate) content: Bytes,
    /// Whether the server may get it twice: then a connection that has been used is taken, which
    /// the server may have closed in the moment when it is written to.
    pub(crate) repeat: Repeat,
}

/// Whether a request may reach its server twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Nothing comes of it.
    Harmless,
    /// Something would be made twice.
    Never,
}

/// What is answered.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) fields: HeaderMap,
    pub(crate) content: Bytes,
}

impl Reply {
    /// The value of a field, if it is text.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name)?.to_str().ok()
    }
}

impl Https {
    pub(crate) fn new(tls: Arc<ClientConfig>) -> Self {
        Self { tls, idle: Mutex::new(None) }
    }

    /// Sends a request and reads the response.
    ///
    /// # Errors
    /// Nobody answers, or not in HTTP.
    pub(crate) async fn send(&self, request: &Request) -> Result<Reply, Failure> {
        match tokio::time::timeout(TIMEOUT, self.attempt(request)).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(broken)) => Err(broken.failure(&request.url)),
            Err(_) => {
                let host = told(&request.url.authority);
                Err(Failure::Unreachable(format!("{host}: no answer in {} s", TIMEOUT.as_secs())))
            }
        }
    }

    async fn attempt(&self, request: &Request) -> Result<Reply, Broken> {
        if request.repeat == Repeat::Harmless
            && let Some(mut connection) = self.take(&request.url)
        {
            match connection.exchange(request).await {
                Ok(reply) => return Ok(self.keep(connection, reply)),
                // The server has closed it meanwhile.
                Err(Broken::Silent(_)) => {}
                Err(broken) => return Err(broken),
            }
        }
        let mut connection = Connection::open(&request.url, &self.tls).await?;
        let reply = connection.exchange(request).await?;
        Ok(self.keep(connection, reply))
    }

    /// A connection to the server of `url` that may still be open.
    fn take(&self, url: &Url) -> Option<Connection> {
        let (connection, since) = self.idle.lock().take()?;
        let fits = connection.is_to(url) && since.elapsed() < LONGEST_IDLE;
        fits.then_some(connection)
    }

    fn keep(&self, connection: Connection, reply: Reply) -> Reply {
        if connection.is_reusable() {
            *self.idle.lock() = Some((connection, Instant::now()));
        }
        reply
    }
}

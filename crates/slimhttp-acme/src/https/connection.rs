//! One connection to an authority.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, header};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use slimhttp_http1::{Client, Framing, Limits, ResponseEvent, Scratch, SendError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{Reply, Request, Url};
use crate::failure::{Failure, told};

/// How long one address of a server may take to accept.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How many addresses of a server are tried.
const MOST_ADDRESSES: usize = 8;
const LIMITS: Limits = Limits { max_head: 64 << 10, max_fields: 128, max_target: 0 };
/// The longest content: a chain of certificates is a few KiB, a directory less.
const LONGEST_CONTENT: usize = 1 << 20;
const READ: usize = 16 << 10;

/// A connection between two requests, or within one.
pub(super) struct Connection {
    stream: TlsStream<TcpStream>,
    engine: Client,
    host: String,
    port: u16,
}

/// Why there is no response.
#[derive(Debug)]
pub(super) enum Broken {
    /// There is no connection.
    Unreachable(String),
    /// It ended before the first byte of a response.
    Silent(String),
    /// What came is no response.
    NotHttp(String),
}

impl Broken {
    pub(super) fn failure(self, url: &Url) -> Failure {
        let host = told(&url.authority);
        match self {
            Self::Unreachable(why) | Self::Silent(why) => {
                Failure::Unreachable(format!("{host}: {}", told(&why)))
            }
            Self::NotHttp(why) => Failure::Unexpected(format!("{host}: {}", told(&why))),
        }
    }
}

impl Connection {
    /// Opens a connection to the server of `url`: of its addresses to the first that answers.
    pub(super) async fn open(url: &Url, tls: &Arc<ClientConfig>) -> Result<Self, Broken> {
        let unreachable = |error: io::Error| Broken::Unreachable(error.to_string());
        let name = ServerName::try_from(url.host.clone())
            .map_err(|_| Broken::Unreachable("no name of a server".to_owned()))?;
        let addresses = tokio::net::lookup_host((&*url.host, url.port)).await;
        let stream = connect(addresses.map_err(unreachable)?).await?;
        stream.set_nodelay(true).map_err(unreachable)?;
        let connector = TlsConnector::from(Arc::clone(tls));
        let stream = connector.connect(name, stream).await.map_err(unreachable)?;
        Ok(Self { stream, engine: Client::new(LIMITS), host: url.host.clone(), port: url.port })
    }

    /// Whether this is a connection to the server of `url`.
    pub(super) fn is_to(&self, url: &Url) -> bool {
        self.host == url.host && self.port == url.port
    }

    pub(super) fn is_reusable(&self) -> bool {
        self.engine.is_reusable()
    }

    /// Sends a request and reads its response, whole.
    pub(super) async fn exchange(&mut self, request: &Request) -> Result<Reply, Broken> {
        let mut bytes = Vec::new();
        self.write(&mut bytes, request).map_err(|error| Broken::NotHttp(error.to_string()))?;
        let silent = |error: io::Error| Broken::Silent(error.to_string());
        self.stream.write_all(&bytes).await.map_err(silent)?;
        self.stream.flush().await.map_err(silent)?;
        self.read().await
    }

    fn write(&mut self, out: &mut Vec<u8>, request: &Request) -> Result<(), SendError> {
        let Request { method, url, content, .. } = request;
        let mut fields = request.fields.clone();
        if let Ok(host) = HeaderValue::from_str(&url.authority) {
            fields.insert(header::HOST, host);
        }
        let framing = match content.len() {
            0 if *method != Method::POST => Framing::None,
            length => Framing::Length(length as u64),
        };
        let target = &url.target;
        let head = slimhttp_http1::Request { method, target, fields: &fields, framing };
        self.engine.send_request(out, &head)?;
        if framing != Framing::None {
            let frame = self.engine.send_data(content.len() as u64)?;
            out.extend_from_slice(frame.before());
            out.extend_from_slice(content);
            out.extend_from_slice(frame.behind());
            self.engine.send_end(out, None)?;
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<Reply, Broken> {
        let mut scratch = Scratch::default();
        let mut bytes = Vec::with_capacity(READ);
        let mut head = (0, HeaderMap::new());
        let mut content = Vec::new();
        let mut begun = false;
        loop {
            let received = self.engine.read(&bytes, &mut scratch);
            let received = received.map_err(|fault| Broken::NotHttp(fault.to_string()))?;
            let consumed = received.consumed;
            let mut ended = false;
            let mut is_incomplete = false;
            match received.event {
                ResponseEvent::Incomplete => is_incomplete = true,
                ResponseEvent::Interim(_) => {}
                ResponseEvent::Head(read) => {
                    let fields = read.fields().to_map();
                    let fields = fields.map_err(|fault| Broken::NotHttp(fault.to_string()))?;
                    head = (read.status().as_u16(), fields);
                    ended = read.framing() == Framing::None;
                }
                ResponseEvent::Data(data) if content.len() + data.len() > LONGEST_CONTENT => {
                    return Err(Broken::NotHttp(format!("more than {LONGEST_CONTENT} bytes")));
                }
                ResponseEvent::Data(data) => content.extend_from_slice(data),
                ResponseEvent::End(_) => ended = true,
                ResponseEvent::Switched => {
                    return Err(Broken::NotHttp("another protocol".to_owned()));
                }
            }
            bytes.drain(..consumed);
            if ended {
                return Ok(reply(head, content));
            }
            if is_incomplete {
                match self.stream.read_buf(&mut bytes).await {
                    Ok(0) => {
                        self.end(&bytes, begun)?;
                        return Ok(reply(head, content));
                    }
                    Ok(_) => begun = true,
                    Err(error) if begun => return Err(Broken::Unreachable(error.to_string())),
                    Err(error) => return Err(Broken::Silent(error.to_string())),
                }
            }
        }
    }

    /// The server has closed the connection: that may be how it ends its content.
    fn end(&mut self, left: &[u8], begun: bool) -> Result<(), Broken> {
        match self.engine.read_end(left) {
            Ok(true) => Ok(()),
            _ if begun => Err(Broken::Unreachable("closed within its response".to_owned())),
            _ => Err(Broken::Silent("closed without a response".to_owned())),
        }
    }
}

fn reply((status, fields): (u16, HeaderMap), content: Vec<u8>) -> Reply {
    Reply { status, fields, content: content.into() }
}

async fn connect(addresses: impl Iterator<Item = SocketAddr>) -> Result<TcpStream, Broken> {
    let mut last = "no address".to_owned();
    for address in addresses.take(MOST_ADDRESSES) {
        match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = format!("{error} at {}", address.ip()),
            Err(_) => last = format!("no answer from {}", address.ip()),
        }
    }
    Err(Broken::Unreachable(last))
}

//! An HTTP server that a program embeds: sockets, TLS, HTTP/1.1 and HTTP/2, files, proxying,
//! WebSockets, and a site that changes while it is served. No Python.
//!
//! A [`Server`] is a site in force with its listeners and its I/O threads. What it answers is said by a configuration
//! and by routes ([`slimhttp_site`]), which [`Live::update`] changes while it runs, whole or not
//! at all. What neither files nor upstreams answer is asked of a [`Handler`], the one open trait
//! of the project: a request ([`Request`], with its [`Content`]) becomes an [`Answer`].
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::TcpStream;
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use slimhttp_server::{Answer, AnswerFuture, Body, Callee, Handler, Request};
//! use slimhttp_server::{Server, ServerConfig};
//! use slimhttp_site::config::Config;
//! use slimhttp_site::methods::Methods;
//! use slimhttp_site::route::{HandlerId, Route, RouteKind};
//!
//! struct Hello;
//!
//! impl Handler for Hello {
//!     fn call(&self, _callee: Callee, request: Arc<Request>) -> AnswerFuture {
//!         let path = String::from_utf8_lossy(&request.path).into_owned();
//!         Box::pin(async move {
//!             Ok(Answer::Reply(http::Response::new(Body::from(format!("Hello from {path}\n")))))
//!         })
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::bind(ServerConfig {
//!     tls: false,
//!     address: Some("127.0.0.1".into()),
//!     port: Some(0), // a free one
//!     config: Config::default(),
//!     base: std::env::current_dir()?,
//!     handler: Some(Arc::new(Hello)),
//!     inherited: Vec::new(),
//! })?;
//! let hello = Route {
//!     pattern: "/hello".into(),
//!     methods: Methods::Any,
//!     prefix: false,
//!     kind: RouteKind::Whole,
//!     handler: HandlerId(1),
//! };
//! server
//!     .live()
//!     .update(|draft| draft.routes.register(None, hello))?
//!     .map_err(|fault| fault.to_string())?;
//! server.start()?;
//!
//! let mut client = TcpStream::connect(server.address().expect("a port"))?;
//! client.write_all(b"GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
//! let mut response = String::new();
//! client.read_to_string(&mut response)?;
//! assert!(response.starts_with("HTTP/1.1 200 OK\r\n"));
//! assert!(response.ends_with("Hello from /hello\n"));
//!
//! server.stop();
//! assert!(server.wait(Duration::from_secs(10)));
//! # Ok(())
//! # }
//! ```
//!
//! A request runs downhill: `serve` (accepting, TLS) → `http1` or `http2` →
//! `exchange` → files, `proxy`, a handler or `upgrade` → the socket. The folders say which module
//! may use which; see the floors in ARCHITECTURE.md.

#![forbid(unsafe_code)]
// A test may be a table of any length.
#![cfg_attr(test, allow(clippy::too_many_lines))]

mod acme;
mod api;
mod context;
mod exchange;
mod files;
mod fs;
mod http1;
mod http2;
mod live;
mod message;
mod net;
mod observe;
mod proxy;
#[cfg(test)]
mod samples;
mod serve;
mod server;
mod sys;
mod tls;
mod upgrade;
mod upstream;
pub mod websocket;

pub use api::handler::{
    Answer, AnswerFuture, AuthorizeFuture, Callee, ConnectionData, ConnectionHandle,
    ConnectionInfo, Handler, HandlerFault, Interests, Request,
};
pub use api::takeover::{Bytestream, UpgradedConnection};
pub use context::failed_start::{FailedStart, ShownTo};
pub use live::{Draft, Live, Snapshot};
pub use message::body::{Body, BodyError};
pub use message::content::{Content, ContentFault, ContentStream};
pub use message::refused::DebugPage;
pub use net::inherited::InheritedSocket;
pub use observe::event::{Event, Responder};
pub use serve::heartbeat::Pulse;
pub use server::{
    CertificatesError, Server, ServerConfig, StartError, certificates, check, listen,
    roll_over_account_key,
};
pub use slimhttp_acme::{DnsFuture, DnsProvider, Judge, JudgeFuture};
pub use sys::clock::LogThrottle;
pub use sys::privileges;
pub use tls::certificate;
pub use tls::client_certificate::{AlternativeName, ClientCertificate};
pub use tls::session::TlsSession;
pub use tls::status::{CertificateSource, CertificateState, CertificateStatus, StatusFacts};

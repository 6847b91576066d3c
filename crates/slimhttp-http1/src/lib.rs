//! HTTP/1.1 as messages, for servers and for clients (RFC 9112): bytes in, events out.
//!
//! An engine is one side of one connection: [`Server`] reads requests and writes responses,
//! [`Client`] the other way about. It performs no I/O, has no clock, and waits for nothing: its
//! owner reads a socket and hands the bytes to `read`, and writes what `send_…` has put into a
//! buffer. What may come when is one table, see [`state`].
//!
//! Requests are read strictly: what two recipients could understand differently is a [`Fault`],
//! the same one however the bytes were cut into reads. One of the grammar is found at the earliest
//! byte that shows it, one of a value at the end of its line. Responses are read as RFC 9112 has a
//! proxy read them; what could make two recipients differ on where one ends is a fault there, too.
//! What is written is valid by its types, and framed by the engine.
//!
//! What an engine does not check: the syntax of `Host`, percent-encoding and dot segments of a
//! target, the form of a target that is written, what fields mean beyond framing and the
//! connection.
//!
//! ```
//! use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
//! use slimhttp_http1::{
//!     Client, Framing, Limits, Request, RequestEvent, Response, ResponseEvent, Scratch, Server,
//! };
//!
//! let limits = Limits { max_head: 8192, max_fields: 100, max_target: 4096 };
//! let (mut client, mut server) = (Client::new(limits), Server::new(limits));
//! let mut scratch = Scratch::default();
//!
//! // The client asks.
//! let mut to_server = Vec::new();
//! let fields = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("example.org"))]);
//! let (method, target, framing) = (&Method::GET, "/hello", Framing::None);
//! client.send_request(&mut to_server, &Request { method, target, fields: &fields, framing })?;
//!
//! // The server reads what has come in, and answers.
//! let received = server.read(&to_server, &mut scratch)?;
//! let RequestEvent::Head(head) = received.event else { panic!("a whole head") };
//! assert_eq!((head.method(), head.target()), ("GET", "/hello"));
//! to_server.drain(..received.consumed);
//!
//! let mut to_client = Vec::new();
//! let (status, fields) = (StatusCode::OK, &HeaderMap::new());
//! let response = Response { status, fields, length: None, date: None };
//! assert_eq!(server.send_response(&mut to_client, &response)?, Framing::Chunked);
//! for piece in ["Hello, ", "world"] {
//!     let frame = server.send_data(piece.len() as u64)?;
//!     to_client.extend_from_slice(frame.before());
//!     to_client.extend_from_slice(piece.as_bytes());
//!     to_client.extend_from_slice(frame.behind());
//! }
//! server.send_end(&mut to_client, None)?;
//! assert!(server.is_ready_for_next());
//!
//! // The client reads the answer.
//! let mut content = Vec::new();
//! while !client.is_reusable() {
//!     let received = client.read(&to_client, &mut scratch)?;
//!     match received.event {
//!         ResponseEvent::Head(head) => assert_eq!(head.status(), StatusCode::OK),
//!         ResponseEvent::Data(data) => content.extend_from_slice(data),
//!         ResponseEvent::End(trailers) => assert!(trailers.is_empty()),
//!         other => panic!("{other:?}"),
//!     }
//!     let consumed = received.consumed;
//!     to_client.drain(..consumed);
//! }
//! assert_eq!(content, b"Hello, world");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]
// A test may be a table of any length.
#![cfg_attr(test, allow(clippy::too_many_lines))]

mod authority;
mod chunks;
mod class;
mod client;
mod coding;
mod fault;
mod framing;
mod head;
mod known;
mod limits;
mod reader;
mod request_line;
mod scratch;
mod section;
mod server;
mod span;
pub mod state;
mod status_line;
mod write;

pub use client::{Client, MOST_INTERIM, Request, ResponseEvent};
pub use fault::{Fault, SendError};
pub use framing::Framing;
pub use head::{Field, Fields, RequestHead, ResponseHead};
pub use limits::Limits;
pub use reader::Received;
pub use request_line::request_line;
pub use scratch::Scratch;
pub use server::{RequestEvent, Response, Server};
pub use state::State;
pub use write::{DataFrame, PreparedHead};

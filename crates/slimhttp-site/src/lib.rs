//! What to answer: configuration, routing and answers as pure functions. No socket, no
//! file, no clock, no thread, no async, no Python: what the world says is an argument, so
//! that every rule can be tested as a table.
//!
//! A configuration is compiled once: [`config::Config`] (what the user wrote) →
//! [`compile::compile`] → [`site::Site`], which is immutable and shared by all threads.
//! Every request is planned: [`plan::Head`] → [`site::Site::plan`] → [`plan::Plan`], which
//! is data; the server crate performs it. Planning happens on the I/O threads and returns
//! at once; a compilation takes as long as the change is large, on the thread that makes it.
//!
//! The folders say which module may use which; see the floors in ARCHITECTURE.md.

#![forbid(unsafe_code)]
// A test may be a table of any length.
#![cfg_attr(test, allow(clippy::too_many_lines))]

pub mod compile;
pub mod config;
pub mod escape;
mod files;
pub mod plan;
mod protocol;
mod response;
mod routing;
pub mod secrets;
pub mod site;

pub use config::{fault, logging, options, value};
pub use files::{candidates, content_type, file_reply, file_rules, glob, listing};
pub use protocol::{
    authority, client, coding, conditions, cookie, cors, forward, http2, https, list_field,
    media_type, methods, multipart, range, raw_reply, refusal, vary, websocket,
};
pub use response::{answer_coding, live_reload, response_fields};
pub use routing::{host, mount, path, redirect, route, upstream_prefix};
pub use site::{access, acme, application, instance, listener, tls};

//! What to answer. Everything here is a pure function of its arguments: no
//! socket, no file, no clock, no thread, no async, no Python.
//!
//! A configuration runs downhill: [`config::Config`] (what the user wrote) →
//! [`compile::compile`] → [`site::Site`] (immutable). A request runs downhill:
//! [`plan::Head`] → [`site::Site::plan`] → [`plan::Plan`], which is data; the
//! server crate performs it.

pub mod access;
pub mod candidates;
pub mod client;
pub mod coding;
pub mod compile;
pub mod conditions;
pub mod config;
pub mod content_type;
pub mod cookie;
pub mod cors;
pub mod file_reply;
pub mod file_rules;
pub mod forward;
pub mod framing;
pub mod glob;
pub mod harmless;
pub mod host;
pub mod http2;
pub mod instance;
pub mod list_field;
pub mod listing;
pub mod multipart;
pub mod path;
pub mod plan;
pub mod range;
pub mod raw_reply;
pub mod redirect;
pub mod refusal;
pub mod reload;
pub mod response_fields;
pub mod route;
pub mod secrets;
pub mod site;
pub mod websocket;
mod weight;

pub use config::{fault, logging, options, value};

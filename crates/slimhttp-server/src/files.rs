//! Files: finds one below the root, and sends it or hands it on as a script.
//!
//! target → candidates → what each names (`lookup`, from memory where `cache`
//! keeps it) → the form in which it is sent (`representation`) → status,
//! fields and bytes (`response`).

mod answer;
mod cache;
mod cached_file;
mod compress;
mod error_page;
mod etag;
mod listing;
mod listing_cache;
mod lookup;
mod lookup_budget;
mod multipart_body;
mod never_sent;
pub(crate) mod releases;
mod representation;
mod request;
mod response;
mod search;
mod service;
mod store;

pub(crate) use error_page::error_page;
pub(crate) use lookup::{FileLookup, FreshnessNote};
pub(crate) use request::{FileRequest, Found};
pub(crate) use service::{options, send, send_named};
pub(crate) use store::FileStore;

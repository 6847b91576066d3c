//! Files: finds one below the root, and sends it or hands it on as a script.
//!
//! `exchange` calls [`send`] for what a path names, [`send_named`] for what a handler names and
//! [`error_page()`] for refusals, each on the I/O thread of the request. From there it goes down:
//! candidates (`search`) → what each names (`lookup`, from memory where `cache` has it) → which
//! variant of it is sent (`representation`, `variant`) → status, fields and bytes (`response`).
//! A future that is dropped half-way leaves nothing behind but work on the blocking pool that
//! others may use.

mod answer;
mod cache;
mod cache_time;
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
mod page;
pub(crate) mod releases;
mod representation;
mod request;
mod response;
mod search;
mod service;
mod static_file;
mod store;
mod variant;

pub(crate) use error_page::error_page;
pub(crate) use lookup::{FileLookup, FreshnessNote};
pub(crate) use request::{FileOutcome, FileRequest, FileScope};
pub(crate) use service::{options, send, send_named};
pub(crate) use store::FileStore;

#[cfg(test)]
mod tests;

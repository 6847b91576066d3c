//! Forms: fields and uploads out of the content of a request. Whoever reads the content feeds it
//! in, in pieces of any size; that thread writes uploads to disk, and nothing else here blocks.
//!
//! What a form may take is bounded before it is taken: the number of its parts;
//! the memory of its texts, which are the names and values of fields, and of
//! uploads the names and the header fields; the memory of what uploads hold (what
//! is more lies on disk).

mod charset;
mod fault;
mod form;
mod multipart;
mod spool;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use slimhttp_site::media_type::parameter;

use crate::query;
use charset::Charset;
pub use fault::FormFault;
pub use form::{Form, Limits, Upload};
use form::{within_count, within_memory};
use multipart::Multipart;
pub use spool::UploadData;

/// The longest boundary (RFC 2046 section 5.1.1).
const LONGEST_BOUNDARY: usize = 70;

/// How a form is written.
#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// `application/x-www-form-urlencoded`.
    UrlEncoded,
    /// `multipart/form-data` with this boundary.
    Multipart(String),
}

impl Kind {
    /// The kind of form that a content type names, if it names one.
    ///
    /// # Errors
    /// Where the boundary is missing or none.
    pub fn of(content_type: &str) -> Result<Option<Self>, FormFault> {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Ok(Some(Self::UrlEncoded));
        }
        if !essence.eq_ignore_ascii_case("multipart/form-data") {
            return Ok(None);
        }
        let boundary = parameter(content_type, "boundary").unwrap_or_default();
        if boundary.is_empty() || boundary.len() > LONGEST_BOUNDARY {
            return Err(FormFault::Malformed(format!(
                "the form's content type needs a boundary of 1 to {LONGEST_BOUNDARY} characters"
            )));
        }
        Ok(Some(Self::Multipart(boundary.into_owned())))
    }
}

/// Reads a form.
pub enum Parser {
    /// What has come so far.
    UrlEncoded(Vec<u8>, Limits),
    /// Its parts are read as they come.
    Multipart(Box<Multipart>),
}

impl Parser {
    /// A form of which nothing has come yet.
    pub fn new(kind: Kind, limits: Limits) -> Self {
        match kind {
            Kind::UrlEncoded => Self::UrlEncoded(Vec::new(), limits),
            Kind::Multipart(boundary) => {
                Self::Multipart(Box::new(Multipart::new(&boundary, limits)))
            }
        }
    }

    /// Takes the next piece of the content.
    ///
    /// # Errors
    /// What is wrong with it; the form is given up then.
    pub fn feed(&mut self, piece: Bytes) -> Result<(), FormFault> {
        match self {
            Self::UrlEncoded(held, limits) => {
                within_memory(held.len() as u64 + piece.len() as u64, *limits)?;
                held.extend_from_slice(&piece);
                Ok(())
            }
            Self::Multipart(parts) => parts.feed(&piece),
        }
    }

    /// The form, once all of the content was fed.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn finish(self) -> Result<Form, FormFault> {
        match self {
            Self::UrlEncoded(held, limits) => urlencoded(&held, limits),
            Self::Multipart(parts) => parts.finish(),
        }
    }
}

/// A form of `application/x-www-form-urlencoded` (WHATWG URL), all of it.
fn urlencoded(held: &[u8], limits: Limits) -> Result<Form, FormFault> {
    let mut pairs = Vec::new();
    for pair in query::pairs(held) {
        within_count(pairs.len() as u64 + 1, limits)?;
        pairs.push(pair);
    }
    let charset =
        Charset::of_form(pairs.iter().map(|(name, value)| (name.as_slice(), value.as_slice())));
    let mut fields = Vec::new();
    let mut text_bytes = 0;
    for (name, value) in pairs {
        let (name, value) = (charset.decode(name), charset.decode(value));
        text_bytes += (name.len() + value.len()) as u64;
        within_memory(text_bytes, limits)?;
        fields.push((name, value));
    }
    Ok(Form { fields, ..Form::default() })
}

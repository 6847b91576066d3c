//! Messages as they pass through the server: the body of a request, bounded; the body of a
//! response, with back-pressure; and the error pages. Used by all that stands above; knows no
//! protocol and no connection but by what it is given.

pub(crate) mod body;
pub(crate) mod coded_body;
pub(crate) mod content;
pub(crate) mod encoder;
pub(crate) mod error_page;
pub(crate) mod file_body;
pub(crate) mod limits;
pub(crate) mod refused;
pub(crate) mod request_body;
#[cfg(test)]
pub(crate) mod testing;

//! Messages as they pass through the house: the body of a request, bounded; the body of a
//! response, with back-pressure; and the response that says no.

pub(crate) mod body;
pub(crate) mod content;
pub(crate) mod error_page;
pub(crate) mod file_body;
pub(crate) mod limits;
pub(crate) mod refused;
pub(crate) mod request_body;

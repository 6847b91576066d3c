//! What is added to a response because of the site, whatever produced it: a file, a handler
//! or an upstream.

pub mod answer_coding;
pub mod live_reload;
pub mod response_fields;

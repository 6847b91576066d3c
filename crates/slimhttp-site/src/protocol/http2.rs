//! What is checked of HTTP/2 (RFC 9113) beside the library that speaks it: the heads of
//! frames, because floods of frames cost time, and the head of a request, because the
//! library lets malformed ones pass.

pub mod frames;
pub mod head;

//! What is checked of HTTP/2 (RFC 9113) beside its engine: the heads of frames, because
//! floods of frames cost time, and the head of a request, because the engine lets malformed ones
//! pass.

pub mod frames;
pub mod head;

//! What is checked of HTTP/2 (RFC 9113) beside hyper, which speaks it: the heads of frames,
//! because floods of frames cost time, and the head of a request, because hyper lets malformed
//! ones pass.

pub mod frames;
pub mod head;

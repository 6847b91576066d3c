//! What is judged of HTTP/2 (RFC 9113) beside the library that speaks it: the
//! heads of frames, for what a client takes of our time, and the head of a request,
//! for what the library lets pass.

pub mod frames;
pub mod head;

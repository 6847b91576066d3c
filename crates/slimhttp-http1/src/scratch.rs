//! Where a head is read to.

/// The spans of one head, and how far it was read. What an engine needs only while a head comes
/// in: connections that are read on one thread share one, and an engine keeps what it needs of it
/// to itself where a head comes in pieces. So an engine at rest is small.
#[derive(Debug, Default)]
pub struct Scratch {}

//! How much of a head is read before it is refused.

/// The bounds of heads and trailer sections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The bytes of a head, from its first to the empty line that ends it, and again of a
    /// trailer section.
    pub max_head: usize,
    /// The field lines of a head, and again of a trailer section.
    pub max_fields: usize,
    /// The bytes of a request target; of requests only.
    pub max_target: usize,
}

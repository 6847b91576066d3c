//! How much of a head is read before it is refused.

/// The bounds of heads and trailer sections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The bytes of a head, from its first to the empty line that ends it, and again of a
    /// trailer section.
    pub max_head: usize,
    /// The field lines of a head, and again of a trailer section. Never more than 65,535.
    pub max_fields: usize,
    /// The bytes of a request target; of requests only. Never more than 65,534, the longest that
    /// the `http` crate holds.
    pub max_target: usize,
}

/// The longest target that the `http` crate holds.
const LONGEST_TARGET: u16 = u16::MAX - 1;

/// [`Limits`], in few bytes: an engine at rest is small.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bounds {
    pub(crate) head: u32,
    pub(crate) fields: u16,
    pub(crate) target: u16,
}

impl From<Limits> for Bounds {
    fn from(limits: Limits) -> Self {
        let short = |bound: usize| u16::try_from(bound).unwrap_or(u16::MAX);
        Self {
            head: u32::try_from(limits.max_head).unwrap_or(u32::MAX),
            fields: short(limits.max_fields),
            target: short(limits.max_target).min(LONGEST_TARGET),
        }
    }
}

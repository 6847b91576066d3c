//! Pieces of a head, and where reading it stops.

use crate::fault::Fault;

/// A fault, and the index of the byte that shows it.
#[derive(Debug)]
pub(crate) struct FaultAt {
    pub(crate) at: usize,
    pub(crate) fault: Fault,
}

impl FaultAt {
    pub(crate) fn new(at: usize, fault: Fault) -> Self {
        Self { at, fault }
    }

    pub(crate) fn malformed(at: usize, why: &'static str) -> Self {
        Self::new(at, Fault::Malformed(why))
    }
}

impl From<FaultAt> for Fault {
    fn from(found: FaultAt) -> Self {
        found.fault
    }
}

/// A piece of a head, as indices of its bytes. No head is longer than 32 bits say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self { start: index(start), end: index(end) }
    }

    pub(crate) fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start as usize..self.end as usize]
    }

    /// From the first of both to the last. An empty one has no place.
    pub(crate) fn joined(self, behind: Self) -> Self {
        match (self.is_empty(), behind.is_empty()) {
            (true, _) => behind,
            (_, true) => self,
            _ => Self { start: self.start, end: behind.end },
        }
    }

    pub(crate) fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// An index within a head, whose length is bounded by 32 bits.
pub(crate) fn index(at: usize) -> u32 {
    u32::try_from(at).expect("a head is bounded by 32 bits")
}

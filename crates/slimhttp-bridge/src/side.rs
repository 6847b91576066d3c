//! Where a handler runs: on a thread in `turn()` or on the event loop. The number of a handler
//! says it, so that an I/O thread knows which queue a call belongs to.

use slimhttp_site::route::HandlerId;

/// Where a handler runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// On a thread in `turn()`.
    Thread,
    /// On the thread of the event loop.
    Loop,
}

/// Where the handler of `id` runs. It is part of the number, so that an I/O
/// thread knows without asking.
pub(crate) fn side_of(id: HandlerId) -> Side {
    if id.0 & 1 == 1 { Side::Loop } else { Side::Thread }
}

/// The `count`-th handler, which runs on `side`.
pub fn handler_id(count: u64, side: Side) -> HandlerId {
    HandlerId(count << 1 | u64::from(side == Side::Loop))
}

#[cfg(test)]
mod tests;

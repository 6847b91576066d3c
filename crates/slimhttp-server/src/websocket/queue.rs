//! A queue that is bounded by number and by the memory that it holds. Pure: whoever shares it
//! has a lock around it.

use std::collections::VecDeque;

/// What an item in a queue takes beside its bytes: its place there, and what the
/// allocator adds. Without it, messages of no bytes would count for nothing.
pub(super) const ITEM_OVERHEAD: usize = 128;

/// The bounds of a queue. It is full when it has reached one of them; so an item of any length
/// fits into an empty one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Capacity {
    pub(super) items: usize,
    pub(super) bytes: usize,
}

/// Items in the order in which they came, and what they take.
#[derive(Debug)]
pub(super) struct BoundedQueue<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
}

impl<T> Default for BoundedQueue<T> {
    fn default() -> Self {
        Self { items: VecDeque::new(), bytes: 0 }
    }
}

impl<T> BoundedQueue<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) fn is_full(&self, capacity: Capacity) -> bool {
        self.items.len() >= capacity.items || self.bytes >= capacity.bytes
    }

    /// As [`Self::is_full`], while another item grows that has `growing` bytes so far. That
    /// may become as long as any where nothing else is in the queue; together with others it
    /// must not.
    pub(super) fn is_full_beside(&self, growing: usize, capacity: Capacity) -> bool {
        let is_too_much = self.bytes + growing >= capacity.bytes;
        self.items.len() >= capacity.items || (!self.is_empty() && is_too_much)
    }

    /// Adds an item of so many bytes, full or not.
    pub(super) fn push(&mut self, item: T, bytes: usize) {
        let bytes = bytes + ITEM_OVERHEAD;
        self.bytes += bytes;
        self.items.push_back((item, bytes));
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        let (item, bytes) = self.items.pop_front()?;
        self.bytes -= bytes;
        if self.items.is_empty() {
            // An idle connection holds no memory for it.
            self.items = VecDeque::new();
        }
        Some(item)
    }
}

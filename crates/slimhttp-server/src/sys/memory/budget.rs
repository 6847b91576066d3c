//! Bytes of one kind that are held together within a bound: each holder has a share
//! of them, which is released when it is dropped. Shares grow and are dropped on any thread.

use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

/// How many bytes there are.
#[derive(Debug, Default)]
pub(crate) struct Budget(AtomicU64);

impl Budget {
    /// Nothing is held yet.
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// What all shares hold together.
    #[cfg(test)]
    pub(crate) fn held(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A part of a budget.
#[derive(Debug)]
pub(crate) struct Share<B: Deref<Target = Budget>> {
    budget: B,
    length: u64,
}

impl<B: Deref<Target = Budget>> Share<B> {
    /// One that holds nothing yet.
    pub(crate) fn new(budget: B) -> Self {
        Self { budget, length: 0 }
    }

    /// What this one holds.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Makes it larger, if all shares stay within `limit`. What does not fit is never
    /// counted, not even for a moment in which another one would fit.
    ///
    /// # Errors
    /// They would not; what they hold now.
    pub(crate) fn grow(&mut self, by: u64, limit: u64) -> Result<(), u64> {
        let grown = |held: u64| held.checked_add(by).filter(|held| *held <= limit);
        self.budget.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown)?;
        self.length += by;
        Ok(())
    }

    /// `bytes`, which count as this share until the last part of them is dropped.
    pub(crate) fn of(self, bytes: impl AsRef<[u8]> + Send + 'static) -> Bytes
    where
        B: Send + 'static,
    {
        Bytes::from_owner(Held { bytes, _share: self })
    }
}

impl<B: Deref<Target = Budget>> Drop for Share<B> {
    fn drop(&mut self) {
        self.budget.0.fetch_sub(self.length, Ordering::Relaxed);
    }
}

/// Bytes and their share.
struct Held<T, B: Deref<Target = Budget>> {
    bytes: T,
    _share: Share<B>,
}

impl<T: AsRef<[u8]>, B: Deref<Target = Budget>> AsRef<[u8]> for Held<T, B> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

#[cfg(test)]
mod tests;

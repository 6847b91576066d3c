//! The memory that the bodies of requests take while they are held whole: counted
//! for the whole process, bounded by `max_body_memory`, and released to the system
//! soon after it is free. Who finds no room is refused and waits for nobody: half
//! bodies that waited for each other would hold the memory for good.
//!
//! A body belongs to the task that reads it; the count that all of them share is an atomic.

mod budget;
mod machine;

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use slimhttp_site::refusal::Refusal;

use crate::sys::clock::{self, LogThrottle};

pub(crate) use budget::{Budget, Share};
pub(crate) use machine::memory as of_machine;

/// What all bodies hold together.
static HELD: Budget = Budget::new();

/// In what pieces a body is taken in before its length is known. Large enough for
/// allocators to hand each of them back to the system by itself.
const PIECE: usize = 1 << 20;

/// A body that is being taken in whole.
#[derive(Debug)]
pub(crate) struct BodyBuffer {
    /// What bodies may take together.
    limit: u64,
    /// As the head has announced it.
    announced: Option<u64>,
    share: Share<&'static Budget>,
    /// The first piece as it came: most bodies are no longer, and need no copy.
    first: Bytes,
    /// All pieces, once there is a second one; but for the last they are full.
    pieces: Vec<BytesMut>,
}

impl BodyBuffer {
    /// One of which nothing has come yet.
    pub(crate) fn new(announced: Option<u64>, limit: u64) -> Self {
        let (share, first, pieces) = (Share::new(&HELD), Bytes::new(), Vec::new());
        Self { limit, announced, share, first, pieces }
    }

    /// How much has come.
    pub(crate) fn len(&self) -> u64 {
        self.share.length()
    }

    /// Whether to put it together takes so long that it is no work for an I/O thread:
    /// 16 MiB take ten milliseconds.
    pub(crate) fn is_long(&self) -> bool {
        self.pieces.len() > 1 && self.len() > PIECE as u64
    }

    /// Takes what has come.
    ///
    /// # Errors
    /// There is no room for it.
    pub(crate) fn push(&mut self, data: Bytes) -> Result<(), Refusal> {
        self.grow(data.len() as u64)?;
        if self.first.is_empty() && self.pieces.is_empty() {
            self.first = data;
        } else {
            let first = std::mem::take(&mut self.first);
            self.copy(&first);
            self.copy(&data);
        }
        Ok(())
    }

    /// Makes its share larger.
    fn grow(&mut self, by: u64) -> Result<(), Refusal> {
        let Err(held) = self.share.grow(by, self.limit) else { return Ok(()) };
        if self.len().saturating_add(by) > self.limit {
            // It would not fit if it were alone.
            return Err(Refusal::ContentTooLarge(self.limit));
        }
        static THROTTLE: LogThrottle = LogThrottle::new();
        if THROTTLE.allow() {
            tracing::warn!(
                "bodies of requests hold {held} bytes: others are answered 503, see \
                 `max_body_memory`"
            );
        }
        Err(Refusal::MemoryFull)
    }

    fn copy(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            let room = self.pieces.last().map_or(0, |last| last.capacity() - last.len());
            if room == 0 {
                self.pieces.push(BytesMut::with_capacity(self.next_piece(data.len())));
                continue;
            }
            let (fits, rest) = data.split_at(room.min(data.len()));
            let last = self.pieces.last_mut().expect("there is room in it");
            last.extend_from_slice(fits);
            data = rest;
        }
    }

    /// How large the next piece is: what is announced and has not come, if that is
    /// little; where nothing is, as much again as has come.
    fn next_piece(&self, least: usize) -> usize {
        let held: usize = self.pieces.iter().map(BytesMut::len).sum();
        let left = self.announced.map(|length| length.saturating_sub(held as u64));
        let left = left.and_then(|left| usize::try_from(left).ok());
        left.unwrap_or(held.max(4096)).max(least.min(PIECE)).clamp(1, PIECE)
    }

    /// The whole body. Its memory counts until the last who holds it lets go.
    pub(crate) fn finish(self) -> Bytes {
        let Self { share, first, mut pieces, .. } = self;
        let length = usize::try_from(share.length()).expect("what is in memory has a length");
        let bytes = match &mut *pieces {
            [] => first,
            [one] => std::mem::take(one).freeze(),
            pieces => {
                let mut whole = Vec::with_capacity(length);
                for piece in pieces {
                    // Each is let go as soon as it is copied.
                    whole.extend_from_slice(&std::mem::take(piece));
                }
                whole.into()
            }
        };
        match bytes.is_empty() {
            true => bytes,
            false => share.of(bytes),
        }
    }
}

/// Lets the allocator release what was freed, once a second at most; called from
/// the housekeeping of the I/O threads.
///
/// mimalloc hands freed pages to the system a second later, but looks only while it
/// frees a large block: when nobody asks for anything any more, the memory of the
/// last crowd would stay for ever. Freeing a block of nothing is all that it takes.
/// Other allocators do not mind.
pub(crate) fn release_freed() {
    const PAUSE: u64 = 1000;
    static LAST: AtomicU64 = AtomicU64::new(0);
    let (now, last) = (clock::milliseconds(), LAST.load(Ordering::Relaxed));
    if now.saturating_sub(last) >= PAUSE
        && LAST.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    {
        drop(std::hint::black_box(Vec::<u8>::with_capacity(PIECE)));
    }
}

#[cfg(test)]
mod tests;

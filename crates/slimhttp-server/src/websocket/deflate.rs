//! `permessage-deflate` (RFC 7692): one message at a time, packed and unpacked
//! in pieces. Nothing is carried from one message to the next, so the machines
//! are the worker's, lent for one message.

use std::cell::RefCell;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// What ends a message that was flushed, and is left out (section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// Machines of one worker that rest, at most this many of each.
const RESTING: usize = 4;

/// How much room a message gets at a time.
const ROOM: usize = 16 * 1024;

thread_local! {
    static PACKERS: RefCell<Vec<Compress>> = const { RefCell::new(Vec::new()) };
    static UNPACKERS: RefCell<Vec<Decompress>> = const { RefCell::new(Vec::new()) };
}

/// Packs one message.
pub(super) struct Packer(Option<Compress>);

impl Packer {
    pub(super) fn new() -> Self {
        let resting = PACKERS.with_borrow_mut(Vec::pop);
        Self(Some(resting.unwrap_or_else(|| Compress::new(Compression::fast(), false))))
    }

    /// Appends what `piece` is packed; `last` ends the message. A piece that is
    /// not the last may come out as nothing, and comes with the next.
    pub(super) fn pack(&mut self, mut piece: &[u8], last: bool, packed: &mut Vec<u8>) {
        let Some(machine) = &mut self.0 else { return };
        let flush = if last { FlushCompress::Sync } else { FlushCompress::None };
        loop {
            packed.reserve(ROOM.min(piece.len() + 64));
            let (before, room) = (machine.total_in(), packed.capacity() - packed.len());
            let length = packed.len();
            // It fails only for want of room, which it has, or after its end.
            let _ = machine.compress_vec(piece, packed, flush);
            // No longer than `piece`, whose length is a `usize`.
            let taken = usize::try_from(machine.total_in() - before).unwrap_or(piece.len());
            piece = &piece[taken..];
            // With room left over there is nothing more to come.
            if piece.is_empty() && packed.len() - length < room {
                break;
            }
        }
        if last && packed.ends_with(&TAIL) {
            packed.truncate(packed.len() - TAIL.len());
        }
    }
}

impl Drop for Packer {
    fn drop(&mut self) {
        if let Some(mut machine) = self.0.take() {
            PACKERS.with_borrow_mut(|resting| {
                if resting.len() < RESTING {
                    machine.reset();
                    resting.push(machine);
                }
            });
        }
    }
}

/// Why a message cannot be unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unpacked {
    /// It is longer than it may be.
    TooLong,
    /// It is not what it says.
    Broken,
}

/// Unpacks one message.
pub(super) struct Unpacker(Option<Decompress>);

impl Unpacker {
    pub(super) fn new() -> Self {
        let resting = UNPACKERS.with_borrow_mut(Vec::pop);
        Self(Some(resting.unwrap_or_else(|| Decompress::new(false))))
    }

    /// Appends what `piece` comes to, as long as the whole is no longer than
    /// `limit`: a little that unpacks to very much is found out here.
    pub(super) fn unpack(
        &mut self,
        mut piece: &[u8],
        message: &mut Vec<u8>,
        limit: usize,
    ) -> Result<(), Unpacked> {
        let Some(machine) = &mut self.0 else { return Err(Unpacked::Broken) };
        loop {
            // One byte more than is allowed shows that there is more.
            message.reserve(ROOM.min(limit + 1 - message.len()));
            let (before, length) = (machine.total_in(), message.len());
            let room = message.capacity() - length;
            let status = machine
                .decompress_vec(piece, message, FlushDecompress::None)
                .map_err(|_| Unpacked::Broken)?;
            let taken = usize::try_from(machine.total_in() - before).unwrap_or(piece.len());
            piece = &piece[taken..];
            if message.len() > limit {
                return Err(Unpacked::TooLong);
            }
            if status == Status::StreamEnd {
                // Section 7.2.3.4: a block may say that it is the last one, and
                // another may follow.
                machine.reset(false);
            }
            if piece.is_empty() && message.len() - length < room {
                return Ok(());
            }
            if taken == 0 && message.len() == length && status != Status::StreamEnd {
                return Err(Unpacked::Broken);
            }
        }
    }

    /// Ends the message.
    pub(super) fn finish(mut self, message: &mut Vec<u8>, limit: usize) -> Result<(), Unpacked> {
        self.unpack(&TAIL, message, limit)
    }
}

impl Drop for Unpacker {
    fn drop(&mut self) {
        if let Some(mut machine) = self.0.take() {
            UNPACKERS.with_borrow_mut(|resting| {
                if resting.len() < RESTING {
                    machine.reset(false);
                    resting.push(machine);
                }
            });
        }
    }
}

#[cfg(test)]
#[path = "deflate/tests.rs"]
mod tests;

//! `permessage-deflate` (RFC 7692): messages packed and unpacked, a piece at a
//! time, so that no piece is much work. Pure: no socket and no clock.
//!
//! Every piece is packed by itself, so that a client that takes its time keeps no
//! machine from the others: a worker has one. What unpacks a message is lent to
//! it from its first byte to its last, for the client may refer back in it.
//!
//! Both machines keep zlib's contract, which is what the loops below rely on: a
//! call goes on until it has no input left or no room left, and whoever gives a
//! flush more room until some is left over has all of it.

use std::cell::RefCell;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// What ends a piece that was flushed: an empty stored block. At the end of a
/// message it is left out (section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// What a message is ended with: that block, and an empty one that says it is the
/// last. It is only found where another block may begin, so a message that stops
/// within one is told from a whole one.
const ENDING: [u8; 6] = [0, 0, 0xff, 0xff, 0x03, 0x00];

/// How hard packing tries. The level below writes fixed codes only, by which what
/// does not repeat itself becomes longer.
const LEVEL: u32 = 2;

/// Machines of one worker that rest, at most.
const RESTING: usize = 4;

/// How much room is given at a time. More than six bytes, so that a flush that
/// just fits is not made twice (zlib.h, `deflate`).
const ROOM: usize = 16 * 1024;

thread_local! {
    static PACKER: RefCell<Compress> =
        RefCell::new(Compress::new(Compression::new(LEVEL), false));
    static UNPACKERS: RefCell<Vec<Decompress>> = const { RefCell::new(Vec::new()) };
    static UNPACKED: RefCell<Vec<u8>> = RefCell::new(vec![0; ROOM]);
}

/// Appends what `piece` is packed. `is_last` ends the message; further pieces may
/// follow one that does not.
pub(crate) fn pack(piece: &[u8], is_last: bool, packed: &mut Vec<u8>) {
    PACKER.with_borrow_mut(|machine| {
        machine.reset();
        let mut rest = piece;
        loop {
            packed.reserve(ROOM);
            let before = machine.total_in();
            machine
                .compress_vec(rest, packed, FlushCompress::Sync)
                .expect("a stream that is not finished takes more");
            rest = &rest[taken(before, machine.total_in(), rest)..];
            if rest.is_empty() && packed.len() < packed.capacity() {
                break;
            }
        }
    });
    if is_last && packed.ends_with(&TAIL) {
        packed.truncate(packed.len() - TAIL.len());
    }
}

/// How much of `piece` a machine has taken, by its counts before and after.
fn taken(before: u64, after: u64, piece: &[u8]) -> usize {
    // No more than there was, so it is a `usize`.
    usize::try_from(after - before).unwrap_or(piece.len())
}

/// Why a message cannot be unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unpacked {
    /// It is longer than it may be.
    TooLong,
    /// It is not what it says, or refers to what was before it.
    Broken,
}

/// Unpacks one message.
pub(crate) struct Unpacker {
    machine: Option<Decompress>,
    /// Whether nothing has come since a block that said it is the last one, or
    /// nothing at all.
    is_ended: bool,
    /// The last four bytes.
    last: [u8; 4],
}

impl Unpacker {
    pub(crate) fn new() -> Self {
        let resting = UNPACKERS.with_borrow_mut(Vec::pop);
        let machine = resting.unwrap_or_else(|| Decompress::new(false));
        Self { machine: Some(machine), is_ended: true, last: [1; 4] }
    }

    /// Appends what `piece` comes to, as long as the whole is no longer than
    /// `limit`: a little that unpacks to very much is found out here. The work is
    /// bounded by `limit`, and by a thousandfold of `piece`.
    pub(crate) fn unpack(
        &mut self,
        mut piece: &[u8],
        message: &mut Vec<u8>,
        limit: usize,
    ) -> Result<(), Unpacked> {
        let Some(machine) = &mut self.machine else { return Err(Unpacked::Broken) };
        let news = &piece[piece.len().saturating_sub(4)..];
        self.last.rotate_left(news.len());
        self.last[4 - news.len()..].copy_from_slice(news);
        UNPACKED.with_borrow_mut(|room| {
            while !(piece.is_empty() && self.is_ended) {
                // One byte more than is allowed shows that there is more.
                let most = room.len().min(limit - message.len() + 1);
                let (taken_before, made_before) = (machine.total_in(), machine.total_out());
                let status = machine
                    .decompress(piece, &mut room[..most], FlushDecompress::None)
                    .map_err(|_| Unpacked::Broken)?;
                piece = &piece[taken(taken_before, machine.total_in(), piece)..];
                let made = taken(made_before, machine.total_out(), &room[..most]);
                message.extend_from_slice(&room[..made]);
                if message.len() > limit {
                    return Err(Unpacked::TooLong);
                }
                self.is_ended = status == Status::StreamEnd;
                if self.is_ended {
                    // Section 7.2.3.4: a block may say that it is the last one, and
                    // another may follow.
                    machine.reset(false);
                } else if made < most {
                    return if piece.is_empty() { Ok(()) } else { Err(Unpacked::Broken) };
                }
            }
            Ok(())
        })
    }

    /// Ends the message.
    pub(crate) fn finish(mut self, message: &mut Vec<u8>, limit: usize) -> Result<(), Unpacked> {
        if self.is_ended {
            return Ok(());
        }
        // Some leave the tail where it is. No message without it ends so: the three bits
        // before it are zero, and so is the rest of their byte.
        let ending = if self.last == TAIL { &ENDING[TAIL.len()..] } else { &ENDING };
        self.unpack(ending, message, limit)?;
        if self.is_ended { Ok(()) } else { Err(Unpacked::Broken) }
    }
}

impl Drop for Unpacker {
    fn drop(&mut self) {
        if let Some(mut machine) = self.machine.take() {
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
mod tests;

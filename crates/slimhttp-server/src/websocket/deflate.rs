//! `permessage-deflate` (RFC 7692): messages compressed and decompressed, a piece at a
//! time, so that no piece is much work. Pure: no socket and no clock. Called by `encoder` and
//! `decoder`, on the I/O thread of the connection, whose zlib streams are used in turn.
//!
//! Every piece is compressed by itself, so that a client that takes its time keeps no
//! stream from the others: a thread has one for compressing. The stream that decompresses a
//! message belongs to it from its first byte to its last, for the client may refer back in it.
//!
//! Both kinds of stream keep zlib's contract, which is what the loops below rely on: a
//! call goes on until it has no input left or no room for output left, and a flush that is
//! given more room until some of it is left over has written everything.

use std::cell::RefCell;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// What ends a piece that was flushed: an empty stored block. At the end of a
/// message it is left out (section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// What a message is ended with: that block, and an empty one that says it is the
/// last. It is only found where another block may begin, so a message that stops
/// within one is not taken for a whole one.
const ENDING: [u8; 6] = [0, 0, 0xff, 0xff, 0x03, 0x00];

/// The level of compression. The level below writes fixed codes only, by which what
/// does not repeat itself becomes longer.
const LEVEL: u32 = 2;

/// Streams for decompressing that one thread keeps while no message needs them.
const MAX_IDLE_STREAMS: usize = 4;

/// Room that is given for output at a time. More than six bytes, so that a flush that
/// just fits is not made twice (zlib.h, `deflate`).
const OUTPUT_LEN: usize = 16 * 1024;

thread_local! {
    static COMPRESSOR: RefCell<Compress> =
        RefCell::new(Compress::new(Compression::new(LEVEL), false));
    static IDLE_STREAMS: RefCell<Vec<Decompress>> = const { RefCell::new(Vec::new()) };
    static OUTPUT: RefCell<Vec<u8>> = RefCell::new(vec![0; OUTPUT_LEN]);
}

/// Appends `piece`, compressed. `is_last` ends the message; further pieces may
/// follow one that does not.
pub(crate) fn compress(piece: &[u8], is_last: bool, compressed: &mut Vec<u8>) {
    COMPRESSOR.with_borrow_mut(|stream| {
        stream.reset();
        let mut rest = piece;
        loop {
            compressed.reserve(OUTPUT_LEN);
            let before = stream.total_in();
            stream
                .compress_vec(rest, compressed, FlushCompress::Sync)
                .expect("a stream that is not finished takes more");
            rest = &rest[count(before, stream.total_in(), rest)..];
            if rest.is_empty() && compressed.len() < compressed.capacity() {
                break;
            }
        }
    });
    if is_last && compressed.ends_with(&TAIL) {
        compressed.truncate(compressed.len() - TAIL.len());
    }
}

/// How much of a buffer a stream has used, by its counts before and after.
fn count(before: u64, after: u64, buffer: &[u8]) -> usize {
    // No more than there was, so it is a `usize`.
    usize::try_from(after - before).unwrap_or(buffer.len())
}

/// Why a message cannot be decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DecompressError {
    /// It is longer than it may be.
    TooLong,
    /// It is no DEFLATE, or refers to what was before it.
    Corrupt,
}

/// Decompresses one message.
pub(crate) struct Decompressor {
    stream: Option<Decompress>,
    /// Whether nothing has come since a block that said it is the last one, or
    /// nothing at all.
    is_ended: bool,
    /// The last four bytes.
    last: [u8; 4],
}

impl Decompressor {
    pub(crate) fn new() -> Self {
        let idle = IDLE_STREAMS.with_borrow_mut(Vec::pop);
        let stream = idle.unwrap_or_else(|| Decompress::new(false));
        Self { stream: Some(stream), is_ended: true, last: [1; 4] }
    }

    /// Appends what `piece` comes to, as long as the whole is no longer than
    /// `limit`: a little that inflates to very much is found out here. The work is
    /// bounded by `limit`, and by a thousandfold of `piece`.
    pub(crate) fn decompress(
        &mut self,
        mut piece: &[u8],
        message: &mut Vec<u8>,
        limit: usize,
    ) -> Result<(), DecompressError> {
        let Some(stream) = &mut self.stream else { return Err(DecompressError::Corrupt) };
        let latest = &piece[piece.len().saturating_sub(4)..];
        self.last.rotate_left(latest.len());
        self.last[4 - latest.len()..].copy_from_slice(latest);
        OUTPUT.with_borrow_mut(|output| {
            while !(piece.is_empty() && self.is_ended) {
                // One byte more than is allowed shows that there is more.
                let max_output = output.len().min(limit - message.len() + 1);
                let (consumed_before, written_before) = (stream.total_in(), stream.total_out());
                let status = stream
                    .decompress(piece, &mut output[..max_output], FlushDecompress::None)
                    .map_err(|_| DecompressError::Corrupt)?;
                piece = &piece[count(consumed_before, stream.total_in(), piece)..];
                let written = count(written_before, stream.total_out(), &output[..max_output]);
                message.extend_from_slice(&output[..written]);
                if message.len() > limit {
                    return Err(DecompressError::TooLong);
                }
                self.is_ended = status == Status::StreamEnd;
                if self.is_ended {
                    // Section 7.2.3.4: a block may say that it is the last one, and
                    // another may follow.
                    stream.reset(false);
                } else if written < max_output {
                    return if piece.is_empty() { Ok(()) } else { Err(DecompressError::Corrupt) };
                }
            }
            Ok(())
        })
    }

    /// Ends the message.
    pub(crate) fn finish(
        mut self,
        message: &mut Vec<u8>,
        limit: usize,
    ) -> Result<(), DecompressError> {
        if self.is_ended {
            return Ok(());
        }
        // Some leave the tail where it is. No message without it ends so: the three bits
        // before it are zero, and so is the rest of their byte.
        let ending = if self.last == TAIL { &ENDING[TAIL.len()..] } else { &ENDING };
        self.decompress(ending, message, limit)?;
        if self.is_ended { Ok(()) } else { Err(DecompressError::Corrupt) }
    }
}

impl Drop for Decompressor {
    fn drop(&mut self) {
        if let Some(mut stream) = self.stream.take() {
            IDLE_STREAMS.with_borrow_mut(|idle| {
                if idle.len() < MAX_IDLE_STREAMS {
                    stream.reset(false);
                    idle.push(stream);
                }
            });
        }
    }
}

#[cfg(test)]
mod tests;

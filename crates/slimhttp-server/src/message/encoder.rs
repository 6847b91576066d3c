//! A content as it is put in a coding, a piece at a time, and how many contents are at once.
//! Used on I/O threads: a piece is so much work as its caller gives, and what an encoder
//! needs in memory is bounded by small windows. Files are compressed elsewhere
//! (`files/compress.rs`), on the blocking pool, and with more effort.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use brotli::CompressorWriter;
use brotli::enc::BrotliEncoderParams;
use flate2::Compression;
use flate2::write::GzEncoder;
use slimhttp_site::coding::Coding;

/// The level of gzip: of those above, each costs half as much again and saves a hundredth.
const GZIP_LEVEL: u32 = 5;

/// The quality of brotli: the next one takes thirty times as long for a short content.
const BROTLI_QUALITY: i32 = 4;

/// The window of brotli as a power of two: an encoder takes about a megabyte.
const BROTLI_WINDOW: i32 = 16;

/// What the writer of brotli holds of what it has made: all of it goes on at once.
const BROTLI_BUFFER: usize = 4096;

const ZSTD_LEVEL: i32 = 3;

/// The window of zstd as a power of two: an encoder takes about a megabyte.
const ZSTD_WINDOW: u32 = 17;

/// One content that is put in a coding.
pub(crate) enum Encoder {
    Gzip(GzEncoder<Vec<u8>>),
    Brotli(Box<CompressorWriter<Vec<u8>>>),
    Zstd(zstd::Encoder<'static, Vec<u8>>),
}

impl Encoder {
    /// An encoder for a content of this length, where that is known to be short.
    ///
    /// # Errors
    /// There is no memory for it.
    pub(crate) fn new(coding: Coding, length: Option<usize>) -> io::Result<Self> {
        Ok(match coding {
            Coding::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL))),
            Coding::Brotli => {
                let parameters = BrotliEncoderParams {
                    quality: BROTLI_QUALITY,
                    lgwin: BROTLI_WINDOW,
                    size_hint: length.unwrap_or(0),
                    ..Default::default()
                };
                let writer = CompressorWriter::with_params(Vec::new(), BROTLI_BUFFER, &parameters);
                Self::Brotli(Box::new(writer))
            }
            Coding::Zstd => {
                let mut encoder = zstd::Encoder::new(Vec::new(), ZSTD_LEVEL)?;
                encoder.window_log(ZSTD_WINDOW)?;
                // With it the encoder takes no more room than it needs.
                encoder.set_pledged_src_size(length.map(|length| length as u64))?;
                Self::Zstd(encoder)
            }
        })
    }

    /// Takes in a piece of the content.
    ///
    /// # Errors
    /// As the library.
    pub(crate) fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        self.writer().write_all(piece)
    }

    /// Lets all that was taken in be read from what comes out.
    ///
    /// # Errors
    /// As the library.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.writer().flush()
    }

    /// What has come out since.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(match self {
            Self::Gzip(encoder) => encoder.get_mut(),
            Self::Brotli(encoder) => encoder.get_mut(),
            Self::Zstd(encoder) => encoder.get_mut(),
        })
    }

    /// The end: what comes out still. Nothing is taken in any more.
    ///
    /// # Errors
    /// As the library.
    pub(crate) fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(encoder) => encoder.finish(),
            Self::Brotli(encoder) => Ok(encoder.into_inner()),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }

    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Gzip(encoder) => encoder,
            Self::Brotli(encoder) => encoder,
            Self::Zstd(encoder) => encoder,
        }
    }
}

/// A short content in a coding, as a whole.
///
/// # Errors
/// As the library.
pub(crate) fn encode(coding: Coding, content: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = Encoder::new(coding, Some(content.len()))?;
    encoder.write(content)?;
    encoder.finish()
}

/// How many contents are put in a coding piece by piece, of one server: each has an encoder for
/// as long as its client takes to read it. Counted on any thread.
#[derive(Debug, Default)]
pub(crate) struct EncoderCount(AtomicUsize);

impl EncoderCount {
    /// A place among `most`, until it is dropped.
    pub(crate) fn acquire(self: &Arc<Self>, most: usize) -> Option<EncoderPermit> {
        let more = |count| (count < most).then_some(count + 1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(EncoderPermit(self.clone()))
    }
}

/// The place of one encoder.
#[derive(Debug)]
pub(crate) struct EncoderPermit(Arc<EncoderCount>);

impl Drop for EncoderPermit {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;

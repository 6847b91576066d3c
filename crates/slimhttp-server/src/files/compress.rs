//! Contents in a coding: the three encoders, and how many of them work at once.

use std::io::{self, Write};
use std::sync::Arc;

use brotli::enc::BrotliEncoderParams;
use bytes::Bytes;
use slimhttp_site::coding::Coding;
use slimhttp_site::conditions::ETag;
use tokio::sync::{Semaphore, SemaphorePermit};

/// How hard each encoder tries. Its work is kept, so it pays to try harder than
/// a server that compresses each answer anew; the highest levels are for those
/// who put compressed files beside the files.
const BROTLI_QUALITY: i32 = 6;
const ZSTD_LEVEL: i32 = 9;
const GZIP_LEVEL: u32 = 6;

/// The window of brotli as a power of two: 4 MiB, what every decoder takes.
const BROTLI_WINDOW: i32 = 22;

/// Requests that wait for each encoder at once; more are answered uncompressed.
const WAITING: usize = 8;

/// What came of compressing a content.
#[derive(Debug)]
pub(super) struct Coded {
    /// The compressed bytes; `None` where they are not fewer.
    pub(super) bytes: Option<Bytes>,
    /// Their tag.
    pub(super) etag: ETag,
}

impl Coded {
    /// Bytes.
    pub(super) fn length(&self) -> u64 {
        self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)
    }
}

/// The encoders of one server: half as many as processors, at least one.
pub(super) struct Compressor {
    /// Who may wait or work.
    room: Semaphore,
    /// Who may work.
    encoders: Semaphore,
}

impl Compressor {
    pub(super) fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let encoders = (processors / 2).max(1);
        Self { room: Semaphore::new(encoders * (1 + WAITING)), encoders: Semaphore::new(encoders) }
    }

    /// A place among those who wait, unless too many do.
    pub(super) fn enter(&self) -> Option<SemaphorePermit<'_>> {
        self.room.try_acquire().ok()
    }

    /// Compresses on the blocking pool, when an encoder is free.
    pub(super) async fn compress(
        &self,
        coding: Coding,
        bytes: Bytes,
        etag: ETag,
    ) -> Option<Arc<Coded>> {
        let _encoder = self.encoders.acquire().await.ok()?;
        let work = tokio::task::spawn_blocking(move || {
            let coded = encode(coding, &bytes)?;
            let bytes = (coded.len() < bytes.len()).then(|| coded.into());
            io::Result::Ok(Coded { bytes, etag })
        });
        match work.await {
            Ok(Ok(coded)) => Some(Arc::new(coded)),
            Ok(Err(error)) => {
                tracing::error!("a file could not be compressed: {error}");
                None
            }
            // The server ends.
            Err(_) => None,
        }
    }
}

/// `bytes` in a coding.
fn encode(coding: Coding, bytes: &[u8]) -> io::Result<Vec<u8>> {
    // What is longer is of no use, so this much is enough.
    let mut coded = Vec::with_capacity(bytes.len() / 3);
    match coding {
        Coding::Brotli => {
            let parameters = BrotliEncoderParams {
                quality: BROTLI_QUALITY,
                lgwin: BROTLI_WINDOW,
                size_hint: bytes.len(),
                ..Default::default()
            };
            brotli::BrotliCompress(&mut &*bytes, &mut coded, &parameters)?;
        }
        Coding::Zstd => {
            // The length goes into the frame, and bounds the decoder's window
            // (RFC 9659 allows 8 MiB).
            let mut encoder = zstd::Encoder::new(&mut coded, ZSTD_LEVEL)?;
            encoder.set_pledged_src_size(Some(bytes.len() as u64))?;
            encoder.include_contentsize(true)?;
            encoder.write_all(bytes)?;
            encoder.finish()?;
        }
        Coding::Gzip => {
            let level = flate2::Compression::new(GZIP_LEVEL);
            let mut encoder = flate2::write::GzEncoder::new(&mut coded, level);
            encoder.write_all(bytes)?;
            encoder.finish()?;
        }
    }
    coded.shrink_to_fit();
    Ok(coded)
}

#[cfg(test)]
mod tests;

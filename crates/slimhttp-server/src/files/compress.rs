//! Contents in a coding: the three encoders, and how many of them work at once.

use std::io::{self, Write};
use std::sync::Arc;

use brotli::enc::BrotliEncoderParams;
use bytes::Bytes;
use slimhttp_site::coding::Coding;
use slimhttp_site::conditions::ETag;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How hard an encoder tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effort {
    /// Its work is kept, so it pays to try harder than a server that compresses
    /// each answer anew; the highest levels are for those who put compressed files
    /// beside the files.
    CachedFile,
    /// It is soon made anew.
    Passing,
}

impl Effort {
    fn brotli_quality(self) -> i32 {
        if self == Self::CachedFile { 6 } else { 4 }
    }

    fn zstd_level(self) -> i32 {
        if self == Self::CachedFile { 9 } else { 3 }
    }

    fn gzip_level(self) -> u32 {
        if self == Self::CachedFile { 6 } else { 2 }
    }
}

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
    room: Arc<Semaphore>,
    /// Who may work.
    encoders: Arc<Semaphore>,
}

impl Compressor {
    pub(super) fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let encoders = (processors / 2).max(1);
        Self {
            room: Arc::new(Semaphore::new(encoders * (1 + WAITING))),
            encoders: Arc::new(Semaphore::new(encoders)),
        }
    }

    /// A place among those who wait, unless too many do.
    pub(super) fn enter(&self) -> Option<OwnedSemaphorePermit> {
        self.room.clone().try_acquire_owned().ok()
    }

    /// Compresses on the blocking pool, when an encoder is free; only then is the
    /// content fetched, so that few are in memory at once. The permits belong to
    /// the work: it goes on when whoever asked for it has left.
    pub(super) async fn compress(
        &self,
        room: OwnedSemaphorePermit,
        (coding, effort): (Coding, Effort),
        content: impl Future<Output = Option<Bytes>>,
        etag: ETag,
    ) -> Option<Arc<Coded>> {
        let encoder = self.encoders.clone().acquire_owned().await.ok()?;
        let bytes = content.await?;
        let work = tokio::task::spawn_blocking(move || {
            let _permits = (room, encoder);
            let coded = encode(coding, &bytes, effort)?;
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
///
/// # Errors
/// As the encoder.
pub(super) fn encode(coding: Coding, bytes: &[u8], effort: Effort) -> io::Result<Vec<u8>> {
    // What is longer is of no use, so this much is enough.
    let mut coded = Vec::with_capacity(bytes.len() / 3);
    match coding {
        Coding::Brotli => {
            let parameters = BrotliEncoderParams {
                quality: effort.brotli_quality(),
                lgwin: BROTLI_WINDOW,
                size_hint: bytes.len(),
                ..Default::default()
            };
            brotli::BrotliCompress(&mut &*bytes, &mut coded, &parameters)?;
        }
        Coding::Zstd => {
            // The length goes into the frame, and bounds the decoder's window
            // (RFC 9659 allows 8 MiB).
            let mut encoder = zstd::Encoder::new(&mut coded, effort.zstd_level())?;
            encoder.set_pledged_src_size(Some(bytes.len() as u64))?;
            encoder.include_contentsize(true)?;
            encoder.write_all(bytes)?;
            encoder.finish()?;
        }
        Coding::Gzip => {
            let level = flate2::Compression::new(effort.gzip_level());
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

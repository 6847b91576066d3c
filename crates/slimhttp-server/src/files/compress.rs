//! Contents in a coding: the three encoders, and how many of them work at once. They work on
//! the blocking pool; who waits for one is a request on its I/O thread, or a task that goes on
//! when the client has left.

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
    /// Its work is cached, so it pays to try harder than a server that compresses
    /// each answer anew; the highest levels are for those who put compressed files
    /// beside the files.
    Cached,
    /// It is soon made anew.
    Transient,
}

impl Effort {
    fn brotli_quality(self) -> i32 {
        if self == Self::Cached { 6 } else { 4 }
    }

    fn zstd_level(self) -> i32 {
        if self == Self::Cached { 9 } else { 3 }
    }

    fn gzip_level(self) -> u32 {
        if self == Self::Cached { 6 } else { 2 }
    }
}

/// The window of brotli as a power of two: 4 MiB, what every decoder takes.
const BROTLI_WINDOW: i32 = 22;

/// Requests that wait for each encoder at once; more are answered uncompressed.
const MAX_WAITING: usize = 8;

/// What came of compressing a content.
#[derive(Debug)]
pub(super) struct Encoded {
    /// The compressed bytes; `None` where they are not fewer.
    pub(super) bytes: Option<Bytes>,
    /// Their tag.
    pub(super) etag: ETag,
}

impl Encoded {
    /// Bytes.
    pub(super) fn length(&self) -> u64 {
        self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)
    }
}

/// The encoders of one server: half as many as processors, at least one.
pub(super) struct Compressor {
    /// Who may wait or work.
    queue: Arc<Semaphore>,
    /// Who may work.
    encoders: Arc<Semaphore>,
}

impl Compressor {
    pub(super) fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let encoders = (processors / 2).max(1);
        Self {
            queue: Arc::new(Semaphore::new(encoders * (1 + MAX_WAITING))),
            encoders: Arc::new(Semaphore::new(encoders)),
        }
    }

    /// A place among those who wait, unless too many do.
    pub(super) fn reserve(&self) -> Option<OwnedSemaphorePermit> {
        self.queue.clone().try_acquire_owned().ok()
    }

    /// Compresses on the blocking pool, when an encoder is free; only then is the
    /// content fetched, so that few are in memory at once. The permits belong to
    /// the work: it goes on when whoever waited for it has left.
    pub(super) async fn compress(
        &self,
        reserved: OwnedSemaphorePermit,
        (coding, effort): (Coding, Effort),
        content: impl Future<Output = Option<Bytes>>,
        etag: ETag,
    ) -> Option<Arc<Encoded>> {
        let encoder = self.encoders.clone().acquire_owned().await.ok()?;
        let bytes = content.await?;
        let work = tokio::task::spawn_blocking(move || {
            let _permits = (reserved, encoder);
            let encoded = encode(coding, &bytes, effort)?;
            let bytes = (encoded.len() < bytes.len()).then(|| encoded.into());
            io::Result::Ok(Encoded { bytes, etag })
        });
        match work.await {
            Ok(Ok(encoded)) => Some(Arc::new(encoded)),
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
    let mut encoded = Vec::with_capacity(bytes.len() / 3);
    match coding {
        Coding::Brotli => {
            let parameters = BrotliEncoderParams {
                quality: effort.brotli_quality(),
                lgwin: BROTLI_WINDOW,
                size_hint: bytes.len(),
                ..Default::default()
            };
            brotli::BrotliCompress(&mut &*bytes, &mut encoded, &parameters)?;
        }
        Coding::Zstd => {
            // The length goes into the frame, and bounds the decoder's window
            // (RFC 9659 allows 8 MiB).
            let mut encoder = zstd::Encoder::new(&mut encoded, effort.zstd_level())?;
            encoder.set_pledged_src_size(Some(bytes.len() as u64))?;
            encoder.include_contentsize(true)?;
            encoder.write_all(bytes)?;
            encoder.finish()?;
        }
        Coding::Gzip => {
            let level = flate2::Compression::new(effort.gzip_level());
            let mut encoder = flate2::write::GzEncoder::new(&mut encoded, level);
            encoder.write_all(bytes)?;
            encoder.finish()?;
        }
    }
    encoded.shrink_to_fit();
    Ok(encoded)
}

#[cfg(test)]
mod tests;

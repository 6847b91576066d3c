//! The listings of a server: made on the blocking pool by a few at once, once for
//! all who ask at the same time, and cached for a short while. Shared by the I/O threads; no
//! lock is held while one is made, and what a client that leaves has begun is dropped with it.
//!
//! To list a folder of ten thousand entries takes tens of milliseconds and some
//! megabytes, for a request of a few bytes. So what has been made counts as fresh for
//! ten times as long as it took, and takes a tenth of a processor at most
//! however often it is requested; and all listings together, cached or on their way
//! to clients that do not take them, have a bound in bytes.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use slimhttp_site::coding::Coding;
use slimhttp_site::file_rules::FileRules;
use slimhttp_site::path::SafePath;
use tokio::sync::Semaphore;

use crate::files::compress::{Effort, encode};
use crate::files::listing::{CodingChoice, EncodedListing, ListingFormat, RenderedListing};
use crate::fs::file_id::FileId;
use crate::fs::root::Opened;
use crate::sys::memory::{Budget, Share};

/// How many times as long as it took to make a listing is it fresh.
const FRESH_FACTOR: u32 = 10;

/// The longest that a listing is fresh: the sizes of files change without a
/// sign at their folder.
const MAX_FRESH: Duration = Duration::from_secs(1);

/// Requests that wait for each maker at once; more are answered 503.
const MAX_WAITING: usize = 32;

/// What a listing takes beside its bytes and its key.
const OVERHEAD: u64 = 512;

/// The listings of one server.
pub(super) struct ListingCache {
    table: Cache<Key, Arc<CachedListing>, CountBytes>,
    /// What all of them take, and may take.
    budget: Arc<Budget>,
    most: AtomicU64,
    /// Who may wait or make.
    queue: Arc<Semaphore>,
    /// Who may make: half as many as processors, at least one.
    makers: Arc<Semaphore>,
}

/// A listing that a request wants.
pub(super) struct ListingRequest {
    key: Key,
    choice: CodingChoice,
    identity: FileId,
    rules: Weak<FileRules>,
    /// Whether one that was made before may be given.
    pub(super) may_reuse: bool,
}

/// Why there is no listing.
#[derive(Debug)]
pub(super) enum ListingError {
    /// Too many are being made, or taken.
    Busy,
    /// The folder could not be read.
    Failed(io::Error),
}

/// What a listing is found by.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    /// The root, the path below it, the path to which that leads and the path of
    /// the URL, parted by NUL.
    places: Box<[u8]>,
    format: ListingFormat,
    coding: Option<Coding>,
    /// Whether scripts are run, and so listed.
    runs: bool,
    /// The address of the rules: whether they are still there is known by the
    /// listing itself.
    rules: usize,
}

struct CachedListing {
    page: EncodedListing,
    /// Of the folder, as it was before it was read.
    identity: FileId,
    rules: Weak<FileRules>,
    started: Instant,
    finished: Instant,
    fresh_for: Duration,
}

#[derive(Clone)]
struct CountBytes;

impl Weighter<Key, Arc<CachedListing>> for CountBytes {
    fn weight(&self, key: &Key, listed: &Arc<CachedListing>) -> u64 {
        OVERHEAD + key.places.len() as u64 + listed.page.length()
    }
}

impl ListingRequest {
    /// The listing of the opened folder at `path` below `root`, as the URL path
    /// `url`.
    pub(super) fn new(
        (root, path): (&Path, &SafePath),
        opened: &Opened,
        url: &[u8],
        (format, choice): (ListingFormat, CodingChoice),
        rules: &Arc<FileRules>,
        runs: bool,
    ) -> Self {
        let real_name = opened.real_name.as_ref().map_or(&b""[..], SafePath::as_bytes);
        let root = root.as_os_str().as_encoded_bytes();
        let places = [root, path.as_bytes(), real_name, url].join(&0).into();
        let address = Arc::as_ptr(rules).addr();
        Self {
            key: Key { places, format, coding: choice.coding, runs, rules: address },
            choice,
            identity: opened.facts.identity(),
            rules: Arc::downgrade(rules),
            may_reuse: rules.cache.is_some_and(|cache| !cache.revalidate.is_zero()),
        }
    }
}

impl CachedListing {
    /// Whether it is of the same folder, unchanged, under the same rules.
    fn is_of(&self, request: &ListingRequest) -> bool {
        self.identity == request.identity && self.rules.ptr_eq(&request.rules)
    }

    /// Whether it was started later than that, under the same rules.
    fn is_since(&self, moment: Instant, request: &ListingRequest) -> bool {
        self.started >= moment && self.rules.ptr_eq(&request.rules)
    }

    fn is_fresh(&self) -> bool {
        self.finished.elapsed() < self.fresh_for
    }
}

impl ListingCache {
    /// None yet, of up to `size` bytes in all.
    pub(super) fn new(size: u64) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let makers = (processors / 2).max(1);
        let options = OptionsBuilder::new()
            // A shard holds nothing longer than itself.
            .shards(1)
            .estimated_items_capacity(64)
            .weight_capacity(size / 2)
            .build()
            .expect("both capacities are given");
        let hashes = DefaultHashBuilder::default();
        Self {
            table: Cache::with_options(options, CountBytes, hashes, DefaultLifecycle::default()),
            budget: Arc::default(),
            most: AtomicU64::new(size),
            queue: Arc::new(Semaphore::new(makers * (1 + MAX_WAITING))),
            makers: Arc::new(Semaphore::new(makers)),
        }
    }

    /// From now on they may take up to `size` bytes.
    pub(super) fn resize(&self, size: u64) {
        if self.most.swap(size, Ordering::Relaxed) != size {
            self.table.set_capacity(size / 2);
        }
    }

    /// The listing that is wanted, from before or by `make`.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn get_or_make(
        &self,
        request: ListingRequest,
        make: impl FnOnce() -> io::Result<RenderedListing> + Send + 'static,
    ) -> Result<EncodedListing, ListingError> {
        let arrived = Instant::now();
        let mut before = self.table.get(&request.key);
        if let Some(listed) = &before
            && request.may_reuse
            && listed.is_fresh()
            && listed.is_of(&request)
        {
            return Ok(listed.page.clone());
        }
        loop {
            if let Some(listed) = &before {
                self.table.remove_if(&request.key, |held| Arc::ptr_eq(held, listed));
            }
            // Who waits here holds no lock; if the maker leaves, the next one makes.
            match self.table.get_value_or_guard_async(&request.key).await {
                Ok(listed)
                    if listed.is_since(arrived, &request)
                        || request.may_reuse && listed.is_of(&request) =>
                {
                    return Ok(listed.page.clone());
                }
                // It was started before, and the folder may have changed since. The
                // next one is started later, by whomever.
                Ok(listed) => before = Some(listed),
                Err(guard) => {
                    let listed = self.make(&request, before.as_deref(), make).await?;
                    // It fails where the entry was removed meanwhile: then it is not
                    // cached.
                    let _ = guard.insert(listed.clone());
                    return Ok(listed.page.clone());
                }
            }
        }
    }

    /// Makes a listing. One that says what the one `before` said shares its bytes,
    /// so that clients which take them slowly hold them once.
    async fn make(
        &self,
        request: &ListingRequest,
        before: Option<&CachedListing>,
        make: impl FnOnce() -> io::Result<RenderedListing> + Send + 'static,
    ) -> Result<Arc<CachedListing>, ListingError> {
        let reserved = self.queue.clone().try_acquire_owned().map_err(|_| ListingError::Busy)?;
        let maker = self.makers.clone().acquire_owned().await.map_err(|_| ListingError::Busy)?;
        let choice = request.choice;
        let work = tokio::task::spawn_blocking(move || {
            let _permits = (reserved, maker);
            let started = Instant::now();
            let text = make()?;
            let encoded = match choice.of_length(text.bytes.len()) {
                Some(coding) => Some((coding, encode(coding, &text.bytes, Effort::Transient)?)),
                None => None,
            };
            io::Result::Ok((encoded, text, started))
        });
        let made = work.await.map_err(io::Error::from).and_then(|made| made);
        let (encoded, text, started) = made.map_err(ListingError::Failed)?;
        let (coding, etag, bytes) = match encoded {
            Some((coding, encoded)) if encoded.len() < text.bytes.len() => {
                (Some(coding), text.etag.in_coding(coding), encoded)
            }
            _ => (None, text.etag, text.bytes),
        };
        let same = before.filter(|before| *before.page.etag() == etag);
        let page = match same {
            Some(before) => before.page.clone(),
            None => EncodedListing::new(request.key.format, etag, coding, self.counted(bytes)?),
        };
        let finished = Instant::now();
        Ok(Arc::new(CachedListing {
            page,
            identity: request.identity,
            rules: request.rules.clone(),
            started,
            finished,
            fresh_for: fresh_for(finished - started),
        }))
    }

    /// Bytes that count as long as anybody holds them. Those that are only cached
    /// make room for others.
    fn counted(&self, mut bytes: Vec<u8>) -> Result<Bytes, ListingError> {
        bytes.shrink_to_fit();
        let (length, most) = (bytes.len() as u64, self.most.load(Ordering::Relaxed));
        let mut share = Share::new(self.budget.clone());
        let grown = share.grow(length, most).or_else(|_| {
            self.table.clear();
            share.grow(length, most)
        });
        grown.map_err(|_| ListingError::Busy)?;
        Ok(share.of(bytes))
    }
}

/// How long a listing is fresh that took so long to make.
fn fresh_for(took: Duration) -> Duration {
    (took * FRESH_FACTOR).min(MAX_FRESH)
}

#[cfg(test)]
mod tests;

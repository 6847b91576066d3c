//! The listings of a server: made on the blocking pool by a few at once, once for
//! all who ask at the same time, and kept for a short while.
//!
//! To list a folder of ten thousand entries takes tens of milliseconds and some
//! megabytes, for a request of a few bytes. So what has been made is believed for
//! ten times as long as it took, and so takes a tenth of a processor at most
//! however often it is asked for; and all listings together, kept or on their way
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
use crate::files::listing::{Coded, Form, Page, Text};
use crate::fs::file_id::FileId;
use crate::fs::root::Opened;
use crate::sys::memory::{Budget, Share};

#[cfg(test)]
mod tests;

/// How many times as long as it took to make is a listing believed.
const BELIEVED: u32 = 10;

/// The longest that a listing is believed: the sizes of files change without a
/// sign at their folder.
const LONGEST: Duration = Duration::from_secs(1);

/// Requests that wait for each maker at once; more are answered 503.
const WAITING: usize = 32;

/// What a listing takes beside its bytes and its key.
const OVERHEAD: u64 = 512;

/// The listings of one server.
pub(super) struct Listings {
    table: Cache<Key, Arc<Listed>, CountBytes>,
    /// What all of them take, and may take.
    budget: Arc<Budget>,
    most: AtomicU64,
    /// Who may wait or make.
    room: Arc<Semaphore>,
    /// Who may make: half as many as processors, at least one.
    makers: Arc<Semaphore>,
}

/// A listing that is asked for.
pub(super) struct Wanted {
    key: Key,
    coded: Coded,
    identity: FileId,
    rules: Weak<FileRules>,
    /// Whether one that was made before may be given.
    pub(super) kept: bool,
}

/// Why there is no listing.
#[derive(Debug)]
pub(super) enum Unlisted {
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
    form: Form,
    coding: Option<Coding>,
    /// Whether scripts are run, and so listed.
    runs: bool,
    /// The address of the rules: whether they are still there is asked of the
    /// listing itself.
    rules: usize,
}

struct Listed {
    page: Page,
    /// Of the folder, as it was before it was read.
    identity: FileId,
    rules: Weak<FileRules>,
    begun: Instant,
    made: Instant,
    believed: Duration,
}

#[derive(Clone)]
struct CountBytes;

impl Weighter<Key, Arc<Listed>> for CountBytes {
    fn weight(&self, key: &Key, listed: &Arc<Listed>) -> u64 {
        OVERHEAD + key.places.len() as u64 + listed.page.length()
    }
}

impl Wanted {
    /// The listing of the opened folder at `path` below `root`, as the URL path
    /// `url`.
    pub(super) fn new(
        (root, path): (&Path, &SafePath),
        opened: &Opened,
        url: &[u8],
        (form, coded): (Form, Coded),
        rules: &Arc<FileRules>,
        runs: bool,
    ) -> Self {
        let real_name = opened.real_name.as_ref().map_or(&b""[..], SafePath::as_bytes);
        let root = root.as_os_str().as_encoded_bytes();
        let places = [root, path.as_bytes(), real_name, url].join(&0).into();
        let address = Arc::as_ptr(rules).addr();
        Self {
            key: Key { places, form, coding: coded.coding, runs, rules: address },
            coded,
            identity: opened.facts.identity(),
            rules: Arc::downgrade(rules),
            kept: rules.cache.is_some_and(|cache| !cache.revalidate.is_zero()),
        }
    }
}

impl Listed {
    /// Whether it is of the same folder, unchanged, under the same rules.
    fn is_of(&self, wanted: &Wanted) -> bool {
        self.identity == wanted.identity && self.rules.ptr_eq(&wanted.rules)
    }

    /// Whether it was begun later than that, under the same rules.
    fn is_since(&self, moment: Instant, wanted: &Wanted) -> bool {
        self.begun >= moment && self.rules.ptr_eq(&wanted.rules)
    }

    fn is_believed(&self) -> bool {
        self.made.elapsed() < self.believed
    }
}

impl Listings {
    /// None yet, of up to `size` bytes in all.
    pub(super) fn new(size: u64) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let makers = (processors / 2).max(1);
        let options = OptionsBuilder::new()
            // A part keeps nothing longer than itself.
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
            room: Arc::new(Semaphore::new(makers * (1 + WAITING))),
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
    pub(super) async fn page(
        &self,
        wanted: Wanted,
        make: impl FnOnce() -> io::Result<Text> + Send + 'static,
    ) -> Result<Page, Unlisted> {
        let arrived = Instant::now();
        let mut before = self.table.get(&wanted.key);
        if let Some(listed) = &before
            && wanted.kept
            && listed.is_believed()
            && listed.is_of(&wanted)
        {
            return Ok(listed.page.clone());
        }
        loop {
            if let Some(listed) = &before {
                self.table.remove_if(&wanted.key, |held| Arc::ptr_eq(held, listed));
            }
            // Who waits here holds no lock; if the maker leaves, the next one makes.
            match self.table.get_value_or_guard_async(&wanted.key).await {
                Ok(listed)
                    if listed.is_since(arrived, &wanted)
                        || wanted.kept && listed.is_of(&wanted) =>
                {
                    return Ok(listed.page.clone());
                }
                // It was begun before, and the folder may have changed since. The
                // next one is begun later, by whomever.
                Ok(listed) => before = Some(listed),
                Err(guard) => {
                    let listed = self.make(&wanted, before.as_deref(), make).await?;
                    // It fails where the entry was removed meanwhile: then it is not
                    // kept.
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
        wanted: &Wanted,
        before: Option<&Listed>,
        make: impl FnOnce() -> io::Result<Text> + Send + 'static,
    ) -> Result<Arc<Listed>, Unlisted> {
        let room = self.room.clone().try_acquire_owned().map_err(|_| Unlisted::Busy)?;
        let maker = self.makers.clone().acquire_owned().await.map_err(|_| Unlisted::Busy)?;
        let coded = wanted.coded;
        let work = tokio::task::spawn_blocking(move || {
            let _permits = (room, maker);
            let begun = Instant::now();
            let text = make()?;
            let coded = match coded.of_length(text.bytes.len()) {
                Some(coding) => Some((coding, encode(coding, &text.bytes, Effort::Passing)?)),
                None => None,
            };
            io::Result::Ok((coded, text, begun))
        });
        let made = work.await.map_err(io::Error::from).and_then(|made| made);
        let (coded, text, begun) = made.map_err(Unlisted::Failed)?;
        let (coding, etag, bytes) = match coded {
            Some((coding, coded)) if coded.len() < text.bytes.len() => {
                (Some(coding), text.etag.in_coding(coding), coded)
            }
            _ => (None, text.etag, text.bytes),
        };
        let same = before.filter(|before| *before.page.etag() == etag);
        let page = match same {
            Some(before) => before.page.clone(),
            None => Page::new(wanted.key.form, etag, coding, self.counted(bytes)?),
        };
        let made = Instant::now();
        Ok(Arc::new(Listed {
            page,
            identity: wanted.identity,
            rules: wanted.rules.clone(),
            begun,
            made,
            believed: believed_for(made - begun),
        }))
    }

    /// Bytes that count as long as anybody holds them. Those that are only kept
    /// make room for others.
    fn counted(&self, mut bytes: Vec<u8>) -> Result<Bytes, Unlisted> {
        bytes.shrink_to_fit();
        let (length, most) = (bytes.len() as u64, self.most.load(Ordering::Relaxed));
        let mut share = Share::new(self.budget.clone());
        let grown = share.grow(length, most).or_else(|_| {
            self.table.clear();
            share.grow(length, most)
        });
        grown.map_err(|_| Unlisted::Busy)?;
        Ok(share.of(bytes))
    }
}

/// How long a listing is believed that took so long to make.
fn believed_for(took: Duration) -> Duration {
    (took * BELIEVED).min(LONGEST)
}

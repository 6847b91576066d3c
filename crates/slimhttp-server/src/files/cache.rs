//! Small files in memory: one cache for a server, bounded in bytes, shared by
//! its workers. It holds files by their place, and files in a coding by the
//! content that they were made from.
//!
//! An entry stands for a file as long as the file's identity does; how that is
//! made sure of is said at [`Cache::file`]. The bound counts everything that an
//! entry takes: content, key, fields and the tables around it.
//!
//! Files that are asked for once do not push out those that are asked for often
//! (`quick_cache` keeps them in an order of the kind of Clock-PRO and S3-FIFO).

use std::ffi::CStr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use quick_cache::sync::{self, DefaultLifecycle, GuardResult};
use quick_cache::{DefaultHashBuilder, Equivalent, OptionsBuilder, Weighter};
use slimhttp_site::coding::Coding;
use slimhttp_site::file_rules::FollowSymlinks;
use slimhttp_site::path::SafePath;
use smallvec::SmallVec;

use crate::files::cached_file::CachedFile;
use crate::files::compress::Coded;
use crate::fs::file_id::{Facts, FileId};

/// For how long a file is taken to lie below its root. A look at its place shows
/// every change of the file itself; that a folder above it was moved out of the
/// root and a link put in its stead shows only when it is opened once more.
const OPENED: Duration = Duration::from_secs(10);

/// The least number of bytes that one part of the cache holds: each part has
/// its own lock, and keeps nothing longer than itself.
const PART: u64 = 16 << 20;

/// What an entry takes beside its key and its content, in bytes: the entry
/// itself with its counts, the texts of its fields, its slot in the table, and
/// what the allocator adds and rounds up for each of them.
const OVERHEAD: u64 = 896;

/// The length of a usual file, for the first size of the tables.
const USUAL: u64 = 8 << 10;

/// Where a file is looked for: a root, a path below it, and how links on the way
/// are taken. Holds the whole path as the system takes it, without an allocation
/// for all but long ones.
pub(super) struct Place {
    /// The root, the path, and a NUL.
    text: SmallVec<[u8; 256]>,
    root: usize,
    links: FollowSymlinks,
    /// The coding that a file beside the one asked for is in.
    coding: Option<Coding>,
}

impl Place {
    /// The place of `path` below `root`, or with a coding that of the file
    /// beside it whose name ends with the extension of the coding too.
    pub(super) fn new(
        root: &Path,
        path: &SafePath,
        coding: Option<Coding>,
        links: FollowSymlinks,
    ) -> Self {
        let mut text = SmallVec::new();
        let root = root.as_os_str().as_encoded_bytes();
        text.extend_from_slice(root);
        text.push(b'/');
        text.extend_from_slice(path.as_path().as_os_str().as_encoded_bytes());
        if let Some(coding) = coding {
            text.push(b'.');
            text.extend_from_slice(coding.extension().as_bytes());
        }
        text.push(0);
        Self { text, root: root.len(), links, coding }
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted::File { text: &self.text, root: self.root, links: self.links, coding: self.coding }
    }

    /// The identity of what stands here now.
    fn identity(&self) -> Option<FileId> {
        let path = CStr::from_bytes_with_nul(&self.text).ok()?;
        rustix::fs::stat(path).ok().map(|facts| Facts::from(facts).identity())
    }
}

/// What an entry is found by.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    File { text: Box<[u8]>, root: usize, links: FollowSymlinks, coding: Option<Coding> },
    Coded(Content, Coding),
}

/// A key that has not been copied. It hashes as [`Key`] does: the same variants
/// with the same fields in the same order.
#[derive(Hash)]
enum Wanted<'w> {
    File { text: &'w [u8], root: usize, links: FollowSymlinks, coding: Option<Coding> },
    Coded(Content, Coding),
}

impl Equivalent<Key> for Wanted<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        match (self, key) {
            (
                Self::File { text, root, links, coding },
                Key::File {
                    text: other,
                    root: other_root,
                    links: other_links,
                    coding: other_coding,
                },
            ) => {
                **text == **other
                    && root == other_root
                    && links == other_links
                    && coding == other_coding
            }
            (Self::Coded(content, coding), Key::Coded(other, other_coding)) => {
                content == other && coding == other_coding
            }
            _ => false,
        }
    }
}

/// A content that can be coded: which file it is of, and a hash that tells its
/// contents apart. The hash is no defence against somebody who makes two of
/// equal hash on purpose, so a content is never taken for that of another file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Content {
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) length: u64,
    pub(super) hash: u128,
}

/// An entry.
#[derive(Clone)]
enum Held {
    File(Arc<CachedFile>),
    Coded(Arc<Coded>),
}

/// Counts the bytes of an entry.
#[derive(Clone)]
struct CountBytes;

impl Weighter<Key, Held> for CountBytes {
    fn weight(&self, key: &Key, held: &Held) -> u64 {
        let key = match key {
            Key::File { text, .. } => text.len() as u64,
            Key::Coded(..) => 0,
        };
        let content = match held {
            Held::File(kept) => {
                let name = kept.real_name.as_ref().map_or(0, |name| name.as_bytes().len());
                (kept.bytes.len() + name) as u64
            }
            Held::Coded(coded) => coded.length(),
        };
        OVERHEAD + key + content
    }
}

type Table = sync::Cache<Key, Held, CountBytes, DefaultHashBuilder, DefaultLifecycle<Key, Held>>;

/// The cache.
pub(super) struct Cache {
    table: Table,
    /// From when the times in the entries are counted.
    epoch: Instant,
}

/// A moment, in nanoseconds since the cache was made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(u64);

impl Moment {
    /// Whether `at`, as an entry holds it, lies less than `span` before.
    pub(super) fn is_within(self, span: Duration, at: u64) -> bool {
        let span = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        self.0.saturating_sub(at) < span
    }

    /// The moment `span` later.
    #[cfg(test)]
    pub(super) fn after(self, span: Duration) -> Self {
        Self(self.0 + u64::try_from(span.as_nanos()).expect("it is short"))
    }

    /// As an entry holds it.
    pub(super) fn nanoseconds(self) -> u64 {
        self.0
    }
}

impl Cache {
    /// A cache that holds up to `size` bytes.
    pub(super) fn new(size: u64) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let parts = usize::try_from(size / PART).unwrap_or(1).clamp(1, processors * 4);
        let options = OptionsBuilder::new()
            // The library rounds up, and parts must not become too small.
            .shards(if parts.is_power_of_two() { parts } else { parts.next_power_of_two() / 2 })
            .estimated_items_capacity(usize::try_from(size / USUAL).unwrap_or(1).max(64))
            .weight_capacity(size)
            .build()
            .expect("both capacities are given");
        let table = Table::with_options(
            options,
            CountBytes,
            DefaultHashBuilder::default(),
            DefaultLifecycle::default(),
        );
        Self { table, epoch: Instant::now() }
    }

    /// From now on it holds up to `size` bytes; what is too much is given up.
    pub(super) fn resize(&self, size: u64) {
        if self.table.capacity() != size {
            self.table.set_capacity(size);
        }
    }

    /// The longest content that can be kept, in bytes.
    pub(super) fn longest(&self) -> u64 {
        self.table.shard_capacity().saturating_sub(OVERHEAD + 4096)
    }

    /// Bytes that it holds now.
    #[cfg(test)]
    pub(super) fn weight(&self) -> u64 {
        self.table.weight()
    }

    /// Now, in the time of the entries.
    pub(super) fn now(&self) -> Moment {
        self.moment(Instant::now())
    }

    /// `time`, in the time of the entries.
    pub(super) fn moment(&self, time: Instant) -> Moment {
        let since = time.saturating_duration_since(self.epoch);
        Moment(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }

    /// The file at `place`, where it is held and still the same:
    ///
    /// 1. It was looked at less than `revalidate` ago: it is taken as unchanged.
    /// 2. What stands at its place has the same identity: it is unchanged. It is
    ///    the identity of a file that was opened below the root, so what the
    ///    place leads to, and by which links, does not count.
    /// 3. Else it is `None`, and the caller opens the file.
    ///
    /// Only settled files are held, so an equal identity means equal content.
    pub(super) fn file(
        &self,
        place: &Place,
        revalidate: Duration,
        now: Moment,
    ) -> Option<Arc<CachedFile>> {
        let Held::File(kept) = self.table.get(&place.wanted())? else { return None };
        if now.is_within(revalidate, kept.checked.load(Ordering::Relaxed)) {
            return Some(kept);
        }
        let opened = now.is_within(OPENED, kept.opened.load(Ordering::Relaxed));
        if opened && place.identity() == Some(kept.identity) {
            kept.checked.store(now.nanoseconds(), Ordering::Relaxed);
            return Some(kept);
        }
        None
    }

    /// The file at `place`, where it is held with this identity and was reached by
    /// this name: it was opened just now and found to have them.
    pub(super) fn reopened(
        &self,
        place: &Place,
        identity: &FileId,
        real_name: Option<&SafePath>,
        now: Moment,
    ) -> Option<Arc<CachedFile>> {
        let Held::File(kept) = self.table.get(&place.wanted())? else { return None };
        if kept.identity != *identity || kept.real_name.as_ref() != real_name {
            return None;
        }
        kept.checked.store(now.nanoseconds(), Ordering::Relaxed);
        kept.opened.store(now.nanoseconds(), Ordering::Relaxed);
        Some(kept)
    }

    /// Keeps a file, in place of what was held for its place.
    pub(super) fn keep(&self, place: &Place, kept: Arc<CachedFile>) {
        let Place { text, root, links, coding } = place;
        let key =
            Key::File { text: text.to_vec().into(), root: *root, links: *links, coding: *coding };
        self.table.insert(key, Held::File(kept));
    }

    /// Gives up what was held for a place where nothing is any more.
    pub(super) fn forget(&self, place: &Place) {
        // Looked for first: most names that are nowhere never were here.
        if self.table.contains_key(&place.wanted()) {
            self.table.remove(&place.wanted());
        }
    }

    /// A content in a coding, where it is held.
    pub(super) fn coded(&self, content: &Content, coding: Coding) -> Option<Arc<Coded>> {
        match self.table.get(&Wanted::Coded(*content, coding))? {
            Held::Coded(coded) => Some(coded),
            Held::File(_) => None,
        }
    }

    /// A content in a coding; where it is not held it is made, once for all who
    /// ask meanwhile. `None` where it could not be made.
    pub(super) async fn coded_or_made(
        &self,
        content: &Content,
        coding: Coding,
        make: impl Future<Output = Option<Arc<Coded>>>,
    ) -> Option<Arc<Coded>> {
        // Who waits here holds no lock; if the maker leaves, the next one makes.
        match self.table.get_value_or_guard_async(&Key::Coded(*content, coding)).await {
            Ok(Held::Coded(coded)) => Some(coded),
            Ok(Held::File(_)) => None,
            Err(guard) => {
                let coded = make.await?;
                // It fails where the entry was removed meanwhile: then it is not kept.
                let _ = guard.insert(Held::Coded(coded.clone()));
                Some(coded)
            }
        }
    }

    /// Whether a content in a coding is neither held nor being made.
    pub(super) fn is_unmade(&self, content: &Content, coding: Coding) -> bool {
        let key = Key::Coded(*content, coding);
        matches!(self.table.get_value_or_guard(&key, Some(Duration::ZERO)), GuardResult::Guard(_))
    }
}

#[cfg(test)]
mod tests;

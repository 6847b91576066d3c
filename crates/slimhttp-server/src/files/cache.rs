//! Small files in memory: one cache for a server, bounded in bytes, shared by
//! its I/O threads. It holds files by their path, and files in a coding by the
//! content that they were made from. `lookup` gets and inserts the former,
//! `variant` the latter. Each shard has a lock, held for a look into its table and
//! never while a file is read or compressed.
//!
//! An entry stands for a file as long as the file's identity does; how that is
//! made sure of is said at [`Cache::get`]. The bound counts everything that an
//! entry takes: content, key, fields and the tables around it.
//!
//! Files that are requested once do not evict those that are requested often
//! (`quick_cache` keeps them in an order of the kind of Clock-PRO and S3-FIFO).

use std::ffi::CStr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use quick_cache::sync::{self, DefaultLifecycle, GuardResult};
use quick_cache::{DefaultHashBuilder, Equivalent, OptionsBuilder, Weighter};
use slimhttp_site::coding::Coding;
use slimhttp_site::file_rules::FollowSymlinks;
use slimhttp_site::path::SafePath;
use smallvec::SmallVec;

use crate::files::cache_time::{CacheClock, CacheTime};
use crate::files::cached_file::{CachedFile, ContentId};
use crate::files::compress::Encoded;
use crate::fs::file_id::{Facts, FileId};

/// For how long a file is taken to lie below its root. A look at its place shows
/// every change of the file itself; that a folder above it was moved out of the
/// root and a link put in its stead shows only when it is opened once more.
const REOPEN_AFTER: Duration = Duration::from_secs(10);

/// The least number of bytes that one shard of the cache holds: each shard has
/// its own lock, and holds nothing longer than itself.
const SHARD: u64 = 16 << 20;

/// What an entry takes beside its key and its content, in bytes: the entry
/// itself with its counts, the texts of its fields, its slot in the table, and
/// what the allocator adds and rounds up for each of them.
const OVERHEAD: u64 = 896;

/// The length of a typical file, for the first size of the tables.
const TYPICAL: u64 = 8 << 10;

/// By what a file is cached: a root, a path below it, and how links on the way
/// are followed. Holds the whole path as the system takes it, without an allocation
/// for all but long ones.
pub(super) struct FileKey {
    /// The root, the path, and a NUL.
    text: SmallVec<[u8; 256]>,
    root: usize,
    links: FollowSymlinks,
    /// The coding that a file beside the requested one is in.
    coding: Option<Coding>,
}

impl FileKey {
    /// The key of `path` below `root`, or with a coding that of the file
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

    fn as_key_ref(&self) -> KeyRef<'_> {
        KeyRef::File { text: &self.text, root: self.root, links: self.links, coding: self.coding }
    }

    /// The identity of what stands there now. Waits for the disk.
    fn current_identity(&self) -> Option<FileId> {
        let path = CStr::from_bytes_with_nul(&self.text).ok()?;
        rustix::fs::stat(path).ok().map(|facts| Facts::from(facts).identity())
    }
}

/// What an entry is found by.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    File { text: Box<[u8]>, root: usize, links: FollowSymlinks, coding: Option<Coding> },
    Encoded(ContentId, Coding),
}

/// A key that has not been copied. It hashes as [`Key`] does: the same variants
/// with the same fields in the same order.
#[derive(Hash)]
enum KeyRef<'w> {
    File { text: &'w [u8], root: usize, links: FollowSymlinks, coding: Option<Coding> },
    Encoded(ContentId, Coding),
}

impl Equivalent<Key> for KeyRef<'_> {
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
            (Self::Encoded(content, coding), Key::Encoded(other, other_coding)) => {
                content == other && coding == other_coding
            }
            _ => false,
        }
    }
}

/// An entry.
#[derive(Clone)]
enum Entry {
    File(Arc<CachedFile>),
    Encoded(Arc<Encoded>),
}

/// Counts the bytes of an entry.
#[derive(Clone)]
struct CountBytes;

impl Weighter<Key, Entry> for CountBytes {
    fn weight(&self, key: &Key, entry: &Entry) -> u64 {
        let key = match key {
            Key::File { text, .. } => text.len() as u64,
            Key::Encoded(..) => 0,
        };
        let content = match entry {
            Entry::File(file) => {
                let name = file.real_name.as_ref().map_or(0, |name| name.as_bytes().len());
                (file.bytes.len() + name) as u64
            }
            Entry::Encoded(encoded) => encoded.length(),
        };
        OVERHEAD + key + content
    }
}

type Table = sync::Cache<Key, Entry, CountBytes, DefaultHashBuilder, DefaultLifecycle<Key, Entry>>;

/// The cache.
pub(super) struct Cache {
    table: Table,
    /// Gives the times in the entries.
    clock: CacheClock,
}

impl Cache {
    /// A cache that holds up to `size` bytes.
    pub(super) fn new(size: u64) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let shards = usize::try_from(size / SHARD).unwrap_or(1).clamp(1, processors * 4);
        let options = OptionsBuilder::new()
            // quick_cache rounds up, and shards must not become too small.
            .shards(if shards.is_power_of_two() { shards } else { shards.next_power_of_two() / 2 })
            .estimated_items_capacity(usize::try_from(size / TYPICAL).unwrap_or(1).max(64))
            .weight_capacity(size)
            .build()
            .expect("both capacities are given");
        let table = Table::with_options(
            options,
            CountBytes,
            DefaultHashBuilder::default(),
            DefaultLifecycle::default(),
        );
        Self { table, clock: CacheClock::start() }
    }

    /// From now on it holds up to `size` bytes; what is too much is given up.
    pub(super) fn resize(&self, size: u64) {
        if self.table.capacity() != size {
            self.table.set_capacity(size);
        }
    }

    /// The longest content that it takes, in bytes.
    pub(super) fn max_content_length(&self) -> u64 {
        self.table.shard_capacity().saturating_sub(OVERHEAD + 4096)
    }

    /// Bytes that it holds now.
    #[cfg(test)]
    pub(super) fn weight(&self) -> u64 {
        self.table.weight()
    }

    /// The clock by which its entries age.
    pub(super) fn clock(&self) -> &CacheClock {
        &self.clock
    }

    /// The file of `key`, where it is cached and still the same:
    ///
    /// 1. It was looked at less than `revalidate` ago: it is taken as unchanged.
    /// 2. What stands at its place has the same identity: it is unchanged. It is
    ///    the identity of a file that was opened below the root, so what the
    ///    path leads to, and by which links, does not count.
    /// 3. Else it is `None`, and the caller opens the file.
    ///
    /// Only files with a stable identity are cached, so an equal identity means equal content.
    pub(super) fn get(
        &self,
        key: &FileKey,
        revalidate: Duration,
        now: CacheTime,
    ) -> Option<Arc<CachedFile>> {
        let Entry::File(file) = self.table.get(&key.as_key_ref())? else { return None };
        if now.is_within(revalidate, file.checked_at.load(Ordering::Relaxed)) {
            return Some(file);
        }
        let is_below_root = now.is_within(REOPEN_AFTER, file.opened_at.load(Ordering::Relaxed));
        if is_below_root && key.current_identity() == Some(file.identity) {
            file.checked_at.store(now.nanoseconds(), Ordering::Relaxed);
            return Some(file);
        }
        None
    }

    /// The file of `key`, where it is cached with this identity and was reached by
    /// this name: it was opened just now and found to have them.
    pub(super) fn confirm(
        &self,
        key: &FileKey,
        identity: &FileId,
        real_name: Option<&SafePath>,
        now: CacheTime,
    ) -> Option<Arc<CachedFile>> {
        let Entry::File(file) = self.table.get(&key.as_key_ref())? else { return None };
        if file.identity != *identity || file.real_name.as_ref() != real_name {
            return None;
        }
        file.checked_at.store(now.nanoseconds(), Ordering::Relaxed);
        file.opened_at.store(now.nanoseconds(), Ordering::Relaxed);
        Some(file)
    }

    /// Takes a file, in place of what was cached for its key.
    pub(super) fn insert(&self, key: &FileKey, file: Arc<CachedFile>) {
        let FileKey { text, root, links, coding } = key;
        let key =
            Key::File { text: text.to_vec().into(), root: *root, links: *links, coding: *coding };
        self.table.insert(key, Entry::File(file));
    }

    /// Gives up what was cached for a path where nothing is any more.
    pub(super) fn remove(&self, key: &FileKey) {
        // Looked for first: most names that are nowhere never were here.
        if self.table.contains_key(&key.as_key_ref()) {
            self.table.remove(&key.as_key_ref());
        }
    }

    /// A content in a coding, where it is cached.
    pub(super) fn encoded(&self, content: &ContentId, coding: Coding) -> Option<Arc<Encoded>> {
        match self.table.get(&KeyRef::Encoded(*content, coding))? {
            Entry::Encoded(encoded) => Some(encoded),
            Entry::File(_) => None,
        }
    }

    /// A content in a coding; where it is not cached it is made, once for all who
    /// ask meanwhile. `None` where it could not be made.
    pub(super) async fn get_or_encode(
        &self,
        content: &ContentId,
        coding: Coding,
        make: impl Future<Output = Option<Arc<Encoded>>>,
    ) -> Option<Arc<Encoded>> {
        // Who waits here holds no lock; if the maker leaves, the next one makes.
        match self.table.get_value_or_guard_async(&Key::Encoded(*content, coding)).await {
            Ok(Entry::Encoded(encoded)) => Some(encoded),
            Ok(Entry::File(_)) => None,
            Err(guard) => {
                let encoded = make.await?;
                // It fails where the entry was removed meanwhile: then it is not cached.
                let _ = guard.insert(Entry::Encoded(encoded.clone()));
                Some(encoded)
            }
        }
    }

    /// Whether a content in a coding is neither cached nor being made.
    pub(super) fn is_vacant(&self, content: &ContentId, coding: Coding) -> bool {
        let key = Key::Encoded(*content, coding);
        matches!(self.table.get_value_or_guard(&key, Some(Duration::ZERO)), GuardResult::Guard(_))
    }
}

#[cfg(test)]
mod tests;

//! What one server keeps of files between requests. The I/O threads share it by an `Arc`; each
//! part has locks of its own, and nobody waits for a disk while holding one.

use slimhttp_site::file_rules::FileRules;

use crate::files::cache::Cache;
use crate::files::compress::Compressor;
use crate::files::listing_cache::ListingCache;

/// What compressed contents may take where no files are cached, in bytes; and what
/// listings may take at the least.
const MIN_SIZE: u64 = 16 << 20;

/// What one server keeps of files: those in memory, the listings, and the
/// encoders.
pub(crate) struct FileStore {
    pub(super) cache: Cache,
    pub(super) compressor: Compressor,
    pub(super) listings: ListingCache,
}

impl FileStore {
    /// An empty one; `rules` are those of the global level.
    pub(crate) fn new(rules: &FileRules) -> Self {
        Self {
            cache: Cache::new(size(rules)),
            compressor: Compressor::new(),
            listings: ListingCache::new(size(rules).max(MIN_SIZE)),
        }
    }

    /// Takes other rules of the global level.
    pub(crate) fn resize(&self, rules: &FileRules) {
        self.cache.resize(size(rules));
        self.listings.resize(size(rules).max(MIN_SIZE));
    }
}

impl std::fmt::Debug for FileStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileStore").finish_non_exhaustive()
    }
}

fn size(rules: &FileRules) -> u64 {
    rules.cache.map_or(MIN_SIZE, |cache| cache.size)
}

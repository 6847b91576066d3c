//! When a cached file is taken as it is, and how much is cached.

use std::fs;

use slimhttp_site::file_rules::FileRules;
use tempfile::TempDir;

use super::*;
use crate::files::cached_file::MediaInfo;

/// The folder of one test.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().expect("a folder"))
    }

    fn key(&self, name: &str) -> FileKey {
        let path = SafePath::of_names(name.as_bytes()).expect("a plain name");
        FileKey::new(self.0.path(), &path, None, FollowSymlinks::Inside)
    }

    /// Writes a file; gives what it is cached as.
    fn write(&self, name: &str, text: &str, now: CacheTime) -> Arc<CachedFile> {
        fs::write(self.0.path().join(name), text).expect("written");
        let identity = self.key(name).current_identity().expect("it is there");
        cached(identity, text.len(), now)
    }
}

fn cached(identity: FileId, length: usize, now: CacheTime) -> Arc<CachedFile> {
    let typed = MediaInfo::new(&Arc::new(FileRules::default()), &SafePath::root());
    Arc::new(CachedFile::new(identity, None, vec![b'a'; length].into(), None, typed, now))
}

const NEVER: Duration = Duration::ZERO;
const LONG: Duration = Duration::from_secs(3600);

#[test]
fn a_file_is_cached_by_its_whole_key() {
    let folder = Folder::new();
    let cache = Cache::new(1 << 20);
    let now = cache.clock().now();
    fs::create_dir(folder.0.path().join("a")).expect("a folder");
    let cached = folder.write("a/b", "text", now);
    let path = |text: &str| SafePath::of_names(text.as_bytes()).expect("plain names");
    let inner = folder.0.path().join("a");
    let keys = [
        FileKey::new(folder.0.path(), &path("a/b"), None, FollowSymlinks::Inside),
        // The same file, but below another root, over other links, as another form.
        FileKey::new(&inner, &path("b"), None, FollowSymlinks::Inside),
        FileKey::new(folder.0.path(), &path("a/b"), None, FollowSymlinks::Never),
        FileKey::new(folder.0.path(), &path("a/b"), Some(Coding::Gzip), FollowSymlinks::Inside),
        FileKey::new(folder.0.path(), &path("a/c"), None, FollowSymlinks::Inside),
    ];
    cache.insert(&keys[0], cached);
    for (position, key) in keys.iter().enumerate() {
        assert_eq!(cache.get(key, LONG, now).is_some(), position == 0, "{position}");
    }
}

#[test]
fn a_cached_file_is_taken_as_unchanged_until_it_is_to_be_revalidated() {
    let folder = Folder::new();
    let cache = Cache::new(1 << 20);
    let now = cache.clock().now();
    let key = folder.key("a");
    cache.insert(&key, folder.write("a", "one", now));
    assert!(cache.get(&key, NEVER, now).is_some(), "unchanged");

    fs::write(folder.0.path().join("a"), "another").expect("written");
    assert!(cache.get(&key, LONG, now).is_some(), "not looked at");
    assert!(cache.get(&key, NEVER, now).is_none(), "changed");
    let second = Duration::from_secs(1);
    assert!(cache.get(&key, second, now.after(second / 2)).is_some(), "not looked at yet");
    assert!(cache.get(&key, second, now.after(second)).is_none(), "looked at");

    fs::remove_file(folder.0.path().join("a")).expect("removed");
    assert!(cache.get(&key, NEVER, now).is_none(), "gone");
    cache.remove(&key);
    assert!(cache.get(&key, LONG, now).is_none(), "removed");
}

#[test]
fn a_look_at_the_path_is_enough_for_a_while_only() {
    let folder = Folder::new();
    let cache = Cache::new(1 << 20);
    let now = cache.clock().now();
    let key = folder.key("a");
    let cached = folder.write("a", "one", now);
    let identity = cached.identity;
    cache.insert(&key, cached);
    let moment = now.after(REOPEN_AFTER / 2);
    assert!(cache.get(&key, NEVER, moment).is_some());
    let moment = now.after(REOPEN_AFTER);
    assert!(cache.get(&key, NEVER, moment).is_none(), "it is to be opened once more");
    assert!(cache.confirm(&key, &identity, None, moment).is_some());
    assert!(cache.get(&key, NEVER, moment).is_some());
    assert!(cache.confirm(&key, &FileId { length: 9, ..identity }, None, moment).is_none());
    // A link that leads elsewhere by now may lead to what is hidden.
    let real = SafePath::of_names(b"other");
    assert!(cache.confirm(&key, &identity, real.as_ref(), moment).is_none());
}

#[test]
fn it_holds_no_more_bytes_than_it_may() {
    let folder = Folder::new();
    let cache = Cache::new(4 << 20);
    let now = cache.clock().now();
    let identity = folder.write("a", "one", now).identity;
    for number in 0..20_000 {
        cache.insert(&folder.key(&format!("file-{number}")), cached(identity, 1000, now));
        assert!(cache.weight() <= 4 << 20);
    }
    assert!(cache.weight() > 3 << 20, "it is used");
    cache.resize(1 << 20);
    assert!(cache.weight() <= 1 << 20);
}

#[test]
fn nothing_that_an_entry_takes_is_left_out() {
    // The tag, the length and the date, each with the count that shares it.
    let texts = 3 * (34 + 32);
    let slot = size_of::<Key>() + size_of::<Entry>() + 64;
    // The entry, the content, the key and the texts are each allocated.
    let allocations = 16 * 8;
    let takes = size_of::<CachedFile>() + 16 + texts + slot + allocations;
    assert!(OVERHEAD >= takes as u64, "{takes}");
    assert!(OVERHEAD < 2 * takes as u64, "{takes}");
}

#[test]
fn what_is_requested_once_does_not_evict_what_is_requested_often() {
    let folder = Folder::new();
    let cache = Cache::new(4 << 20);
    let now = cache.clock().now();
    let identity = folder.write("often", "one", now).identity;
    let often = folder.key("often");
    cache.insert(&often, cached(identity, 1000, now));
    for number in 0..20_000 {
        cache.insert(&folder.key(&format!("once-{number}")), cached(identity, 1000, now));
        assert!(cache.get(&often, LONG, now).is_some(), "{number}");
    }
}

#[tokio::test]
async fn a_coding_is_made_once_for_all_who_ask() {
    let cache = Arc::new(Cache::new(1 << 20));
    let content = ContentId { device: 1, inode: 2, length: 3, hash: 4 };
    let made = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let asks = (0..32).map(|_| {
        let (cache, made) = (cache.clone(), made.clone());
        tokio::spawn(async move {
            let make = async {
                made.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                let etag = slimhttp_site::conditions::ETag::strong("a").expect("a tag");
                Some(Arc::new(Encoded { bytes: None, etag }))
            };
            cache.get_or_encode(&content, Coding::Gzip, make).await.is_some()
        })
    });
    for ask in asks.collect::<Vec<_>>() {
        assert!(ask.await.expect("it ends"));
    }
    assert_eq!(made.load(Ordering::Relaxed), 1);
    assert!(cache.encoded(&content, Coding::Gzip).is_some());
    assert!(!cache.is_vacant(&content, Coding::Gzip));
    assert!(cache.is_vacant(&content, Coding::Zstd));
    assert!(cache.encoded(&content, Coding::Zstd).is_none());
}

//! When a file is cached, when it is streamed, and what a search has seen of the disk. What may
//! be found by which name is tested in [`crate::files::tests`].

use serde_json::json;

use super::*;
use crate::files::tests::Fixture;

/// A file of this crate's sources, which is not changed while tests run.
const FILE: &str = "Cargo.toml";

async fn find(site: &Fixture, name: &str) -> StaticFile {
    let path = SafePath::of_names(name.as_bytes()).expect("plain names");
    let found = site.lookup().find(&path, &mut LookupBudget::default()).await;
    let Ok(Resolved::File(file)) = found else { panic!("{name} is no file") };
    file
}

async fn find_in_memory(site: &Fixture, name: &str) -> Arc<CachedFile> {
    let StaticFile::InMemory(file) = find(site, name).await else { panic!("{name} is streamed") };
    file
}

/// Options, and whether two look-ups give the same file in memory.
#[tokio::test]
async fn a_file_that_has_not_changed_for_a_while_is_cached() {
    for (options, is_cached) in [
        (json!({}), true),
        // It is looked at each time, and is the same.
        (json!({"file_cache": {"revalidate": 0}}), true),
        (json!({"file_cache": false}), false),
        (json!({"debug": true, "live_reload": true}), false),
    ] {
        let site = Fixture::of_sources(&options);
        let (first, second) =
            (find_in_memory(&site, FILE).await, find_in_memory(&site, FILE).await);
        assert_eq!(Arc::ptr_eq(&first, &second), is_cached, "{options}");
        assert_eq!(first.etag, second.etag);
        assert!(site.freshness.is_stable(), "{options}");
    }
}

#[tokio::test]
async fn a_file_that_was_changed_just_now_is_not_cached() {
    let site = Fixture::new(&[("a.txt", "text")], &json!({}));
    let (first, second) =
        (find_in_memory(&site, "a.txt").await, find_in_memory(&site, "a.txt").await);
    assert!(!Arc::ptr_eq(&first, &second));
    assert!(!site.freshness.is_stable(), "it may change once more without a sign");
}

/// The content stays; what the rules say of it follows the rules in force.
#[tokio::test]
async fn a_cached_file_follows_a_change_of_the_rules() {
    let mut site = Fixture::of_sources(&json!({}));
    let before = find_in_memory(&site, FILE).await;
    site.change(&json!({"mime_types": {"toml": "application/x-own"}}));
    let after = find_in_memory(&site, FILE).await;
    assert_eq!(before.bytes.as_ptr(), after.bytes.as_ptr(), "it was not read again");
    assert_ne!(before.media.content_type, after.media.content_type);
    assert_eq!(after.media.content_type, "application/x-own");
    let again = find_in_memory(&site, FILE).await;
    assert!(Arc::ptr_eq(&after, &again), "what was made of the rules is cached");
}

/// The bound for what is read whole, and whether a file of some kilobytes is.
#[tokio::test]
async fn a_long_file_is_read_as_it_is_sent() {
    for (options, is_whole) in [
        (json!({}), true),
        (json!({"file_cache": false}), true),
        (json!({"file_cache": {"entry": 100}}), false),
    ] {
        let site = Fixture::of_sources(&options);
        let found = find(&site, FILE).await;
        assert_eq!(matches!(found, StaticFile::InMemory(_)), is_whole, "{options}");
        if let StaticFile::Streamed(file) = found {
            assert!(file.stable);
            assert_eq!(file.identity.length, std::fs::metadata(FILE).expect("it is there").len());
        }
    }
}

/// Only what a handler names is code; it never comes into the cache, from which a request
/// would get it.
#[tokio::test]
async fn code_is_not_cached() {
    let site = Fixture::of_sources(&json!({}));
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests");
    let options = &site.site.global.options;
    let lookup = FileLookup::new(&site.store, site.roots(), &sources, options, &site.freshness);
    let path = SafePath::of_names(b"conftest.py").expect("a plain name");
    for _ in 0..2 {
        let found = lookup.find_for_handler(&path).await;
        assert!(matches!(found, Ok(Resolved::File(_))), "its source");
        let found = lookup.find(&path, &mut LookupBudget::default()).await;
        assert!(matches!(found, Ok(Resolved::Script(_))), "a script, by whatever came before");
    }
}

//! What is recorded of a file in memory.

use slimhttp_site::file_rules::Compress;

use super::*;
use crate::files::cache_time::CacheClock;
use crate::fs::file_id::{FileId, Time};

fn rules() -> Arc<FileRules> {
    Arc::new(FileRules::default())
}

fn path(name: &str) -> SafePath {
    SafePath::of_names(name.as_bytes()).expect("plain names")
}

#[test]
fn types_are_compressed_by_their_names() {
    let cases = [
        ("a.html", true),
        ("a.js", true),
        ("a.svg", true),
        ("a.json", true),
        ("a.txt", true),
        ("a.png", false),
        ("a.zip", false),
        ("a.mp4", false),
        ("a.woff2", false),
        ("a", false),
    ];
    for (name, compressible) in cases {
        assert_eq!(MediaInfo::new(&rules(), &path(name)).compressible, compressible, "{name}");
    }
    let off = Arc::new(FileRules { compress: None, ..FileRules::default() });
    assert!(!MediaInfo::new(&off, &path("a.html")).compressible);
    let compress = Compress {
        types: slimhttp_site::glob::Globs::new(&["image/png"]).expect("a pattern"),
        ..Compress::default()
    };
    let own = Arc::new(FileRules { compress: Some(compress.into()), ..FileRules::default() });
    assert!(MediaInfo::new(&own, &path("a.png")).compressible);
    assert!(!MediaInfo::new(&own, &path("a.html")).compressible);
}

#[test]
fn what_rules_made_differs_from_what_equal_ones_made() {
    let (one, other) = (rules(), rules());
    let media = MediaInfo::new(&one, &path("a.html"));
    assert!(media.is_made_by(&one));
    assert!(!media.is_made_by(&other));
    assert!(!media.is_outdated());
    drop(one);
    assert!(media.is_outdated());
    assert!(!media.is_made_by(&other));
}

#[test]
fn a_missing_sibling_is_remembered_for_a_while() {
    let now = CacheClock::start().now();
    let time = Time { seconds: 0, nanoseconds: 0 };
    let identity = FileId { device: 1, inode: 2, length: 3, modified: time, changed: time };
    let media = MediaInfo::new(&rules(), &path("a.html"));
    let cached = CachedFile::new(identity, None, Bytes::from_static(b"abc"), None, media, now);
    for coding in Coding::ALL {
        assert!(!cached.has_no_sibling(coding, now), "{coding:?}");
    }
    cached.record_no_sibling(Coding::Brotli, now);
    cached.record_no_sibling(Coding::Gzip, now);
    assert!(cached.has_no_sibling(Coding::Brotli, now) && cached.has_no_sibling(Coding::Gzip, now));
    assert!(!cached.has_no_sibling(Coding::Zstd, now));
    let later = now.after(SIBLING_RECHECK);
    for coding in Coding::ALL {
        assert!(!cached.has_no_sibling(coding, later), "{coding:?}");
    }
    cached.record_no_sibling(Coding::Zstd, later);
    assert!(cached.has_no_sibling(Coding::Zstd, later));
    assert!(!cached.has_no_sibling(Coding::Brotli, later), "it was recorded long ago");
}

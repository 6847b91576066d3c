//! What is noted of a file in memory.

use slimhttp_site::file_rules::Compress;

use super::*;
use crate::files::cache::Cache;
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
        assert_eq!(Typed::new(&rules(), &path(name)).compressible, compressible, "{name}");
    }
    let off = Arc::new(FileRules { compress: None, ..FileRules::default() });
    assert!(!Typed::new(&off, &path("a.html")).compressible);
    let compress = Compress {
        types: slimhttp_site::glob::Globs::new(&["image/png"]).expect("a pattern"),
        ..Compress::default()
    };
    let own = Arc::new(FileRules { compress: Some(compress.into()), ..FileRules::default() });
    assert!(Typed::new(&own, &path("a.png")).compressible);
    assert!(!Typed::new(&own, &path("a.html")).compressible);
}

#[test]
fn what_rules_made_is_told_from_what_others_made() {
    let (one, other) = (rules(), rules());
    let typed = Typed::new(&one, &path("a.html"));
    assert!(typed.is_by(&one));
    assert!(!typed.is_by(&other));
    assert!(!typed.is_outdated());
    drop(one);
    assert!(typed.is_outdated());
    assert!(!typed.is_by(&other));
}

#[test]
fn a_missing_sibling_is_remembered_for_a_while() {
    let now = Cache::new(1 << 20).now();
    let time = Time { seconds: 0, nanoseconds: 0 };
    let identity = FileId { device: 1, inode: 2, length: 3, modified: time, changed: time };
    let typed = Typed::new(&rules(), &path("a.html"));
    let kept = CachedFile::new(identity, None, Bytes::from_static(b"abc"), None, typed, now);
    for coding in Coding::ALL {
        assert!(!kept.lacks(coding, now), "{coding:?}");
    }
    kept.note_lack(Coding::Brotli, now);
    kept.note_lack(Coding::Gzip, now);
    assert!(kept.lacks(Coding::Brotli, now) && kept.lacks(Coding::Gzip, now));
    assert!(!kept.lacks(Coding::Zstd, now));
    let later = now.after(WITHOUT_SIBLING);
    for coding in Coding::ALL {
        assert!(!kept.lacks(coding, later), "{coding:?}");
    }
    kept.note_lack(Coding::Zstd, later);
    assert!(kept.lacks(Coding::Zstd, later));
    assert!(!kept.lacks(Coding::Brotli, later), "it was noted long ago");
}

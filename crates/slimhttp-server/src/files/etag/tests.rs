//! Which identities are trusted, and how tags tell contents apart.

use std::time::{Duration, SystemTime};

use super::*;
use crate::fs::file_id::Time;

const NOW: i64 = 1_700_000_000;

fn identity(modified: (i64, u32), changed: (i64, u32)) -> FileId {
    let time = |(seconds, nanoseconds)| Time { seconds, nanoseconds };
    FileId { device: 1, inode: 2, length: 3, modified: time(modified), changed: time(changed) }
}

#[test]
fn an_identity_is_trusted_once_every_clock_has_ticked() {
    let now = SystemTime::UNIX_EPOCH + Duration::new(NOW.unsigned_abs(), 500);
    let cases = [
        ((NOW - 60, 0), (NOW - 60, 0), true),
        ((NOW - 2, 500), (NOW - 2, 500), true),
        ((NOW - 2, 501), (NOW - 60, 0), false),
        ((NOW - 60, 0), (NOW - 2, 501), false),
        ((NOW, 500), (NOW, 500), false),
        ((NOW + 60, 0), (NOW - 60, 0), false),
        ((-60, 0), (NOW - 60, 0), false),
        ((0, 0), (NOW - 60, 0), true),
    ];
    for (modified, changed, stable) in cases {
        let identity = identity(modified, changed);
        assert_eq!(is_stable(&identity, now), stable, "{modified:?} {changed:?}");
    }
}

#[test]
fn a_tag_of_an_identity_is_strong_only_where_it_is_trusted() {
    let identity = identity((NOW, 0), (NOW, 0));
    let (strong, weak) = (tag_of_identity(&identity, true), tag_of_identity(&identity, false));
    assert!(!strong.is_weak());
    assert!(weak.is_weak());
    assert_ne!(weak.to_string(), format!("W/{strong}"), "what it was given for may be gone");
}

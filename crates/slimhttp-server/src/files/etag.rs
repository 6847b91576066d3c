//! When a file's identity can be trusted, and the entity tags of files.
//! RFC 9110 section 8.8.
//!
//! The tag of a file that is read whole is a hash of its content: files of equal
//! content have one tag, whatever the file system says of them. A longer file is
//! not read for a tag: its tag is made of its identity.

use std::time::{Duration, SystemTime};

use slimhttp_site::conditions::ETag;
use slimhttp_site::file_reply::{etag_of, weak_etag_of};
use xxhash_rust::xxh3::xxh3_128;

use crate::fs::file_id::FileId;

/// How long ago a file must have been changed for its identity to be trusted.
///
/// A file system's clock ticks (every 4 ms on Linux, every 2 s on some media),
/// and two writes within one tick leave the same times behind. So a file that
/// was changed just now may change once more without any sign of it. Once its
/// times are older than the coarsest tick, every change shows. (Git knows this
/// as the racy index.)
const RACY_WINDOW: Duration = Duration::from_secs(2);

/// Whether no change can have been made after `identity` was seen, at `now`, that
/// leaves the same identity behind. Never so for a file that bears a time of the
/// future.
pub(super) fn is_stable(identity: &FileId, now: SystemTime) -> bool {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let latest = since.saturating_sub(RACY_WINDOW).as_nanos();
    [identity.modified, identity.changed]
        .iter()
        .all(|time| u128::try_from(time.as_nanoseconds()).is_ok_and(|time| time <= latest))
}

/// The tag of a file that is too long to be read for one: strong where the
/// identity is stable, else weak.
pub(super) fn tag_of_identity(identity: &FileId, stable: bool) -> ETag {
    let FileId { device, inode, length, modified, changed } = identity;
    let tag = if stable { etag_of } else { weak_etag_of };
    tag(*device, *inode, *length, modified.as_nanoseconds(), changed.as_nanoseconds())
}

/// A number that tells contents apart. It guards against accidents, not against
/// somebody who makes two contents of equal hash on purpose.
pub(super) fn hash_of(content: &[u8]) -> u128 {
    xxh3_128(content)
}

#[cfg(test)]
mod tests;

//! Answers that are given again. What files answer is the same for everybody who
//! asks the same, so for a moment ([`FileCache::revalidate`]'s half) the bytes of
//! an answer stand ready for the next one who asks. One table a worker, of a
//! fixed size; what collides is overwritten.
//!
//! The long way decides what may be given again, see `exchange`. Here is only
//! told what "the same" means: [`ask`] names every field that an answer from
//! files depends on. Whoever makes one depend on another field adds it there.
//!
//! [`FileCache::revalidate`]: slimhttp_site::file_rules::FileCache::revalidate

use std::cell::RefCell;
use std::time::{Duration, Instant};

use bytes::Bytes;
use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64;

/// Answers that stand ready on one worker.
const SLOTS: usize = 128;

/// The longest content of one, in bytes: with its slot at most 2 MiB a worker.
pub(super) const LONGEST: usize = 16 * 1024;

/// The longest question, in bytes.
const LONGEST_KEY: usize = 2 * 1024;

/// What is asked, as far as the answer depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    bytes: SmallVec<[u8; 256]>,
    /// Of the configuration.
    generation: u64,
}

/// An answer that stands ready.
#[derive(Clone, Debug)]
pub(super) struct CachedResponse {
    /// The head but for its `Date` and its end.
    pub(super) head: Bytes,
    pub(super) content: Bytes,
}

#[derive(Debug)]
struct Slot {
    key: Key,
    until: Instant,
    ready: CachedResponse,
}

thread_local! {
    static TABLE: RefCell<Vec<Option<Slot>>> = const { RefCell::new(Vec::new()) };
}

/// What an answer depends on beside the head.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    /// Of the configuration.
    pub(super) generation: u64,
    /// Whether the connection is encrypted.
    pub(super) tls: bool,
    /// Whether a scope has `cors`. Where none has, an `Origin` decides nothing, and
    /// one that differs each time takes nobody's slot.
    pub(super) by_origin: bool,
}

/// The question that a head asks; `None` where its answer is never given again.
pub(super) fn key(head: &httparse::Request<'_, '_>, setting: Setting) -> Option<Key> {
    let Setting { generation, tls, by_origin } = setting;
    if head.version != Some(1) {
        return None;
    }
    let is_head = match head.method? {
        "GET" => false,
        "HEAD" => true,
        _ => return None,
    };
    let mut bytes = SmallVec::new();
    bytes.push(u8::from(is_head) | u8::from(tls) << 1);
    bytes.extend_from_slice(head.path?.as_bytes());
    let (mut etag, mut date) = (false, false);
    for field in &*head.headers {
        let mark = match Field::of(field.name) {
            Field::Indifferent => continue,
            Field::Decides(ORIGIN) if !by_origin => continue,
            Field::Decides(mark) => mark,
            Field::ModifiedSince => {
                date = true;
                continue;
            }
            Field::Connection if field.value.eq_ignore_ascii_case(b"keep-alive") => continue,
            Field::Connection | Field::Singular => return None,
        };
        etag |= mark == IF_NONE_MATCH;
        // Neither a target nor a value holds such a byte: the framing sees to it.
        bytes.push(mark);
        bytes.extend_from_slice(field.value);
    }
    // RFC 9110 section 13.1.3: only without an If-None-Match does the date count.
    ((etag || !date) && bytes.len() <= LONGEST_KEY).then_some(Key { bytes, generation })
}

/// Marks the value of `If-None-Match` in a key.
const IF_NONE_MATCH: u8 = 4;
/// Marks the value of `Origin`.
const ORIGIN: u8 = 6;

/// What a field of a request means for answers from files.
enum Field {
    /// Nothing.
    Indifferent,
    /// Another value may get another answer; the mark tells it from others.
    Decides(u8),
    /// `If-Modified-Since`.
    ModifiedSince,
    /// `Connection`.
    Connection,
    /// Its answer is made anew each time.
    Singular,
}

impl Field {
    fn of(name: &str) -> Self {
        const DECIDE: [(&str, u8); 6] = [
            ("host", 1),
            ("accept-encoding", 2),
            ("accept", 3),
            ("if-none-match", IF_NONE_MATCH),
            ("sec-fetch-dest", 5),
            ("origin", ORIGIN),
        ];
        const SINGULAR: [&str; 9] = [
            "range",
            "if-range",
            "if-match",
            "if-unmodified-since",
            "content-length",
            "transfer-encoding",
            "expect",
            "upgrade",
            "te",
        ];
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        if let Some((_, mark)) = DECIDE.iter().find(|(field, _)| is(field)) {
            Self::Decides(*mark)
        } else if is("connection") {
            Self::Connection
        } else if is("if-modified-since") {
            Self::ModifiedSince
        } else if SINGULAR.iter().any(|field| is(field)) {
            Self::Singular
        } else {
            Self::Indifferent
        }
    }
}

/// The answer to `key`, if it stands ready.
pub(super) fn get(key: &Key) -> Option<CachedResponse> {
    TABLE.with_borrow(|table| {
        let slot = table.get(place(key))?.as_ref()?;
        (slot.key == *key && Instant::now() < slot.until).then(|| slot.ready.clone())
    })
}

/// Keeps an answer ready for so long.
pub(super) fn put(key: Key, span: Duration, ready: CachedResponse) {
    let place = place(&key);
    TABLE.with_borrow_mut(|table| {
        if table.is_empty() {
            table.resize_with(SLOTS, || None);
        }
        table[place] = Some(Slot { key, until: Instant::now() + span, ready });
    });
}

/// Lets go of the answers whose moment is over.
pub(crate) fn sweep() {
    let now = Instant::now();
    TABLE.with_borrow_mut(|table| {
        for slot in table {
            if slot.as_ref().is_some_and(|slot| slot.until <= now) {
                *slot = None;
            }
        }
    });
}

fn place(key: &Key) -> usize {
    xxh3_64(&key.bytes) as usize % SLOTS
}

#[cfg(test)]
mod tests;

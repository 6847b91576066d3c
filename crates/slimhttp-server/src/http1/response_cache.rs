//! Responses that are repeated. What files answer is the same for everybody who
//! asks the same, so for a moment ([`FileCache::revalidate`]'s half) the bytes of
//! a response are kept for the next one who asks. One table for each I/O thread, of a
//! fixed size; what collides is overwritten. Beside it stands what handlers have answered a moment
//! ago, of which nothing is kept.
//!
//! The driver of a connection looks a request up before there is an exchange for it, and
//! `sending` puts its response here; both on their own thread, without a lock.
//!
//! `exchange` decides which responses may be repeated. Here stands what "the same"
//! means: [`key`] names every field that an answer from files depends on. Whoever
//! makes one depend on another field adds it there.
//!
//! [`FileCache::revalidate`]: slimhttp_site::file_rules::FileCache::revalidate

use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Response;
use slimhttp_http1::{PreparedHead, RequestHead};
use smallvec::SmallVec;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::exchange::Tracked;
use crate::message::body::Extent;

/// Responses that one I/O thread keeps.
const SLOTS: usize = 128;

/// Requests of which an I/O thread knows that handlers answer them: 2 KiB.
const HANDLED_SLOTS: usize = 256;

/// The longest content of one, in bytes: with its slot at most 2 MiB for each thread.
const MAX_CONTENT: usize = 16 * 1024;

/// The longest key, in bytes.
const MAX_KEY: usize = 2 * 1024;

/// A request, as far as the response depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    bytes: SmallVec<[u8; 256]>,
    /// Of the configuration.
    generation: u64,
    /// That of the connection, in which a `Host` without one is looked up.
    port: u16,
    /// Who says by which scheme its client has come, where a response may depend on that.
    forwarded_by: Option<IpAddr>,
}

/// A response that is kept.
#[derive(Clone, Debug)]
pub(super) struct CachedResponse {
    pub(super) head: Arc<PreparedHead>,
    pub(super) content: Bytes,
}

#[derive(Debug)]
struct Slot {
    key: Key,
    expires: Instant,
    response: CachedResponse,
}

thread_local! {
    static TABLE: RefCell<Vec<Option<Slot>>> = const { RefCell::new(Vec::new()) };
    /// Hashes of what handlers have answered lately, in the configuration that was in force: for
    /// such requests no key is made. What collides is overwritten.
    static HANDLED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// What a response depends on beside the head of its request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conditions {
    /// Of the configuration.
    pub(super) generation: u64,
    /// Whether the connection is encrypted.
    pub(super) tls: bool,
    /// The port that the client has connected to.
    pub(super) port: u16,
    /// Whether a scope has `cors`. Where none has, an `Origin` decides nothing, and
    /// one that differs each time takes nobody's slot.
    pub(super) varies_by_origin: bool,
    /// Whether a scope answers otherwise who comes by https. Where none does, what proxies say of
    /// the scheme decides nothing.
    pub(super) varies_by_scheme: bool,
    /// The other end of the connection: who is believed in that is a matter of the scope.
    pub(super) peer: IpAddr,
}

/// The key of a request to which a prepared head may be sent; `None` where its response is never
/// repeated.
pub(super) fn key(head: &RequestHead<'_>, conditions: Conditions) -> Option<Key> {
    let Conditions { generation, tls, port, .. } = conditions;
    let is_head = match head.method() {
        "GET" => false,
        "HEAD" => true,
        _ => return None,
    };
    let flags = u8::from(is_head) | u8::from(tls) << 1;
    if is_handled(flags, head, (generation, port)) {
        return None;
    }
    let mut bytes = SmallVec::new();
    bytes.push(flags);
    bytes.extend_from_slice(head.target().as_bytes());
    let (mut etag, mut date, mut forwarded_by) = (false, false, None);
    for field in head.fields().iter() {
        let mark = match Field::of(field.name) {
            Field::Ignored => continue,
            Field::Varies(ORIGIN) if !conditions.varies_by_origin => continue,
            Field::Varies(SCHEME) | Field::Forwarded if !conditions.varies_by_scheme => continue,
            Field::Varies(SCHEME) => {
                forwarded_by = Some(conditions.peer);
                SCHEME
            }
            Field::Varies(mark) => mark,
            Field::ModifiedSince => {
                date = true;
                continue;
            }
            Field::Connection if field.value.eq_ignore_ascii_case(b"keep-alive") => continue,
            Field::Connection | Field::Forwarded | Field::Uncacheable => return None,
        };
        etag |= mark == IF_NONE_MATCH;
        // Neither a target nor a value holds such a byte: the engine sees to it.
        bytes.push(mark);
        bytes.extend_from_slice(&field.value);
    }
    // RFC 9110 section 13.1.3: only without an If-None-Match does the date count.
    let fits = (etag || !date) && bytes.len() <= MAX_KEY;
    fits.then_some(Key { bytes, generation, port, forwarded_by })
}

/// Takes note that a handler has answered what `key` asks for, so that no response of it is kept.
pub(super) fn note_handled(key: &Key) {
    let [flags, target_and_fields @ ..] = &key.bytes[..] else { return };
    let end_of = |bytes: &[u8]| bytes.iter().position(|byte| *byte <= LAST_MARK);
    let end = end_of(target_and_fields).unwrap_or(target_and_fields.len());
    let (target, mut fields) = target_and_fields.split_at(end);
    while let [mark, rest @ ..] = fields {
        let (value, further) = rest.split_at(end_of(rest).unwrap_or(rest.len()));
        if *mark == HOST {
            let hash = hash_of(*flags, target, value, (key.generation, key.port));
            HANDLED.with_borrow_mut(|known| {
                known.resize(HANDLED_SLOTS, 0);
                known[hash as usize % HANDLED_SLOTS] = hash;
            });
            return;
        }
        fields = further;
    }
}

fn is_handled(flags: u8, head: &RequestHead<'_>, place: (u64, u16)) -> bool {
    let Some(host) = head.fields().iter().find(|field| field.name.eq_ignore_ascii_case("host"))
    else {
        return false;
    };
    let hash = hash_of(flags, head.target().as_bytes(), &host.value, place);
    HANDLED.with_borrow(|known| known.get(hash as usize % HANDLED_SLOTS) == Some(&hash))
}

fn hash_of(flags: u8, target: &[u8], host: &[u8], (generation, port): (u64, u16)) -> u64 {
    let scope = xxh3_64_with_seed(host, generation);
    xxh3_64_with_seed(target, scope.wrapping_add(u64::from(port) << 8 | u64::from(flags)))
}

/// Marks the value of `Host` in a key.
const HOST: u8 = 1;
/// Marks the value of `If-None-Match` in a key.
const IF_NONE_MATCH: u8 = 4;
/// Marks the value of `Origin`.
const ORIGIN: u8 = 6;
/// Marks what a proxy says of the scheme.
const SCHEME: u8 = 7;
/// The greatest mark.
const LAST_MARK: u8 = SCHEME;

/// What a field of a request means for answers from files.
enum Field {
    /// Nothing.
    Ignored,
    /// Another value may get another answer; the mark stands for the name.
    Varies(u8),
    /// `If-Modified-Since`.
    ModifiedSince,
    /// `Connection`.
    Connection,
    /// `Forwarded`, which tells the scheme and, each time anew, the client.
    Forwarded,
    /// Its response is made anew each time.
    Uncacheable,
}

impl Field {
    fn of(name: &str) -> Self {
        const VARY: [(&str, u8); 7] = [
            ("host", HOST),
            ("accept-encoding", 2),
            ("accept", 3),
            ("if-none-match", IF_NONE_MATCH),
            ("sec-fetch-dest", 5),
            ("origin", ORIGIN),
            ("x-forwarded-proto", SCHEME),
        ];
        const UNCACHEABLE: [&str; 9] = [
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
        if let Some((_, mark)) = VARY.iter().find(|(field, _)| is(field)) {
            Self::Varies(*mark)
        } else if is("connection") {
            Self::Connection
        } else if is("forwarded") {
            Self::Forwarded
        } else if is("if-modified-since") {
            Self::ModifiedSince
        } else if UNCACHEABLE.iter().any(|field| is(field)) {
            Self::Uncacheable
        } else {
            Self::Ignored
        }
    }
}

/// The response that is kept under `key`.
pub(super) fn get(key: &Key) -> Option<CachedResponse> {
    TABLE.with_borrow(|table| {
        let slot = table.get(slot_of(key))?.as_ref()?;
        (slot.key == *key && Instant::now() < slot.expires).then(|| slot.response.clone())
    })
}

/// Keeps a response for so long, if it is whole and short; `length` is that of the content, where it
/// is known.
pub(super) fn keep(
    key: Key,
    time: Duration,
    response: &Response<Tracked>,
    length: Option<u64>,
    extent: Extent,
) {
    let content = response.body().whole();
    let Some(content) = content.filter(|whole| whole.len() <= MAX_CONTENT) else { return };
    if extent == Extent::Whole && content.len() as u64 != length.unwrap_or(0) {
        return;
    }
    if let Some(head) = PreparedHead::new(response.status(), response.headers(), length) {
        put(key, time, CachedResponse { head: head.into(), content });
    }
}

fn put(key: Key, time: Duration, response: CachedResponse) {
    let slot = slot_of(&key);
    TABLE.with_borrow_mut(|table| {
        if table.is_empty() {
            table.resize_with(SLOTS, || None);
        }
        table[slot] = Some(Slot { key, expires: Instant::now() + time, response });
    });
}

/// Drops the responses whose time is over, and what is known of handlers: what one has answered may
/// be a file by now.
pub(crate) fn drop_expired() {
    let now = Instant::now();
    HANDLED.with_borrow_mut(Vec::clear);
    TABLE.with_borrow_mut(|table| {
        for slot in table {
            if slot.as_ref().is_some_and(|slot| slot.expires <= now) {
                *slot = None;
            }
        }
    });
}

fn slot_of(key: &Key) -> usize {
    let seed = match key.forwarded_by {
        None => 0,
        Some(IpAddr::V4(address)) => address.to_bits().into(),
        Some(IpAddr::V6(address)) => xxh3_64(&address.octets()),
    };
    xxh3_64_with_seed(&key.bytes, seed) as usize % SLOTS
}

#[cfg(test)]
mod tests;

//! Which answers are compressed, in what, and what their heads say.

use std::sync::Arc;

use super::*;
use crate::files::glob::Globs;

/// Fields in lines, `name: value`.
fn fields(lines: &[&str]) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").expect("a field");
        let name = HeaderName::try_from(name).expect("a name");
        fields.append(name, value.parse().expect("a value"));
    }
    fields
}

/// The fields in lines, in the order of their names.
fn lines(fields: &HeaderMap) -> Vec<String> {
    let text = |value: &HeaderValue| value.to_str().expect("text").to_owned();
    let mut lines: Vec<_> =
        fields.iter().map(|(name, value)| format!("{name}: {}", text(value))).collect();
    lines.sort();
    lines
}

const HTML: &str = "content-type: text/html; charset=utf-8";

#[test]
fn the_coding_is_the_one_that_the_client_likes_best() {
    for (accepted, coding) in [
        (&[][..], None),
        (&["gzip"], Some(Coding::Gzip)),
        (&["x-gzip"], Some(Coding::Gzip)),
        (&["gzip, deflate, br, zstd"], Some(Coding::Brotli)),
        (&["gzip", "zstd"], Some(Coding::Zstd)),
        (&["gzip, br;q=0.5"], Some(Coding::Gzip)),
        (&["gzip;q=0"], None),
        (&["*;q=0"], None),
        (&["identity"], None),
        (&["gzip;q=0.5, identity"], None),
        (&["br;q=0, *"], Some(Coding::Zstd)),
        (&["deflate"], None),
    ] {
        let mut request = HeaderMap::new();
        for value in accepted {
            request.append(ACCEPT_ENCODING, HeaderValue::from_static(value));
        }
        let mut answer = fields(&[HTML]);
        let found = negotiate(&Compress::default(), &request, StatusCode::OK, &mut answer, None);
        assert_eq!(found, coding, "{accepted:?}");
        // Who says nothing is looked at no further.
        let varies = answer.get("vary").map(HeaderValue::as_bytes);
        assert_eq!(varies, (!accepted.is_empty()).then_some(&b"Accept-Encoding"[..]));
    }
}

#[test]
fn what_is_no_whole_content_of_a_type_that_is_compressed_stays_as_it_is() {
    for (status, length, answer, is_coded) in [
        (200, None, &[HTML][..], true),
        (200, Some(1024), &[HTML], true),
        (200, Some(1 << 40), &[HTML], true),
        (200, Some(1023), &[HTML], false),
        (200, Some(0), &[HTML], false),
        (201, None, &[HTML], true),
        (404, None, &[HTML], true),
        (500, None, &[HTML], true),
        (101, None, &[HTML], false),
        (204, None, &[HTML], false),
        (205, None, &[HTML], false),
        (206, None, &[HTML], false),
        (304, None, &[HTML], false),
        (200, None, &[], false),
        (200, None, &["content-type: TEXT/HTML"], true),
        (200, None, &["content-type: application/problem+json"], true),
        (200, None, &["content-type: text/event-stream"], true),
        (200, None, &["content-type: image/png"], false),
        (200, None, &["content-type: application/octet-stream"], false),
        (200, None, &["content-type: multipart/byteranges; boundary=text/html"], false),
        (200, None, &[HTML, "content-encoding: gzip"], false),
        (200, None, &[HTML, "content-encoding: identity"], false),
        (200, None, &[HTML, "content-range: bytes 0-1/2"], false),
        (416, None, &[HTML, "content-range: bytes */2"], false),
        (200, None, &[HTML, "cache-control: no-cache"], true),
        (200, None, &[HTML, "cache-control: no-cache, No-Transform"], false),
        (200, None, &[HTML, "cache-control: no-cache", "cache-control: no-transform"], false),
        (200, None, &[HTML, "content-digest: sha-256=:aa=:"], false),
        (200, None, &[HTML, "repr-digest: sha-256=:aa=:"], false),
        (200, None, &[HTML, "content-md5: aa"], false),
        (200, None, &[HTML, "digest: sha-256=aa"], false),
        (200, None, &[HTML, "want-content-digest: sha-256=1"], true),
    ] {
        let request = fields(&["accept-encoding: gzip"]);
        let status = StatusCode::from_u16(status).expect("a status");
        let mut head = fields(answer);
        let found = negotiate(&Compress::default(), &request, status, &mut head, length);
        assert_eq!(found, is_coded.then_some(Coding::Gzip), "{status} {length:?} {answer:?}");
        assert_eq!(head.contains_key("vary"), is_coded, "{status} {length:?} {answer:?}");
    }
}

#[test]
fn the_options_of_the_scope_hold() {
    let only = |codings: &[Coding]| Compress { codings: codings.into(), ..Compress::default() };
    for (compress, coding) in [
        (only(&[Coding::Gzip, Coding::Brotli]), Some(Coding::Gzip)),
        (only(&[Coding::Zstd]), None),
        (Compress { dynamic: false, ..Compress::default() }, None),
        (Compress { min_size: 2001, ..Compress::default() }, None),
        (Compress { min_size: 2000, ..Compress::default() }, Some(Coding::Brotli)),
        // About files.
        (Compress { on_the_fly: false, ..Compress::default() }, Some(Coding::Brotli)),
        (Compress { max_size: 1999, ..Compress::default() }, Some(Coding::Brotli)),
        (Compress { types: globs("image/*"), ..Compress::default() }, None),
    ] {
        let request = fields(&["accept-encoding: gzip, br"]);
        let mut answer = fields(&[HTML]);
        let found = negotiate(&compress, &request, StatusCode::OK, &mut answer, Some(2000));
        assert_eq!(found, coding, "{compress:?}");
    }
}

#[test]
fn nothing_at_all_is_never_compressed() {
    let compress = Compress { min_size: 0, ..Compress::default() };
    let request = fields(&["accept-encoding: gzip"]);
    for (length, coding) in [(0, None), (1, Some(Coding::Gzip))] {
        let mut answer = fields(&[HTML]);
        let found = negotiate(&compress, &request, StatusCode::OK, &mut answer, Some(length));
        assert_eq!(found, coding, "{length}");
    }
}

fn globs(pattern: &str) -> Globs {
    Globs::new(&[pattern]).expect("a pattern")
}

#[test]
fn the_head_says_what_the_coding_changes() {
    for (before, after) in [
        (&[HTML][..], &["content-encoding: zstd", HTML, "vary: Accept-Encoding"][..]),
        (
            &["accept-ranges: bytes", "content-length: 5000", HTML, "etag: \"a\"", "vary: Cookie"],
            &["content-encoding: zstd", HTML, "etag: W/\"a\"", "vary: Cookie, Accept-Encoding"],
        ),
        (
            &[HTML, "etag: W/\"a\"", "vary: Accept-Encoding", "vary: Cookie"],
            &["content-encoding: zstd", HTML, "etag: W/\"a\"", "vary: Accept-Encoding, Cookie"],
        ),
        (
            &[HTML, "etag: none", "vary: *"],
            &["content-encoding: zstd", HTML, "etag: none", "vary: *"],
        ),
    ] {
        let request = fields(&["accept-encoding: zstd"]);
        let mut answer = fields(before);
        let compress = Compress { codings: Arc::new([Coding::Zstd]), ..Compress::default() };
        let coding = negotiate(&compress, &request, StatusCode::OK, &mut answer, None);
        put_coding(coding.expect("it is accepted"), &mut answer);
        assert_eq!(lines(&answer), after, "{before:?}");
    }
}

#[test]
fn a_stream_of_events_is_known_by_its_media_type() {
    for (kind, is_events) in [
        ("text/event-stream", true),
        ("Text/Event-Stream ; charset=utf-8", true),
        ("text/event-streams", false),
        ("text/plain; of=text/event-stream", false),
    ] {
        let answer = fields(&[&format!("content-type: {kind}")]);
        assert_eq!(is_event_stream(&answer), is_events, "{kind}");
    }
    assert!(!is_event_stream(&HeaderMap::new()));
}

//! Whole replies: every status with exactly its fields.

use super::*;

/// 1994-11-06 08:49:37 UTC, the date of RFC 9110 section 5.6.7.
const NOV_6: i64 = 784_111_777;
const SAME: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const EARLIER: &str = "Sun, 06 Nov 1994 08:49:36 GMT";

/// The facts of a file, owned.
struct File {
    length: u64,
    last_modified: Option<LastModified>,
    etag: ETag,
    content_type: HeaderValue,
    coding: Option<Coding>,
    varies: bool,
}

fn file(length: u64) -> File {
    File {
        length,
        last_modified: LastModified::new(NOV_6),
        etag: ETag::strong("v1").unwrap(),
        content_type: HeaderValue::from_static("text/plain; charset=utf-8"),
        coding: None,
        varies: false,
    }
}

impl File {
    fn facts(&self) -> FileFacts<'_> {
        FileFacts {
            length: self.length,
            content_length: None,
            last_modified: self.last_modified.as_ref(),
            etag: &self.etag,
            content_type: &self.content_type,
            coding: self.coding,
            varies: self.varies,
        }
    }
}

fn reply(method: &str, lines: &[(&'static str, &str)], file: &File) -> FileReply {
    let mut request = HeaderMap::new();
    for (name, value) in lines {
        request.append(*name, value.parse().unwrap());
    }
    file_reply(&Method::from_bytes(method.as_bytes()).unwrap(), &request, &file.facts())
}

/// Every field, sorted: a reply has exactly these.
fn lines(headers: &HeaderMap) -> Vec<String> {
    let line = |(name, value): (_, &HeaderValue)| format!("{name}: {}", value.to_str().unwrap());
    let mut lines: Vec<_> = headers.iter().map(line).collect();
    lines.sort();
    lines
}

const WHOLE: &[&str] = &[
    "accept-ranges: bytes",
    "content-length: 10",
    "content-type: text/plain; charset=utf-8",
    "etag: \"v1\"",
    "last-modified: Sun, 06 Nov 1994 08:49:37 GMT",
];
const LAST_3: &[&str] = &[
    "accept-ranges: bytes",
    "content-length: 3",
    "content-range: bytes 7-9/10",
    "content-type: text/plain; charset=utf-8",
    "etag: \"v1\"",
    "last-modified: Sun, 06 Nov 1994 08:49:37 GMT",
];
const VALIDATORS: &[&str] = &["etag: \"v1\"", "last-modified: Sun, 06 Nov 1994 08:49:37 GMT"];
const UNSATISFIABLE: &[&str] = &["accept-ranges: bytes", "content-range: bytes */10"];

#[test]
fn c5_4_replies() {
    use FileContent::{Nothing, Range, Whole};
    type Case<'c> =
        (&'c str, &'c [(&'static str, &'c str)], u16, &'static [&'static str], FileContent);
    const R: &str = "range";
    let cases: &[Case<'_>] = &[
        // 15.3.1, 9.3.2
        ("GET", &[], 200, WHOLE, Whole),
        ("HEAD", &[], 200, WHOLE, Nothing),
        // 14.2, 15.3.7.1
        ("GET", &[(R, "bytes=-3")], 206, LAST_3, Range(7..=9)),
        ("GET", &[(R, "bytes=7-")], 206, LAST_3, Range(7..=9)),
        ("GET", &[(R, "bytes=7-7,8-100")], 206, LAST_3, Range(7..=9)),
        ("HEAD", &[(R, "bytes=-3")], 200, WHOLE, Nothing),
        ("HEAD", &[(R, "bytes=10-")], 200, WHOLE, Nothing),
        ("GET", &[(R, "lines=1-2")], 200, WHOLE, Whole),
        ("GET", &[(R, "bytes=3-2")], 200, WHOLE, Whole),
        // 15.5.17
        ("GET", &[(R, "bytes=10-")], 416, UNSATISFIABLE, Nothing),
        // 13.1.5
        ("GET", &[(R, "bytes=-3"), ("if-range", "\"v1\"")], 206, LAST_3, Range(7..=9)),
        ("GET", &[(R, "bytes=-3"), ("if-range", SAME)], 200, WHOLE, Whole),
        ("GET", &[(R, "bytes=-3"), ("if-range", "\"v0\"")], 200, WHOLE, Whole),
        ("GET", &[(R, "bytes=-3"), ("if-range", "W/\"v1\"")], 200, WHOLE, Whole),
        ("GET", &[(R, "bytes=-3"), ("if-range", EARLIER)], 200, WHOLE, Whole),
        ("GET", &[(R, "bytes=10-"), ("if-range", "\"v0\"")], 200, WHOLE, Whole),
        ("GET", &[("if-range", "\"v0\"")], 200, WHOLE, Whole),
        // 15.4.5
        ("GET", &[("if-none-match", "\"v1\"")], 304, VALIDATORS, Nothing),
        ("HEAD", &[("if-none-match", "W/\"v1\"")], 304, VALIDATORS, Nothing),
        ("GET", &[("if-modified-since", SAME)], 304, VALIDATORS, Nothing),
        ("GET", &[("if-modified-since", EARLIER)], 200, WHOLE, Whole),
        // 15.5.13
        ("GET", &[("if-match", "\"v0\"")], 412, &[], Nothing),
        ("HEAD", &[("if-unmodified-since", EARLIER)], 412, &[], Nothing),
        // 13.2.2: preconditions stand before ranges.
        ("GET", &[(R, "bytes=-3"), ("if-none-match", "\"v1\"")], 304, VALIDATORS, Nothing),
        ("GET", &[(R, "bytes=10-"), ("if-match", "\"v0\"")], 412, &[], Nothing),
        ("GET", &[(R, "bytes=-3"), ("if-match", "\"v1\"")], 206, LAST_3, Range(7..=9)),
    ];
    for (method, request, status, expect, content) in cases {
        let found = reply(method, request, &file(10));
        let context = format!("{method} {request:?}");
        assert_eq!(found.status.as_u16(), *status, "{context}");
        assert_eq!(lines(&found.headers), *expect, "{context}");
        assert_eq!(found.content, *content, "{context}");
    }
}

#[test]
fn c5_4_several_ranges_are_one_multipart() {
    let bytes = b"0123456789";
    let found = reply("GET", &[("range", "bytes=8-9,0-0,3-4")], &file(10));
    let FileContent::Multipart { parts, end } = found.content else {
        panic!("{:?}", found.content)
    };
    let mut sent = Vec::new();
    for part in &parts {
        sent.extend_from_slice(part.head.as_bytes());
        sent.extend_from_slice(&bytes[*part.range.start() as usize..=*part.range.end() as usize]);
    }
    sent.extend_from_slice(end.as_bytes());
    let sent = String::from_utf8(sent).unwrap();

    let media_type = found.headers["content-type"].to_str().unwrap();
    let boundary = media_type.strip_prefix("multipart/byteranges; boundary=").unwrap();
    let part = |span: &str, bytes: &str| {
        format!(
            "--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Range: bytes {span}/10\r\n\r\n{bytes}\r\n"
        )
    };
    let expect = part("8-9", "89") + &part("0-0", "0") + &part("3-4", "34");
    assert_eq!(sent, expect + "--" + boundary + "--\r\n");

    let expect = [
        "accept-ranges: bytes".to_owned(),
        format!("content-length: {}", sent.len()),
        format!("content-type: {media_type}"),
        "etag: \"v1\"".to_owned(),
        format!("last-modified: {SAME}"),
    ];
    assert_eq!(found.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(lines(&found.headers), expect);
}

#[test]
fn c5_4_a_boundary_is_legal_and_belongs_to_one_content() {
    let boundary = |tag: &str| {
        let file = File { etag: ETag::strong(tag).unwrap(), ..file(10) };
        let reply = reply("GET", &[("range", "bytes=0-0,9-9")], &file);
        let text = reply.headers["content-type"].to_str().unwrap().to_owned();
        text.rsplit_once('=').unwrap().1.to_owned()
    };
    assert_eq!(boundary("a"), boundary("a"));
    assert_ne!(boundary("a"), boundary("b"));
    // RFC 2046 section 5.1.1: 1 to 70 characters of a small set.
    let text = boundary("a");
    assert!(text.len() <= 70 && text.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{text}");
}

#[test]
fn c5_4_an_empty_file() {
    let cases = [
        ("GET", &[][..], 200, FileContent::Whole),
        ("HEAD", &[], 200, FileContent::Nothing),
        ("GET", &[("range", "bytes=-3")], 200, FileContent::Whole),
        ("GET", &[("range", "bytes=0-")], 416, FileContent::Nothing),
    ];
    for (method, request, status, content) in cases {
        let found = reply(method, request, &file(0));
        assert_eq!((found.status.as_u16(), found.content), (status, content), "{request:?}");
        match status {
            200 => assert_eq!(found.headers["content-length"], "0"),
            _ => assert_eq!(found.headers["content-range"], "bytes */0"),
        }
    }
}

#[test]
fn c5_4_a_time_that_no_date_can_say_is_not_said() {
    for seconds in [-1, i64::MIN, i64::MAX] {
        let file = File { last_modified: LastModified::new(seconds), ..file(10) };
        for (name, value) in [("if-modified-since", SAME), ("if-unmodified-since", EARLIER)] {
            let found = reply("GET", &[(name, value)], &file);
            assert_eq!(found.status, StatusCode::OK, "{seconds} {name}");
            assert!(!found.headers.contains_key("last-modified"), "{seconds}");
        }
    }
}

/// [`WHOLE`] and its like with `Vary`, and with a coding.
fn with(lines: &[&'static str], more: &[&'static str]) -> Vec<&'static str> {
    let mut lines = [lines, more].concat();
    lines.sort_unstable();
    lines
}

#[test]
fn c5_4_a_resource_in_several_codings_says_so() {
    const VARY: &[&str] = &["vary: Accept-Encoding"];
    const CODED: &[&str] = &["vary: Accept-Encoding", "content-encoding: br"];
    const IF_NONE_MATCH: &[(&str, &str)] = &[("if-none-match", "\"v1\"")];
    const LAST: &[(&str, &str)] = &[("range", "bytes=-3")];
    const BEHIND: &[(&str, &str)] = &[("range", "bytes=10-")];
    let (plain, coded) = (None, Some(Coding::Brotli));
    type Case = (Option<Coding>, &'static str, &'static [(&'static str, &'static str)], u16);
    let cases: &[(Case, Vec<&str>)] = &[
        ((plain, "GET", &[], 200), with(WHOLE, VARY)),
        ((plain, "HEAD", &[], 200), with(WHOLE, VARY)),
        ((plain, "GET", LAST, 206), with(LAST_3, VARY)),
        ((plain, "GET", IF_NONE_MATCH, 304), with(VALIDATORS, VARY)),
        ((coded, "GET", &[], 200), with(WHOLE, CODED)),
        ((coded, "HEAD", &[], 200), with(WHOLE, CODED)),
        ((coded, "GET", LAST, 206), with(LAST_3, CODED)),
        // 15.4.5: what describes content is not said where there is none.
        ((coded, "GET", IF_NONE_MATCH, 304), with(VALIDATORS, VARY)),
        ((coded, "GET", BEHIND, 416), with(UNSATISFIABLE, &[])),
        ((coded, "GET", &[("if-match", "\"v0\"")], 412), Vec::new()),
    ];
    for ((coding, method, request, status), expect) in cases {
        let file = File { coding: *coding, varies: true, ..file(10) };
        let found = reply(method, request, &file);
        assert_eq!(found.status.as_u16(), *status, "{coding:?} {method} {request:?}");
        assert_eq!(lines(&found.headers), *expect, "{coding:?} {method} {request:?}");
    }
}

#[test]
fn c5_4_a_weak_tag_promises_no_bytes() {
    const R: (&str, &str) = ("range", "bytes=-3");
    let cases: &[(&[(&'static str, &str)], u16)] = &[
        (&[], 200),
        (&[R], 206),
        // 13.1.5: If-Range takes what is strong, and a date never is (8.8.2.2).
        (&[R, ("if-range", "W/\"v1\"")], 200),
        (&[R, ("if-range", "\"v1\"")], 200),
        (&[R, ("if-range", SAME)], 200),
        // 13.1.1 compares strongly, 13.1.2 weakly.
        (&[("if-match", "W/\"v1\"")], 412),
        (&[("if-match", "*")], 200),
        (&[("if-none-match", "W/\"v1\"")], 304),
        (&[("if-none-match", "\"v1\"")], 304),
    ];
    for (request, status) in cases {
        let file = File { etag: ETag::weak("v1").unwrap(), ..file(10) };
        let found = reply("GET", request, &file);
        assert_eq!(found.status.as_u16(), *status, "{request:?}");
        if matches!(status, 200 | 206 | 304) {
            assert_eq!(found.headers["etag"], "W/\"v1\"", "{request:?}");
        }
    }
}

#[test]
fn c5_1_options_are_told() {
    // 9.3.7; and no precondition concerns it (13.2.1).
    for request in [&[][..], &[("if-match", "\"v0\"")], &[("range", "bytes=0-1")]] {
        let found = reply("OPTIONS", request, &file(10));
        assert_eq!(found.status, StatusCode::NO_CONTENT);
        assert_eq!(lines(&found.headers), ["allow: GET, HEAD, OPTIONS"]);
        assert_eq!(found.content, FileContent::Nothing);
    }
    assert_eq!(Methods::of_files().to_string(), "GET, HEAD, OPTIONS");
}

#[test]
fn a_length_that_is_kept_is_sent_as_it_is() {
    let file = file(10);
    let kept = HeaderValue::from_static("10");
    let facts = FileFacts { content_length: Some(&kept), ..file.facts() };
    let found = file_reply(&Method::GET, &HeaderMap::new(), &facts);
    assert_eq!(lines(&found.headers), WHOLE);
    assert_eq!(found.headers["content-length"].as_bytes().as_ptr(), kept.as_bytes().as_ptr());
}

#[test]
fn a_type_beyond_ascii_becomes_bytes_in_the_head_of_a_part() {
    let content_type = HeaderValue::from_bytes(b"text/\xff").unwrap();
    let found = reply("GET", &[("range", "bytes=0-0,9-9")], &File { content_type, ..file(10) });
    let FileContent::Multipart { parts, .. } = found.content else { panic!("{:?}", found.content) };
    assert!(parts[0].head.contains("\r\nContent-Type: application/octet-stream\r\n"));
}

#[test]
fn c5_4_each_coding_has_its_tag() {
    let hash = 0x0123_4567_89ab_cdef;
    let cases = [
        (Coding::Brotli, "\"00000000000000000123456789abcdef-br\""),
        (Coding::Zstd, "\"00000000000000000123456789abcdef-zstd\""),
        (Coding::Gzip, "\"00000000000000000123456789abcdef-gzip\""),
    ];
    let as_it_is = etag_of_content(hash);
    assert_eq!(as_it_is.to_string(), "\"00000000000000000123456789abcdef\"");
    assert!(!as_it_is.is_weak());
    for (coding, expect) in cases {
        let tag = as_it_is.in_coding(coding);
        assert_eq!(tag.to_string(), expect);
        assert!(!tag.is_weak());
    }
    let weak = weak_etag_of(1, 2, 3, 4, 5);
    assert!(weak.is_weak());
    // If-None-Match takes the one for the other where only the `W/` differs.
    assert_ne!(weak.to_string(), format!("W/{}", etag_of(1, 2, 3, 4, 5)));
    let coded = weak.in_coding(Coding::Gzip).to_string();
    assert!(coded.starts_with("W/\"") && coded.ends_with("-gzip\""), "{coded}");
    assert_eq!(ETag::parse(coded.as_bytes()).unwrap().to_string(), coded);
}

#[test]
fn c5_4_every_fact_changes_the_tag() {
    let facts = [(1, 2, 3, 4, 5), (9, 2, 3, 4, 5), (1, 9, 3, 4, 5), (1, 2, 9, 4, 5)];
    let times = [(1, 2, 3, 9, 5), (1, 2, 3, 4, 9), (1, 2, 3, -4, 5), (1, 2, 3, 5, 4)];
    let mut tags = std::collections::HashSet::new();
    for (device, inode, length, mtime, ctime) in facts.into_iter().chain(times) {
        let tag = etag_of(device, inode, length, mtime, ctime);
        assert!(!tag.is_weak());
        assert!(tags.insert(tag.to_string()), "{tag}");
    }
    assert_eq!(etag_of(1, 2, 3, 4, 5), etag_of(1, 2, 3, 4, 5));
}

#[test]
fn the_hash_is_fnv_1a() {
    // Vectors of draft-eastlake-fnv.
    for (bytes, text) in [
        ("", "6c62272e07bb014262b821756295c58d"),
        ("a", "d228cb696f1a8caf78912b704e4a8964"),
        ("foobar", "343e1662793c64bf6f0d3597ba446f18"),
    ] {
        let mut hash = Fnv::new();
        hash.write(bytes.as_bytes());
        assert_eq!(hash.text(), text, "{bytes}");
    }
}

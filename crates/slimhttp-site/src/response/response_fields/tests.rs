//! Fields by rule: what is set, merged, taken away, and what no rule touches.

use std::sync::Arc;

use super::*;
use crate::files::glob::ByGlob;

/// `glob: value` of `cache_control`.
fn cache_control(entries: &[(&str, &'static str)]) -> ByGlob<HeaderValue> {
    let entries = entries.iter().map(|(glob, value)| (*glob, HeaderValue::from_static(value)));
    ByGlob::new(entries).unwrap()
}

/// `+name: value` adds, `-name` removes, `name: value` sets.
fn field_rules(lines: &[&str]) -> Arc<[FieldRule]> {
    fn read(line: &str) -> (HeaderName, &str) {
        let (name, value) = line.split_once(": ").unwrap();
        (name.parse().unwrap(), value)
    }
    lines
        .iter()
        .map(|line| match (line.strip_prefix('-'), line.strip_prefix('+')) {
            (Some(name), _) => FieldRule::Remove(name.parse().unwrap()),
            (_, Some(added)) => {
                let (name, values) = read(added);
                let values = values.split(" | ").map(|value| value.parse().unwrap()).collect();
                FieldRule::Add(name, values)
            }
            _ => {
                let (name, value) = read(line);
                FieldRule::Set(name, value.parse().unwrap())
            }
        })
        .collect()
}

fn headers(lines: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    headers
}

fn lines(headers: &HeaderMap) -> Vec<String> {
    let line = |(name, value): (_, &HeaderValue)| format!("{name}: {}", value.to_str().unwrap());
    let mut lines: Vec<_> = headers.iter().map(line).collect();
    lines.sort();
    lines
}

fn path(text: &str) -> SafePath {
    SafePath::of_names(text.as_bytes()).unwrap()
}

#[test]
fn c5_4_cache_control_by_name_and_by_status() {
    const FOR_EVER: &str = "public, max-age=31536000, immutable";
    let entries = [("*.css", "max-age=60"), ("/assets/*.css", "max-age=7"), ("*.html", "no-cache")];
    let rules = FileRules {
        cache_control: cache_control(&entries),
        immutable: true,
        ..FileRules::default()
    };
    let cases = [
        ("a.css", 200, Some("max-age=60")),
        ("assets/a.css", 200, Some("max-age=7")),
        ("assets/deep/a.css", 200, Some("max-age=60")),
        ("index.html", 200, Some("no-cache")),
        ("index.html", 206, Some("no-cache")),
        // 15.4.5: a 304 carries it as the 200 would.
        ("index.html", 304, Some("no-cache")),
        ("index.html", 404, None),
        ("index.html", 416, None),
        ("index.html", 500, None),
        ("a.js", 200, None),
        // `cache_control` names it: the hint stands back.
        ("app.3f9c2b1a.css", 200, Some("max-age=60")),
        ("app.3f9c2b1a.js", 200, Some(FOR_EVER)),
        ("app.3f9c2b1a.js", 206, Some(FOR_EVER)),
        ("app.3f9c2b1a.js", 304, Some(FOR_EVER)),
        ("app.3f9c2b1a.js", 404, None),
        ("404.3f9c2b1a.htm", 404, None),
    ];
    for (name, status, expect) in cases {
        let mut found = HeaderMap::new();
        file_fields(&rules, &path(name), &mut found, StatusCode::from_u16(status).unwrap());
        let found = found.get(header::CACHE_CONTROL).map(|value| value.to_str().unwrap());
        assert_eq!(found, expect, "{name} {status}");
    }
}

#[test]
fn c5_4_names_with_a_fingerprint() {
    let cases = [
        // What webpack, Vite, esbuild, Rollup and Django make.
        ("app.3f9c2b1a.js", true),
        ("index-BfK3a9Xz.js", true),
        ("assets/index-BfK3a9Xz.css", true),
        ("main-7H2KD4QX.js", true),
        ("chunk_4f9a0c3d2e1b.js", true),
        ("app.3f9c2b1a.js.map", true),
        ("app.3f9c2b1a.min.css", true),
        ("logo.d41d8cd98f00b204e9800998ecf8427e.png", true),
        ("index-B_K3a-Xz.js", true),
        ("index.-fK3a9Xz.js", true),
        // Too short, or no digit, or no letter.
        ("app.3f9c2b1.js", false),
        ("app.abcdefgh.js", false),
        ("app.12345678.js", false),
        ("photo-20240115.jpg", false),
        ("IMG_20240115_123456.jpg", false),
        // Words and numbers.
        ("release-candidate1.zip", false),
        ("trip-2024holiday.jpg", false),
        ("my-holiday-photos-2024.jpg", false),
        ("report-2024-01-15.pdf", false),
        ("jquery-3.6.0.min.js", false),
        ("bootstrap.bundle.min.js", false),
        // Nothing before it, or nothing behind.
        ("3f9c2b1a.js", false),
        ("app.3f9c2b1a", false),
        ("3f9c2b1a5d6e/app.js", false),
        ("app.3f9c2b1\u{e4}9.js", false),
        ("app", false),
        ("a.js", false),
    ];
    for (name, expect) in cases {
        assert_eq!(has_fingerprint(name.as_bytes()), expect, "{name}");
    }
}

#[test]
fn c5_4_fields_of_files() {
    const PLAIN: &[&str] = &["content-type: text/plain", "etag: \"1\""];
    type Case = (
        &'static [(&'static str, &'static [&'static str])],
        u16,
        &'static [&'static str],
        &'static [&'static str],
    );
    // The rules by glob, the status, the fields before and behind, for `/a/b.txt`.
    let cases: &[Case] = &[
        (&[], 200, PLAIN, PLAIN),
        (&[("*.js", &["x-a: 1"])], 200, PLAIN, PLAIN),
        (&[("*.txt", &["x-a: 1"])], 200, &[], &["x-a: 1"]),
        (&[("*.txt", &["x-a: 1"])], 206, &[], &["x-a: 1"]),
        (&[("*.txt", &["x-a: 1"])], 304, &[], &["x-a: 1"]),
        (&[("*.txt", &["x-a: 1"])], 404, &[], &["x-a: 1"]),
        // All that match, the longest last.
        (&[("*", &["x-a: 1", "x-b: 1"]), ("*.txt", &["x-a: 2"])], 200, &[], &["x-a: 2", "x-b: 1"]),
        (&[("/a/*.txt", &["x-a: 3"]), ("*.txt", &["x-a: 2"])], 200, &[], &["x-a: 3"]),
        (&[("*", &["x-a: 1"]), ("*.txt", &["-x-a"])], 200, &[], &[]),
        (
            &[("*", &["+x-a: 1 | 2"]), ("*.txt", &["+x-a: 3"])],
            200,
            &["x-a: 0"],
            &["x-a: 0", "x-a: 1", "x-a: 2", "x-a: 3"],
        ),
        (&[("*", &["-etag"])], 200, PLAIN, &["content-type: text/plain"]),
        (&[("*", &["content-type: text/x"])], 200, PLAIN, &["content-type: text/x", "etag: \"1\""]),
        // A 304 does not describe content.
        (&[("*", &["content-type: text/x", "x-a: 1"])], 304, &[], &["x-a: 1"]),
        (&[("*", &["content-language: en"])], 304, &[], &[]),
        (&[("*", &["content-language: en"])], 200, &[], &["content-language: en"]),
        // The parts of a multipart are found by its own type.
        (
            &[("*", &["content-type: text/x", "x-a: 1"])],
            206,
            &["content-type: multipart/byteranges; boundary=b"],
            &["content-type: multipart/byteranges; boundary=b", "x-a: 1"],
        ),
        // A coding that the content has is not denied, one that it had is told.
        (
            &[("*", &["content-encoding: gzip"])],
            200,
            &["content-encoding: br"],
            &["content-encoding: br"],
        ),
        (
            &[("*", &["-content-encoding"])],
            200,
            &["content-encoding: br"],
            &["content-encoding: br"],
        ),
        (&[("*", &["content-encoding: gzip"])], 200, &[], &["content-encoding: gzip"]),
        // Vary is one list, without doubles.
        (
            &[("*", &["vary: Accept-Encoding"])],
            200,
            &["vary: Accept-Encoding"],
            &["vary: Accept-Encoding"],
        ),
        (
            &[("*", &["vary: accept-encoding, Cookie"])],
            200,
            &["vary: Accept-Encoding"],
            &["vary: Accept-Encoding, Cookie"],
        ),
        (
            &[("*", &["+vary: Cookie | Accept"])],
            304,
            &["vary: Accept-Encoding"],
            &["vary: Accept-Encoding, Cookie, Accept"],
        ),
        (&[("*", &["vary: Cookie"])], 200, &[], &["vary: Cookie"]),
        (&[("*", &["vary: *"])], 200, &["vary: Cookie"], &["vary: *"]),
        (&[("*", &["-vary"])], 200, &["vary: Cookie"], &[]),
        // What frames the message is not a rule's.
        (&[("*", &["content-length: 3"])], 200, &["content-length: 10"], &["content-length: 10"]),
        (
            &[("*", &["-content-length", "-content-range"])],
            206,
            &["content-length: 1", "content-range: bytes 0-0/1"],
            &["content-length: 1", "content-range: bytes 0-0/1"],
        ),
        (
            &[(
                "*",
                &[
                    "transfer-encoding: chunked",
                    "connection: x",
                    "date: x",
                    "upgrade: x",
                    "keep-alive: x",
                    "trailer: x",
                ],
            )],
            200,
            &[],
            &[],
        ),
    ];
    for (rules, status, before, behind) in cases {
        let entries = rules.iter().map(|(glob, lines)| (*glob, field_rules(lines)));
        let file_headers = ByGlob::new(entries).unwrap();
        let rules = FileRules { file_headers, ..FileRules::default() };
        let mut found = headers(before);
        let status = StatusCode::from_u16(*status).unwrap();
        file_fields(&rules, &path("a/b.txt"), &mut found, status);
        assert_eq!(lines(&found), *behind, "{:?} {status} {before:?}", rules.file_headers);
    }
}

#[test]
fn c5_4_a_plain_scope_says_nothing_more() {
    let mut found = HeaderMap::new();
    file_fields(&FileRules::default(), &path("app.3f9c2b1a.js"), &mut found, StatusCode::OK);
    answer_fields(&AnswerRules::default(), &mut found, true);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn c8_3_fields_of_every_answer() {
    const SECURITY: &[(&str, &str, bool)] = &[
        ("x-content-type-options", "nosniff", false),
        ("x-frame-options", "SAMEORIGIN", false),
        ("strict-transport-security", "max-age=31536000", true),
    ];
    const NOSNIFF: &str = "x-content-type-options: nosniff";
    const SAME: &str = "x-frame-options: SAMEORIGIN";
    const STRICT: &str = "strict-transport-security: max-age=31536000";
    const TLS: bool = true;
    const PLAIN: bool = false;
    type Case = (&'static [&'static str], bool, &'static [&'static str], &'static [&'static str]);
    // The rules, the transport, the fields before and behind.
    let cases: &[Case] = &[
        (&[], PLAIN, &[], &[NOSNIFF, SAME]),
        (&[], TLS, &[], &[STRICT, NOSNIFF, SAME]),
        // Where nobody has set them: the answer, or a rule.
        (&[], PLAIN, &["x-frame-options: DENY"], &[NOSNIFF, "x-frame-options: DENY"]),
        (&["x-frame-options: DENY"], PLAIN, &[], &[NOSNIFF, "x-frame-options: DENY"]),
        (&["+x-frame-options: DENY"], PLAIN, &[], &[NOSNIFF, "x-frame-options: DENY"]),
        (&["-x-frame-options"], PLAIN, &[], &[NOSNIFF]),
        (&["-x-frame-options"], PLAIN, &["x-frame-options: DENY"], &[NOSNIFF]),
        (&["-strict-transport-security"], TLS, &[], &[NOSNIFF, SAME]),
        (
            &["strict-transport-security: max-age=1"],
            TLS,
            &[],
            &["strict-transport-security: max-age=1", NOSNIFF, SAME],
        ),
        // Set, add and remove, in order.
        (
            &["x-a: 1", "+x-a: 2", "server: us"],
            PLAIN,
            &["server: them"],
            &["server: us", "x-a: 1", "x-a: 2", NOSNIFF, SAME],
        ),
        (&["-server"], PLAIN, &["server: them"], &[NOSNIFF, SAME]),
        (
            &["vary: Origin"],
            PLAIN,
            &["vary: Accept-Encoding"],
            &["vary: Accept-Encoding, Origin", NOSNIFF, SAME],
        ),
        (
            &["content-length: 1", "-date", "connection: close"],
            PLAIN,
            &["content-length: 5", "date: x"],
            &["content-length: 5", "date: x", NOSNIFF, SAME],
        ),
    ];
    for (rules, tls, before, behind) in cases {
        let defaults = SECURITY.iter().map(|(name, value, tls_only)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value), *tls_only)
        });
        let answer_rules = AnswerRules {
            response_headers: field_rules(rules),
            default_headers: defaults.collect(),
            ..AnswerRules::default()
        };
        let mut found = headers(before);
        answer_fields(&answer_rules, &mut found, *tls);
        let mut expect = behind.to_vec();
        expect.sort_unstable();
        assert_eq!(lines(&found), expect, "{rules:?} {tls} {before:?}");
    }
}

#[test]
fn c10_3_transport_security_is_said_over_https_alone() {
    const OURS: &str = "strict-transport-security: max-age=60";
    const THEIRS: &str = "strict-transport-security: max-age=1";
    let on = || Hsts::On(HeaderValue::from_static("max-age=60"));
    type Fields = &'static [&'static str];
    let cases: Vec<(Hsts, &str, Fields, Fields, Fields)> = vec![
        // The option, the scheme, the fields of the scope; the fields before and behind.
        (on(), "https", &[], &[], &[OURS]),
        (on(), "http", &[], &[], &[]),
        // It is the one to say so, whoever answers.
        (on(), "https", &[], &[THEIRS], &[OURS]),
        (on(), "http", &[], &[THEIRS], &[]),
        // But for the fields of the scope.
        (on(), "https", &[THEIRS], &[], &[THEIRS]),
        (on(), "https", &["+strict-transport-security: max-age=1"], &[], &[THEIRS]),
        (on(), "https", &["-strict-transport-security"], &[THEIRS], &[]),
        (on(), "https", &["-x-other"], &[], &[OURS]),
        // In place of what `security_headers` says.
        (Hsts::Unsaid, "https", &[], &[], &["strict-transport-security: max-age=31536000"]),
        (Hsts::Off, "https", &[], &[], &[]),
        (Hsts::Off, "https", &[], &[THEIRS], &[THEIRS]),
        (Hsts::Off, "http", &[], &[THEIRS], &[THEIRS]),
    ];
    for (hsts, scheme, rules, before, behind) in cases {
        let strict = HeaderValue::from_static("max-age=31536000");
        let answer_rules = AnswerRules {
            response_headers: field_rules(rules),
            default_headers: Arc::new([(header::STRICT_TRANSPORT_SECURITY, strict, true)]),
            hsts,
            ..AnswerRules::default()
        };
        let mut found = headers(before);
        answer_fields(&answer_rules, &mut found, scheme == "https");
        hsts_field(&answer_rules, &mut found, scheme);
        assert_eq!(lines(&found), behind, "{answer_rules:?} {scheme} {before:?}");
    }
}

//! RFC 9110 section 13, a case per line.

use super::*;

/// 1994-11-06 08:49:37 UTC, the date of RFC 9110 section 5.6.7.
const NOV_6: i64 = 784_111_777;
const SAME: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const EARLIER: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
const LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

fn fields(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in lines {
        map.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    map
}

fn check(method: &str, etag: Option<&str>, lines: &[(&'static str, &str)], expect: Outcome) {
    let etag = etag.map(|etag| ETag::parse(etag.as_bytes()).unwrap());
    let current = Validators { etag: etag.as_ref(), last_modified: Some(NOV_6) };
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let found = evaluate(&method, &fields(lines), Some(current));
    assert_eq!(found, expect, "{method} {etag:?} {lines:?}");
}

#[test]
fn c5_4_preconditions() {
    use Outcome::{NotModified, PreconditionFailed, Proceed};
    let strong = Some("\"a\"");
    let weak = Some("W/\"a\"");
    const M: &str = "if-match";
    const NM: &str = "if-none-match";
    const MS: &str = "if-modified-since";
    const US: &str = "if-unmodified-since";
    type Case<'c> = (&'c str, Option<&'c str>, &'c [(&'static str, &'c str)], Outcome);
    let cases: &[Case<'_>] = &[
        ("GET", strong, &[], Proceed),
        // 13.1.1 If-Match: strong comparison, any member, `*`.
        ("GET", strong, &[(M, "\"a\"")], Proceed),
        ("GET", strong, &[(M, "\"b\"")], PreconditionFailed),
        ("PUT", strong, &[(M, "\"b\"")], PreconditionFailed),
        ("GET", strong, &[(M, "W/\"a\"")], PreconditionFailed),
        ("GET", weak, &[(M, "W/\"a\"")], PreconditionFailed),
        ("GET", weak, &[(M, "\"a\"")], PreconditionFailed),
        ("GET", strong, &[(M, "\"b\", \"a\"")], Proceed),
        ("GET", strong, &[(M, "\"b\""), (M, "\"a\"")], Proceed),
        ("GET", strong, &[(M, "*")], Proceed),
        ("GET", strong, &[(M, " * ")], Proceed),
        ("GET", None, &[(M, "*")], Proceed),
        ("GET", None, &[(M, "\"a\"")], PreconditionFailed),
        ("GET", strong, &[(M, "a")], PreconditionFailed),
        ("GET", strong, &[(M, "")], PreconditionFailed),
        // 13.1.2 If-None-Match: weak comparison, any member, `*`.
        ("GET", strong, &[(NM, "\"a\"")], NotModified),
        ("HEAD", strong, &[(NM, "\"a\"")], NotModified),
        ("GET", strong, &[(NM, "W/\"a\"")], NotModified),
        ("GET", weak, &[(NM, "\"a\"")], NotModified),
        ("GET", weak, &[(NM, "W/\"a\"")], NotModified),
        ("PUT", strong, &[(NM, "\"a\"")], PreconditionFailed),
        ("PUT", strong, &[(NM, "*")], PreconditionFailed),
        ("GET", strong, &[(NM, "*")], NotModified),
        ("GET", strong, &[(NM, "\"b\"")], Proceed),
        ("GET", None, &[(NM, "\"a\"")], Proceed),
        ("GET", strong, &[(NM, "\"b\",\"a\"")], NotModified),
        ("GET", strong, &[(NM, ", ,\"b\" ,\t\"a\",")], NotModified),
        ("GET", strong, &[(NM, "\"b\""), (NM, "W/\"a\"")], NotModified),
        ("GET", strong, &[(NM, "\"b,\"a\"")], Proceed),
        ("GET", Some("\"b,c\""), &[(NM, "\"a\", \"b,c\"")], NotModified),
        ("GET", Some("\"é\""), &[(NM, "\"é\"")], NotModified),
        // A bad member matches nothing and hides nothing.
        ("GET", strong, &[(NM, "a, w/\"a\"")], Proceed),
        ("GET", strong, &[(NM, "a, \"a\"")], NotModified),
        ("GET", strong, &[(NM, "\"a\"x, \"b\"")], Proceed),
        ("GET", strong, &[(NM, "\"a")], Proceed),
        ("GET", strong, &[(NM, "*, \"b\"")], Proceed),
        ("GET", strong, &[(NM, "*"), (NM, "\"b\"")], Proceed),
        // 13.1.3 If-Modified-Since.
        ("GET", strong, &[(MS, SAME)], NotModified),
        ("HEAD", strong, &[(MS, LATER)], NotModified),
        ("GET", strong, &[(MS, EARLIER)], Proceed),
        ("GET", strong, &[(MS, "Sunday, 06-Nov-94 08:49:37 GMT")], NotModified),
        ("GET", strong, &[(MS, "Sun Nov  6 08:49:37 1994")], NotModified),
        ("POST", strong, &[(MS, SAME)], Proceed),
        ("GET", strong, &[(MS, "yesterday")], Proceed),
        ("GET", strong, &[(MS, "Mon, 06 Nov 1994 08:49:37 GMT")], Proceed),
        ("GET", strong, &[(MS, LATER), (MS, LATER)], Proceed),
        ("GET", strong, &[(NM, "\"b\""), (MS, LATER)], Proceed),
        ("GET", strong, &[(NM, "\"a\""), (MS, EARLIER)], NotModified),
        // 13.1.4 If-Unmodified-Since.
        ("GET", strong, &[(US, SAME)], Proceed),
        ("GET", strong, &[(US, LATER)], Proceed),
        ("GET", strong, &[(US, EARLIER)], PreconditionFailed),
        ("DELETE", strong, &[(US, EARLIER)], PreconditionFailed),
        ("GET", strong, &[(US, "yesterday")], Proceed),
        ("GET", strong, &[(US, EARLIER), (US, EARLIER)], Proceed),
        ("GET", strong, &[(M, "\"a\""), (US, EARLIER)], Proceed),
        // 13.2.2: what fails first decides; what holds leads on.
        ("GET", strong, &[(M, "\"b\""), (NM, "\"a\"")], PreconditionFailed),
        ("GET", strong, &[(M, "\"a\""), (NM, "\"a\"")], NotModified),
        ("GET", strong, &[(US, EARLIER), (MS, LATER)], PreconditionFailed),
        ("GET", strong, &[(US, LATER), (MS, LATER)], NotModified),
        // 13.2.1: methods without a representation.
        ("OPTIONS", strong, &[(M, "\"b\"")], Proceed),
        ("TRACE", strong, &[(NM, "*")], Proceed),
        ("CONNECT", strong, &[(US, EARLIER)], Proceed),
    ];
    for (method, etag, lines, expect) in cases {
        check(method, *etag, lines, *expect);
    }
}

#[test]
fn c5_4_preconditions_without_a_representation() {
    let cases = [
        ("if-match", "*", Outcome::PreconditionFailed),
        ("if-match", "\"a\"", Outcome::PreconditionFailed),
        ("if-none-match", "*", Outcome::Proceed),
        ("if-none-match", "\"a\"", Outcome::Proceed),
        ("if-modified-since", LATER, Outcome::Proceed),
        ("if-unmodified-since", EARLIER, Outcome::Proceed),
    ];
    for (name, value, expect) in cases {
        let found = evaluate(&Method::PUT, &fields(&[(name, value)]), None);
        assert_eq!(found, expect, "{name}: {value}");
    }
}

#[test]
fn c5_4_dates_are_ignored_where_the_representation_has_none() {
    let current = Validators { etag: None, last_modified: None };
    for (name, value) in [("if-modified-since", LATER), ("if-unmodified-since", EARLIER)] {
        let found = evaluate(&Method::GET, &fields(&[(name, value)]), Some(current));
        assert_eq!(found, Outcome::Proceed, "{name}");
    }
}

#[test]
fn c5_4_if_range() {
    let cases: &[(&str, &[&str], bool)] = &[
        ("\"a\"", &[], true),
        ("\"a\"", &["\"a\""], true),
        ("\"a\"", &["\"b\""], false),
        // 13.1.5: strong comparison only.
        ("\"a\"", &["W/\"a\""], false),
        ("W/\"a\"", &["W/\"a\""], false),
        ("W/\"a\"", &["\"a\""], false),
        // A date is no strong validator, not even the very one.
        ("\"a\"", &[SAME], false),
        ("\"a\"", &["Sunday, 06-Nov-94 08:49:37 GMT"], false),
        ("\"a\"", &[EARLIER], false),
        ("\"a\"", &[LATER], false),
        // Neither a tag nor a date, a list, `*`: no match.
        ("\"a\"", &["a"], false),
        ("\"a\"", &["*"], false),
        ("\"a\"", &["\"a\", \"b\""], false),
        ("\"a\"", &["\"a\"", "\"a\""], false),
    ];
    for (etag, lines, expect) in cases {
        let etag = ETag::parse(etag.as_bytes()).unwrap();
        let lines: Vec<_> = lines.iter().map(|line| ("if-range", *line)).collect();
        let current = Validators { etag: Some(&etag), last_modified: Some(NOV_6) };
        assert_eq!(if_range(&fields(&lines), current), *expect, "{etag} {lines:?}");
    }
}

#[test]
fn etags_read_and_print_alike() {
    for text in ["\"\"", "\"a\"", "W/\"a\"", "\"a,b\"", "\"\\\"", "\"é\"", "\"!~\""] {
        let etag = ETag::parse(text.as_bytes()).unwrap();
        assert_eq!(etag.to_string(), text);
        assert_eq!(etag.is_weak(), text.starts_with('W'));
    }
    for text in ["", "a", "\"a", "a\"", "\"a b\"", "w/\"a\"", "W\"a\"", "\"a\"b", "\"\x7f\"", "*"] {
        assert_eq!(ETag::parse(text.as_bytes()), None, "{text:?}");
    }
    assert_eq!(ETag::strong("a"), ETag::parse(b" \"a\" "));
    assert_eq!(ETag::weak("a"), ETag::parse(b"W/\"a\""));
    assert_eq!(ETag::strong("a\"b"), None);
}

#[test]
fn dates_beyond_the_format_are_not_said() {
    assert_eq!(date_value(NOV_6).unwrap(), SAME);
    assert_eq!(date_value(0).unwrap(), "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_eq!(date_value(253_402_300_799).unwrap(), "Fri, 31 Dec 9999 23:59:59 GMT");
    for seconds in [-1, i64::MIN, 253_402_300_800, i64::MAX] {
        assert_eq!(date_value(seconds), None, "{seconds}");
    }
}
